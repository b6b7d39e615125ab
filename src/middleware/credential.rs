//! How a credential is taken from the head of a request, and how its absence and its faults are told.
//!
//! 401 with a challenge for each way there is (RFC 9110 §11.6.1), with `error` only where a token was
//! sent (RFC 6750 §3.1). A second `Authorization` is refused: two readers would take a different one.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, request::Parts};

use crate::rpc::{Code, Origin, Status};

/// The longest credential that is looked at.
pub(super) const LONGEST: usize = 8 * 1024;

/// The only value of a header.
///
/// # Errors
/// 400 when there are several, or when it is too long.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Status> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(malformed(format!("the request has more than one `{name}`")));
    }
    match first {
        Some(value) if value.len() > LONGEST => {
            Err(malformed(format!("`{name}` is longer than {LONGEST} bytes")))
        }
        first => Ok(first),
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1); another scheme is not for whoever asks.
pub(super) fn bearer(head: &Parts) -> Result<Option<&str>, Status> {
    let Some(value) = only(&head.headers, &AUTHORIZATION)? else { return Ok(None) };
    let text = value.to_str().map_err(|_| malformed("`authorization` is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Status {
    Status::new(Code::Unauthenticated, Origin::Client, "CREDENTIALS_MALFORMED", message).with_http_status(400)
}

/// A token that is not good.
pub(super) fn invalid_token(why: &'static str) -> Status {
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{why}\"");
    let status =
        Status::new(Code::Unauthenticated, Origin::Client, "TOKEN_INVALID", format!("the token {why}"));
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => status.with_header(WWW_AUTHENTICATE, challenge),
        Err(_) => status,
    }
}

/// A token that may be good: there are no keys to tell by, and there may be soon.
pub(super) fn keys_unavailable() -> Status {
    let message = "the keys of the token's issuer are not there yet: try again soon";
    Status::new(Code::Unavailable, Origin::Gateway, "KEYS_UNAVAILABLE", message)
        .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// No credential that any of the ways asked for.
pub(super) fn absent(challenges: impl Iterator<Item = HeaderValue>) -> Status {
    let message = "the request shows no credentials";
    let mut status = Status::new(Code::Unauthenticated, Origin::Client, "CREDENTIALS_MISSING", message);
    let metadata = status.metadata.get_or_insert_default();
    for challenge in challenges {
        metadata.append(WWW_AUTHENTICATE, challenge);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(values: &[&str]) -> Parts {
        let mut request = http::Request::new(());
        for value in values {
            request.headers_mut().append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        request.into_parts().0
    }

    #[test]
    fn two_authorizations_are_refused() {
        let status = bearer(&head(&["Bearer a", "Bearer b"])).unwrap_err();
        assert_eq!((status.http_status(), status.code), (400, Code::Unauthenticated));
    }

    #[test]
    fn the_scheme_has_no_case_and_others_are_not_ours() {
        assert_eq!(bearer(&head(&["bEARER  abc"])).unwrap(), Some("abc"));
        assert_eq!(bearer(&head(&["Basic abc"])).unwrap(), None);
        assert_eq!(bearer(&head(&["Bearer"])).unwrap(), Some(""));
        assert_eq!(bearer(&head(&[])).unwrap(), None);
        assert_eq!(
            bearer(&head(&[&format!("Bearer {}", "x".repeat(LONGEST))])).unwrap_err().http_status(),
            400
        );
    }
}
