//! `Content-Type` of requests whose body is JSON, one value or many, or a form.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::rpc::{Code, Origin, Status};
use crate::transcode::elements::Form;
use crate::transcode::multipart;

/// What a body of JSON may be called.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json");
const WITH_FORMS: HeaderValue =
    HeaderValue::from_static("application/json, application/x-www-form-urlencoded, multipart/form-data");
const STREAMED: HeaderValue = HeaderValue::from_static("application/x-ndjson, application/json");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// What a form is sent as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FormMedia {
    UrlEncoded,
    /// With the boundary between its parts.
    Multipart(String),
}

const URL_ENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// Whether a body is a form, by its `Content-Type`.
///
/// # Errors
/// 415 for another character set than UTF-8, 400 for parts without a boundary.
pub(super) fn form(headers: &HeaderMap) -> Result<Option<FormMedia>, Status> {
    let Some((media_type, parameters)) = parse(headers)? else { return Ok(None) };
    match media_type.as_str() {
        URL_ENCODED => {
            check_charset(parameters).map_err(|status| accepting(status, WITH_FORMS))?;
            Ok(Some(FormMedia::UrlEncoded))
        }
        MULTIPART => match multipart::boundary(parameters) {
            Ok(boundary) => Ok(Some(FormMedia::Multipart(boundary))),
            Err(error) => Err(Status::invalid("INVALID_BODY", error.0)),
        },
        _ => Ok(None),
    }
}

/// Checks that a body is JSON in UTF-8, as far as its `Content-Type` says; none is fine.
///
/// # Errors
/// 415, with the remedy.
pub(super) fn check_json(headers: &HeaderMap, forms: bool) -> Result<(), Status> {
    let Some((media_type, parameters)) = parse(headers)? else { return Ok(()) };
    let accepted = if forms { WITH_FORMS } else { ACCEPTED };
    if is_json(&media_type) {
        return check_charset(parameters).map_err(|status| accepting(status, accepted));
    }
    let hint = match media_type.as_str() {
        URL_ENCODED | MULTIPART if !forms => "; forms are taken where a route has `forms = true`",
        _ => "",
    };
    let message = format!(
        "the request body is {media_type}, where JSON is needed: send it with `Content-Type: application/json` (curl: -H 'Content-Type: application/json'){hint}"
    );
    Err(accepting(unsupported(message), accepted))
}

/// What the elements of a streamed body are, by its `Content-Type`; none is as good as JSON.
///
/// # Errors
/// 415, with the remedy.
pub(super) fn elements(headers: &HeaderMap) -> Result<Form, Status> {
    let Some((media_type, parameters)) = parse(headers)? else { return Ok(Form::Json) };
    let form = match media_type.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Form::Lines,
        json if is_json(json) => Form::Json,
        _ => {
            let message = format!(
                "the request body is {media_type}, where a stream of messages is needed: send a line for each with `Content-Type: application/x-ndjson`, or one array with `Content-Type: application/json`"
            );
            return Err(accepting(unsupported(message), STREAMED));
        }
    };
    check_charset(parameters).map(|()| form).map_err(|status| accepting(status, STREAMED))
}

/// The media type in small letters, and its parameters.
///
/// # Errors
/// 400 for two of them: a singleton field whose readers would not agree (RFC 9110 §5.3).
fn parse(headers: &HeaderMap) -> Result<Option<(String, &str)>, Status> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Status::invalid("INVALID_CONTENT_TYPE", "the request has two `Content-Type` headers"));
    }
    let text = value.to_str().unwrap_or_default();
    let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
    Ok(Some((media_type.trim().to_ascii_lowercase(), parameters)))
}

fn check_charset(parameters: &str) -> Result<(), Status> {
    let mut pairs = parameters.split(';').filter_map(|part| part.split_once('='));
    let charset = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    match charset.map(|(_, value)| value.trim().trim_matches('"')) {
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
}

/// "Accept-Post" says what would have been taken (W3C Linked Data Platform §7.1).
fn accepting(status: Status, accepted: HeaderValue) -> Status {
    status.with_header(ACCEPT_POST, accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &'static str) -> Result<(), Status> {
        check_json(&[(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect(), false)
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
        assert!(check_json(&HeaderMap::new(), false).is_ok());
    }

    #[test]
    fn streams_are_lines_or_json() {
        let form = |value| elements(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]));
        assert_eq!(elements(&HeaderMap::new()).unwrap(), Form::Json);
        for (value, expected) in [
            ("application/x-ndjson", Form::Lines),
            ("Application/X-NDJSON; charset=utf-8", Form::Lines),
            ("application/json", Form::Json),
            ("application/merge-patch+json;charset=UTF-8", Form::Json),
        ] {
            assert_eq!(form(value).unwrap(), expected, "{value}");
        }
        for refused in
            ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson; charset=latin1"]
        {
            let status = form(refused).unwrap_err();
            assert_eq!(status.http_status(), 415, "{refused}");
            let accepted = status.metadata.unwrap().into_headers();
            assert_eq!(accepted["accept-post"], "application/x-ndjson, application/json", "{refused}");
        }
    }

    #[test]
    fn two_of_them_are_refused_though_they_are_equal() {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut headers = HeaderMap::from_iter([json.clone()]);
        headers.append(json.0, json.1);
        assert_eq!(check_json(&headers, false).unwrap_err().http_status(), 400);
        assert_eq!(form(&headers).unwrap_err().http_status(), 400);
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
