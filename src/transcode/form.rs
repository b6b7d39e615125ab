//! Bodies that are HTML forms, `application/x-www-form-urlencoded` or `multipart/form-data`.
//!
//! A field of a form is what a query parameter is: a name, dotted or `m[key]`, and the text of a value.
//! A part of a multipart form can also be the bytes of a `bytes` field, a `google.api.HttpBody`, or JSON.

use bytes::Bytes;

use crate::rpc::FieldViolation;
use crate::schema::{Field, FieldType, MessageId};

use super::binding::put_bytes;
use super::multipart::Part;
use super::query::{self, Binder, MAX_VIOLATIONS};
use super::{Codec, JsonError, ReadOptions, http_body};

/// The most fields of a form.
pub const MAX_FIELDS: usize = super::multipart::MAX_PARTS;

/// A form.
#[derive(Clone, Debug)]
pub enum Form {
    /// `application/x-www-form-urlencoded`, still encoded.
    UrlEncoded(Bytes),
    /// `multipart/form-data`.
    Multipart(Vec<Part>),
}

/// What is given for a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'v> {
    Text(&'v str),
    Part(&'v Part),
}

impl Form {
    /// Writes all fields with a binder.
    pub(super) fn bind(&self, binder: &mut Binder<'_>, out: &mut Vec<u8>) -> Result<(), Vec<FieldViolation>> {
        let mut violations = Vec::new();
        match self {
            Self::UrlEncoded(text) => {
                let text = std::str::from_utf8(text);
                let text = text.map_err(|_| vec![violation("", "the form is not valid UTF-8".to_owned())])?;
                for (index, pair) in query::pairs(text).enumerate() {
                    if index >= MAX_FIELDS {
                        let description = format!("the form has more than {MAX_FIELDS} fields");
                        return Err(vec![violation("", description)]);
                    }
                    let bound = pair.and_then(|(name, value)| binder.bind(&name, Value::Text(&value), out));
                    violations.extend(bound.err());
                    if violations.len() >= MAX_VIOLATIONS {
                        break;
                    }
                }
            }
            // Browsers send an empty file without a name where none was chosen.
            Self::Multipart(parts) => {
                let parts = parts.iter().filter(|part| !part.is_unchosen_file());
                let wrong = parts.filter_map(|part| binder.bind(&part.name, Value::Part(part), out).err());
                violations.extend(wrong.take(MAX_VIOLATIONS));
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}

impl Value<'_> {
    /// Writes a value with its tag.
    pub(super) fn write(
        self,
        codec: &Codec,
        (message, field): (MessageId, Field<'_>),
        read: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let number = field.number();
        let text = |text: &str, out: &mut Vec<u8>| codec.read_text(message, number, text, read, out);
        let part = match self {
            Self::Text(value) => return text(value, out),
            Self::Part(part) => part,
        };
        if field.message().is_some_and(http_body::is) {
            let mut content = Vec::with_capacity(part.data.len() + 32);
            // "defaulting to text/plain" (RFC 7578 §4.4).
            let content_type = if part.content_type.is_empty() { "text/plain" } else { &part.content_type };
            http_body::encode(content_type, &part.data, &mut content);
            put_bytes(number, &content, out);
            return Ok(());
        }
        let raw = part.filename.is_some() || !(part.is("text/plain") || part.content_type.is_empty());
        if raw && field.field_type() == FieldType::Bytes {
            put_bytes(number, &part.data, out);
            return Ok(());
        }
        if part.is("application/json") {
            return codec.read_field(message, number, &part.data, read, out);
        }
        if raw {
            return Err(wrong("a file can only be the value of a `bytes` or `google.api.HttpBody` field"));
        }
        match std::str::from_utf8(&part.data) {
            Ok(value) => text(value, out),
            Err(_) => Err(wrong("the text is not valid UTF-8")),
        }
    }
}

impl Part {
    fn is(&self, media_type: &str) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(media_type)
    }

    fn is_unchosen_file(&self) -> bool {
        self.filename.as_deref() == Some("") && self.data.is_empty()
    }
}

fn wrong(description: &str) -> JsonError {
    JsonError { path: String::new(), description: description.to_owned(), offset: 0 }
}

fn violation(field: &str, description: String) -> FieldViolation {
    FieldViolation { field: field.to_owned(), description }
}

#[cfg(test)]
mod tests;
