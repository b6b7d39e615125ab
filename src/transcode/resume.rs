//! The cursor of a server stream: read out of its messages, written into the request that goes on after it.
//!
//! A cursor is carried as text, in the form that its type has in ProtoJSON without the quotes. Nothing here
//! knows when a stream is opened again, or how clients are told the cursor.

use bytes::Bytes;

use crate::schema::field_path::FieldPathError;
use crate::schema::{Field, FieldType, Message};

use super::binding::FieldPlan;
use super::field_text::{FieldText, plain};
use super::request::RequestPlan;
use super::{Codec, JsonError, ReadOptions, WireError, WriteOptions};

/// Where a stream's cursor is, and where the request takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePlan {
    response: FieldText,
    request: FieldPlan,
}

/// Why fields cannot carry a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeError {
    /// The field of the answer.
    Response(FieldPathError),
    /// The field of the request.
    Request(FieldPathError),
}

/// What a cursor can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    String,
    Bytes,
    Signed { bits: u8 },
    Unsigned { bits: u8 },
    Timestamp,
}

impl ResumePlan {
    /// Makes the plan of a method whose requests are made by `plan`.
    ///
    /// # Errors
    /// When one of the fields cannot carry a cursor, or the request's cannot take the answer's.
    pub fn new(
        (input, output): (Message<'_>, Message<'_>),
        plan: &RequestPlan,
        response_field: &str,
        request_field: &str,
    ) -> Result<Self, ResumeError> {
        let (response, _, kind) = carrier(output, response_field).map_err(ResumeError::Response)?;
        let (_, request, taken) = carrier(input, request_field).map_err(ResumeError::Request)?;
        if !taken.takes(kind) {
            let message = format!(
                "\"{request_field}\" is {}, and takes no {} as \"{response_field}\" is",
                taken.name(),
                kind.name()
            );
            return Err(ResumeError::Request(plain(message)));
        }
        let is_bound = |capture: &FieldPlan| capture.numbers().zip(request.numbers()).all(|(a, b)| a == b);
        if plan.captures().iter().any(is_bound) {
            let message = format!("\"{request_field}\" is bound by the path, which does not change");
            return Err(ResumeError::Request(plain(message)));
        }
        Ok(Self { response, request })
    }

    /// The cursor of a message of the answer; `None` where it has none.
    ///
    /// # Errors
    /// When the message is none of its type.
    pub fn cursor(&self, codec: &Codec, wire: &Bytes) -> Result<Option<String>, WireError> {
        self.response.read(codec, wire, &WriteOptions::default())
    }

    /// Appends to an encoded request that it starts after a cursor, whatever it has said of that before.
    ///
    /// # Errors
    /// When the text is no cursor.
    pub fn write(&self, codec: &Codec, cursor: &str, out: &mut Vec<u8>) -> Result<(), JsonError> {
        self.request.write_text(codec, cursor, &ReadOptions::default(), out)
    }
}

/// The field of a path, if it can carry a cursor.
fn carrier(root: Message<'_>, path: &str) -> Result<(FieldText, FieldPlan, Kind), FieldPathError> {
    let (fields, text) = FieldText::resolve(root, path)?;
    if let Some(member) = fields.iter().find(|field| field.oneof().is_some()) {
        // A value of the request's own choice would be taken from it.
        return Err(plain(format!("\"{}\" is in a oneof", member.name())));
    }
    match (FieldPlan::of(root, &fields), fields.last().copied().and_then(Kind::of)) {
        (Some(plan), Some(kind)) => Ok((text, plan, kind)),
        _ => Err(plain(format!("\"{path}\" is no string, bytes, integer or google.protobuf.Timestamp"))),
    }
}

impl Kind {
    fn of(field: Field<'_>) -> Option<Self> {
        match field.field_type() {
            FieldType::String => Some(Self::String),
            FieldType::Bytes => Some(Self::Bytes),
            FieldType::Int32 | FieldType::Sint32 | FieldType::Sfixed32 => Some(Self::Signed { bits: 32 }),
            FieldType::Int64 | FieldType::Sint64 | FieldType::Sfixed64 => Some(Self::Signed { bits: 64 }),
            FieldType::Uint32 | FieldType::Fixed32 => Some(Self::Unsigned { bits: 32 }),
            FieldType::Uint64 | FieldType::Fixed64 => Some(Self::Unsigned { bits: 64 }),
            FieldType::Message(_) => {
                field.message().filter(|message| message.name() == "google.protobuf.Timestamp")?;
                Some(Self::Timestamp)
            }
            FieldType::Double | FieldType::Float | FieldType::Bool | FieldType::Enum(_) => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Signed { bits: 32 } => "signed integer of 32 bits",
            Self::Signed { .. } => "signed integer of 64 bits",
            Self::Unsigned { bits: 32 } => "unsigned integer of 32 bits",
            Self::Unsigned { .. } => "unsigned integer of 64 bits",
            Self::Timestamp => "google.protobuf.Timestamp",
        }
    }

    /// Whether every value of the other kind is one of this.
    fn takes(self, other: Self) -> bool {
        match (self, other) {
            (Self::String, _) => true,
            (Self::Signed { bits }, Self::Signed { bits: needed })
            | (Self::Unsigned { bits }, Self::Unsigned { bits: needed }) => bits >= needed,
            (Self::Signed { bits }, Self::Unsigned { bits: needed }) => bits > needed,
            (own, other) => own == other,
        }
    }
}

#[cfg(test)]
mod tests;
