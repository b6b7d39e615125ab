//! What is told to a client whose JSON or parameters make no message.

use crate::rpc::{Code, FieldViolation, Origin, Status};
use crate::transcode::JsonError;
use crate::transcode::elements::ElementsError;
use crate::transcode::request::RequestError;

/// Says what is wrong and in which field; `body_name` is what `body` names in the rule.
pub(super) fn invalid(error: RequestError, body_name: Option<&str>) -> Status {
    invalid_part("the request body", error, body_name)
}

/// The same for an element of a streamed body, by its number from 1.
pub(super) fn invalid_element(number: u64, error: RequestError, body_name: Option<&str>) -> Status {
    invalid_part(&format!("element {number} of the request body"), error, body_name)
}

fn invalid_part(part: &str, error: RequestError, body_name: Option<&str>) -> Status {
    match error {
        RequestError::Body(error) => {
            let violation = body_violation(&error, body_name);
            let place =
                if violation.field.is_empty() { String::new() } else { format!("{}: ", violation.field) };
            let message = format!("{part} is invalid: {place}{}", error.description);
            Status::invalid("INVALID_BODY", message).with_violations(&[violation])
        }
        RequestError::Form(violations) => {
            let message = format!("a field of the form is invalid: {}", summary(&violations));
            Status::invalid("INVALID_BODY", message).with_violations(&violations)
        }
        RequestError::Parameters(violations) => {
            let message = format!("a parameter is invalid: {}", summary(&violations));
            Status::invalid("INVALID_PARAMETER", message).with_violations(&violations)
        }
    }
}

fn summary(violations: &[FieldViolation]) -> String {
    let first = violations.first().map_or_else(String::new, |violation| {
        let place = if violation.field.is_empty() { "" } else { ": " };
        format!("{}{place}{}", violation.field, violation.description)
    });
    match violations.len() {
        0 | 1 => first,
        count => format!("{first} (and {} more)", count - 1),
    }
}

/// Paths in a body that is one field of the message start with that field.
fn body_violation(error: &JsonError, body_name: Option<&str>) -> FieldViolation {
    let prefix = body_name.filter(|name| *name != "*").unwrap_or_default();
    let field = match (prefix, error.path.as_str()) {
        ("", path) => path.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path)
            if path == prefix
                || path.starts_with(&format!("{prefix}."))
                || path.starts_with(&format!("{prefix}[")) =>
        {
            path.to_owned()
        }
        (prefix, path) => format!("{prefix}.{path}"),
    };
    FieldViolation { field, description: error.description.clone() }
}

/// Bytes that are no elements.
pub(super) fn invalid_elements(error: ElementsError) -> Status {
    match error {
        ElementsError::TooLarge { .. } => too_large(error.to_string()),
        _ => Status::invalid("INVALID_BODY", error.to_string()),
    }
}

/// A message above the limit of its route, in bytes.
pub(super) fn message_too_large(limit: usize) -> Status {
    too_large(format!("the request makes a message that is larger than the limit of {limit} bytes"))
}

/// The same for an element of a streamed body, by its number from 1.
pub(super) fn element_too_large(number: u64, limit: usize) -> Status {
    too_large(format!(
        "element {number} of the request body makes a message that is larger than the limit of {limit} bytes"
    ))
}

fn too_large(message: String) -> Status {
    Status::new(Code::ResourceExhausted, Origin::Client, "MESSAGE_TOO_LARGE", message).with_http_status(413)
}
