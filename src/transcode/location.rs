//! A URI with fields of an answer in it, such as `/v1/{name}`: where what was made is found.
//!
//! A field is text or a whole number. Names of resources have slashes of their own (AIP-122), which stay; what
//! else has a meaning in URIs is encoded.

use bytes::Bytes;

use super::field_text::FieldText;
use super::{Codec, WriteOptions};
use crate::schema::{FieldType, Message};

/// A template, resolved against the type of the answer.
#[derive(Clone, Debug)]
pub struct LocationPlan(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Text(Box<str>),
    Field(FieldText),
}

/// A part of a template.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    Text(&'a str),
    /// The path of a field.
    Field(&'a str),
}

impl LocationPlan {
    /// Resolves a template.
    ///
    /// # Errors
    /// What is wrong with a field.
    pub fn new<'a>(output: Message<'_>, parts: impl Iterator<Item = Part<'a>>) -> Result<Self, String> {
        let steps = parts.map(|part| match part {
            Part::Text(text) => Ok(Step::Text(text.into())),
            Part::Field(path) => field(output, path).map(Step::Field),
        });
        steps.collect::<Result<_, _>>().map(Self)
    }

    /// The URI for an answer; `None` where a field has no value, for then it would name something else.
    #[must_use]
    pub fn fill(&self, codec: &Codec, wire: &Bytes) -> Option<String> {
        let mut uri = String::new();
        for step in &self.0 {
            match step {
                Step::Text(text) => uri.push_str(text),
                Step::Field(field) => {
                    encode(&field.read(codec, wire, &WriteOptions::default()).ok()??, &mut uri);
                }
            }
        }
        Some(uri)
    }
}

fn field(output: Message<'_>, path: &str) -> Result<FieldText, String> {
    let (fields, text) = FieldText::resolve(output, path).map_err(|error| error.message)?;
    let is_other = fields.last().is_none_or(|field| {
        matches!(
            field.field_type(),
            FieldType::Double
                | FieldType::Float
                | FieldType::Bool
                | FieldType::Bytes
                | FieldType::Enum(_)
                | FieldType::Message(_)
        )
    });
    if is_other { Err(format!("\"{path}\" is neither text nor a whole number")) } else { Ok(text) }
}

/// Everything but what is unreserved (RFC 3986 §2.3) and the slash is encoded.
fn encode(text: &str, uri: &mut String) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
}
