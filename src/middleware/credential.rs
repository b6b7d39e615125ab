//! How a credential is taken from the head of a request, and how its absence and its faults are told.
//!
//! 401 with a challenge for each way there is (RFC 9110 §11.6.1), with `error` only where a token was
//! sent (RFC 6750 §3.1). A second `Authorization` is refused: two readers would take a different one.

use std::fmt;

use base64_simd::STANDARD as BASE64;
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
    of_scheme(head, "bearer")
}

/// User and password of `Authorization: Basic` (RFC 7617 §2).
pub(super) fn basic(head: &Parts) -> Result<Option<(String, String)>, Status> {
    let Some(text) = of_scheme(head, "basic")? else { return Ok(None) };
    let bytes = BASE64.decode_to_vec(text).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let pair = pair.map(|(user, password)| (user.to_owned(), password.to_owned()));
    pair.map(Some).ok_or_else(|| malformed("`authorization` is no pair of user and password"))
}

/// What follows the scheme in the only `Authorization`; another scheme is not for whoever asks.
fn of_scheme<'h>(head: &'h Parts, wanted: &str) -> Result<Option<&'h str>, Status> {
    let Some(value) = authorization(&head.headers)? else { return Ok(None) };
    let text = value.to_str().map_err(|_| malformed("`authorization` is not ASCII"))?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim()))
}

/// The only `Authorization`. RFC 6750 §3.1 has a word for a request that is malformed.
pub(super) fn authorization(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Status> {
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_request\"");
    only(headers, &AUTHORIZATION).map_err(|status| status.with_header(WWW_AUTHENTICATE, challenge))
}

pub(super) fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Status {
    Status::new(Code::Unauthenticated, Origin::Client, "CREDENTIALS_MALFORMED", message).with_http_status(400)
}

/// A challenge (RFC 9110 §11.6.1): the block's name is the realm in which its credentials are good.
pub(super) fn challenge(scheme: &'static str, realm: &str, more: &[(&str, &str)]) -> HeaderValue {
    let parameters = [("realm", realm)].into_iter().chain(more.iter().copied());
    let parameters: Vec<_> =
        parameters.map(|(name, value)| format!("{name}=\"{}\"", quotable(value))).collect();
    let text = format!("{scheme} {}", parameters.join(", "));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(scheme))
}

/// What may stand between quotes as it is (RFC 9110 §5.6.4); of a name the rest is left out.
fn quotable(text: &str) -> String {
    let is_plain = |byte: &char| matches!(byte, ' '..='~') && !matches!(byte, '"' | '\\');
    text.chars().filter(is_plain).collect()
}

/// A token that is not good.
pub(super) fn invalid_token(realm: &str, why: &'static str) -> Status {
    let challenge = challenge("Bearer", realm, &[("error", "invalid_token"), ("error_description", why)]);
    Status::new(Code::Unauthenticated, Origin::Client, "TOKEN_INVALID", format!("the token {why}"))
        .with_header(WWW_AUTHENTICATE, challenge)
}

/// Credentials of another kind that are not good.
pub(super) fn invalid(reason: &'static str, message: &'static str, challenge: HeaderValue) -> Status {
    Status::new(Code::Unauthenticated, Origin::Client, reason, message)
        .with_header(WWW_AUTHENTICATE, challenge)
}

/// An extension of a request: the parameters that were taken out of its target, for whoever looks for a key there. A
/// name may stand in it several times.
#[derive(Clone, Debug, Default)]
pub struct FromQuery(pub Vec<(Box<str>, Secret)>);

/// A text that shows itself to nobody.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The only value of a parameter.
///
/// # Errors
/// 400 when there are several, or when it is too long.
pub(super) fn parameter<'h>(head: &'h Parts, name: &str) -> Result<Option<&'h str>, Status> {
    let Some(FromQuery(taken)) = head.extensions.get() else { return Ok(None) };
    let mut values = taken.iter().filter(|(own, _)| **own == *name).map(|(_, value)| value.0.as_str());
    let first = values.next();
    if values.next().is_some() || first.is_some_and(|value| value.len() > LONGEST) {
        return Err(malformed(format!("the parameter `{name}` is there twice, or too long")));
    }
    Ok(first)
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
