//! `Content-Type` of requests whose body is JSON.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::rpc::{Code, Origin, Status};

/// What a body of JSON may be called.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Checks that a body is JSON in UTF-8, as far as its `Content-Type` says; none is fine.
///
/// # Errors
/// 415, with the remedy.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), Status> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !is_json(&media_type) {
        let message = format!(
            "the request body is {media_type}, where JSON is needed: send it with `Content-Type: application/json` (curl: -H 'Content-Type: application/json')"
        );
        return Err(unsupported(message));
    }
    let charset =
        parts.find_map(|part| part.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset")));
    match charset.map(|(_, value)| value.trim_matches('"')) {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") => Err(unsupported(format!(
            "the request body is in {charset}, where UTF-8 is needed (RFC 8259 §8.1)"
        ))),
        _ => Ok(()),
    }
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn unsupported(message: String) -> Status {
    Status::new(Code::InvalidArgument, Origin::Client, "UNSUPPORTED_MEDIA_TYPE", message)
        .with_http_status(415)
        .with_header(ACCEPT_POST, ACCEPTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &'static str) -> Result<(), Status> {
        check_json(&[(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect())
    }

    #[test]
    fn json_in_utf8_is_accepted() {
        for accepted in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/merge-patch+json",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(check(accepted).is_ok(), "{accepted}");
        }
        assert!(check_json(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn anything_else_is_415_with_a_remedy() {
        for refused in
            ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-16", "json"]
        {
            let status = check(refused).unwrap_err();
            assert_eq!(status.http_status(), 415, "{refused}");
            assert!(status.metadata.unwrap().get("accept-post").is_some());
        }
    }
}
