//! The policy key `success`: what an answer that went well says besides its content, to clients that speak
//! HTTP and JSON.
//!
//! What a template of `location` looks like is here; which fields a message has is not known here.

use http::StatusCode;

use super::group::group;
use super::value::{PolicyValue, words};
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::entry::{Choice, Entry};
use crate::config::problem::Located;
use crate::config::table::Table;

group! {
    /// `success`: what an answer of one message says that went well.
    SuccessKeys => Success {
        /// Its HTTP status.
        status: SuccessStatus = SuccessStatus(StatusCode::OK);
        /// Where what was made is found.
        location: LocationTemplate = LocationTemplate::None;
        /// What becomes of an answer that is `google.protobuf.Empty`.
        empty: EmptyForm = EmptyForm::Json;
    }
}

words! {
    /// `success.empty`.
    EmptyForm {
        /// It is `{}`.
        Json = "json",
        /// It is 204, without content.
        NoContent = "no_content",
    }
}

/// `success.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessStatus(pub StatusCode);

/// `success.location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationTemplate {
    None,
    /// A URI reference in parts; at least one.
    Template(Vec<LocationPart>),
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationPart {
    Text(String),
    /// `{path.of.field}` of the answer.
    Field(String),
}

impl PolicyValue for SuccessStatus {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        match entry.number(&(200..=299_u16))? {
            // 204 and 205 are without content, 206 is about a range (RFC 9110 §15.3).
            code @ (200 | 201 | 202 | 203 | 207..=299) => StatusCode::from_u16(code).ok().map(Self),
            _ => entry.wrong(
                "has no content, or a part of it",
                "write another; empty = \"no_content\" makes an empty answer 204",
            ),
        }
    }

    fn show(&self) -> String {
        self.0.as_u16().to_string()
    }
}

impl PolicyValue for LocationTemplate {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let text = entry.text()?;
        if text == "none" {
            return Some(Self::None);
        }
        let is_reference =
            text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://");
        match parts(text).filter(|_| is_reference) {
            Some(parts) => Some(Self::Template(parts)),
            None => entry.wrong(
                format!("\"{text}\" is no template of a location"),
                "write \"none\", a path or a URL, with fields of the answer in braces: \"/v1/{name}\"",
            ),
        }
    }

    fn show(&self) -> String {
        let Self::Template(parts) = self else { return "\"none\"".to_owned() };
        let shown = parts.iter().map(|part| match part {
            LocationPart::Text(text) => text.clone(),
            LocationPart::Field(path) => format!("{{{path}}}"),
        });
        format!("\"{}\"", shown.collect::<String>())
    }
}

/// `None` for braces that do not pair and for what no URI has (RFC 3986 §2).
fn parts(text: &str) -> Option<Vec<LocationPart>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (field, after) = behind.split_once('}')?;
        if !before.is_empty() {
            parts.push(LocationPart::Text(before.to_owned()));
        }
        parts.push(LocationPart::Field(field.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(LocationPart::Text(rest.to_owned()));
    }
    let is_good = |part: &LocationPart| match part {
        LocationPart::Text(text) => text.bytes().all(is_uri),
        LocationPart::Field(path) => path.split('.').all(is_name),
    };
    parts.iter().all(is_good).then_some(parts)
}

fn is_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_text_and_fields() {
        let text = |text: &str| LocationPart::Text(text.to_owned());
        let field = |path: &str| LocationPart::Field(path.to_owned());
        assert_eq!(parts("/v1/{name}"), Some(vec![text("/v1/"), field("name")]));
        assert_eq!(
            parts("{a.b}{c}?x=1"),
            Some(vec![field("a.b"), field("c"), text("?x=1")]),
            "fields may stand beside each other"
        );
        for bad in ["/v1/{name", "/v1/{}", "/v1/name}", "/a b", "/{a..b}", "/{{a}}", "/\u{e4}", "/{a=*}"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_read_is_shown() {
        let template = LocationTemplate::Template(parts("/v1/{shelf.number}/{name}:x").unwrap());
        assert_eq!(template.show(), "\"/v1/{shelf.number}/{name}:x\"");
        assert_eq!(LocationTemplate::None.show(), "\"none\"");
    }
}
