//! A response, from one encoded message to a body, by a plan made when routes are loaded.

use bytes::Bytes;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::schema::field_path::{self, FieldPathError};
use crate::schema::{Message, MessageId};

use super::binding::{FieldPlan, is_singular};
use super::http_body::{self, HttpBody};
use super::request::PlanError;
use super::{Codec, Mask, MaskError, WireError, WriteOptions};

/// How messages of one binding become response bodies.
#[derive(Clone, Debug)]
pub struct ResponsePlan {
    message: MessageId,
    content: Content,
    /// What the client selects of it; `None` for all.
    mask: Option<Mask>,
}

#[derive(Clone, Debug)]
enum Content {
    /// The whole message as JSON.
    Whole,
    /// `response_body`: one field as JSON.
    Field(FieldPlan),
    /// A `google.api.HttpBody`: the message itself (`None`) or a field of it.
    Raw(Option<FieldPlan>),
}

impl ResponsePlan {
    /// Makes the plan of a binding.
    ///
    /// # Errors
    /// When `response_body` names what the message does not have.
    pub fn new(output: Message<'_>, response_body: Option<&str>) -> Result<Self, PlanError> {
        let content = match response_body {
            None if http_body::is(output) => Content::Raw(None),
            None => Content::Whole,
            Some(name) => named(output, name).map_err(PlanError::ResponseBody)?,
        };
        Ok(Self { message: output.id(), content, mask: None })
    }

    /// The same plan for one request that selects a part of the body.
    ///
    /// # Errors
    /// A text that is no selection of what the body is.
    pub fn selecting(&self, codec: &Codec, text: &str) -> Result<Self, MaskError> {
        let mask = match &self.content {
            Content::Whole => Mask::of_message(codec, self.message, text)?,
            Content::Field(plan) => Mask::of_field(codec, plan.message, plan.number, text)?,
            Content::Raw(_) => return Err(MaskError("the answer is raw bytes and has no fields".to_owned())),
        };
        Ok(Self { mask: Some(mask), ..self.clone() })
    }

    /// Whether responses are raw bytes with a content type of their own.
    #[must_use]
    pub const fn is_raw(&self) -> bool {
        matches!(self.content, Content::Raw(_))
    }

    /// Appends a message as JSON.
    ///
    /// # Errors
    /// When the message is none of its type.
    pub fn write_json(
        &self,
        codec: &Codec,
        wire: &[u8],
        options: &WriteOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        match (&self.content, &self.mask) {
            (Content::Field(plan), mask) => {
                let within;
                let wire = if plan.parents().next().is_none() {
                    wire
                } else {
                    within = value(Bytes::copy_from_slice(wire), plan.parents())?;
                    &within
                };
                match mask {
                    None => codec.write_field(plan.message, plan.number, wire, options, out),
                    Some(mask) => {
                        codec.write_field_selected((plan.message, plan.number), wire, options, mask, out)
                    }
                }
            }
            (_, None) => codec.write(self.message, wire, options, out),
            (_, Some(mask)) => codec.write_selected(self.message, wire, options, mask, out),
        }
    }

    /// The raw body in a message, where [`ResponsePlan::is_raw`].
    ///
    /// # Errors
    /// When the message is none of its type.
    pub fn raw(&self, wire: Bytes) -> Result<HttpBody, WireError> {
        match &self.content {
            Content::Raw(Some(plan)) => http_body::decode(value(wire, plan.numbers())?),
            _ => http_body::decode(wire),
        }
    }
}

/// `response_body` names a field of the answer (google/api/http.proto); a dotted path goes on from there.
fn named(output: Message<'_>, name: &str) -> Result<Content, FieldPathError> {
    let plan = FieldPlan::resolve(output, name.split('.'))?;
    let field = field_path::resolve(output, name.split('.'))?.pop();
    let raw = field.is_some_and(|field| is_singular(field) && field.message().is_some_and(http_body::is));
    Ok(if raw { Content::Raw(Some(plan)) } else { Content::Field(plan) })
}

/// The content of a message below others; empty where there is none.
pub(super) fn value(wire: Bytes, way: impl Iterator<Item = u32>) -> Result<Bytes, WireError> {
    let mut message = wire;
    for number in way {
        message = merged(message, number)?;
    }
    Ok(message)
}

/// The values of one message field, which are its parts where there are several (protobuf encoding, "Last One
/// Wins").
fn merged(wire: Bytes, number: u32) -> Result<Bytes, WireError> {
    let mut whole: Option<Bytes> = None;
    let mut rest = wire;
    while !rest.is_empty() {
        let (field, wire_type) = decode_key(&mut rest).map_err(|error| invalid(&error))?;
        let start = rest.clone();
        let part = match wire_type {
            WireType::LengthDelimited if field == number => delimited(&mut rest)?,
            WireType::StartGroup if field == number => group(field, &start, &mut rest)?,
            _ => {
                skip_field(wire_type, field, &mut rest, DecodeContext::default())
                    .map_err(|error| invalid(&error))?;
                continue;
            }
        };
        whole = Some(match whole {
            Some(before) => [before, part].concat().into(),
            None => part,
        });
    }
    Ok(whole.unwrap_or_default())
}

fn delimited(rest: &mut Bytes) -> Result<Bytes, WireError> {
    let length = decode_varint(rest).map_err(|error| invalid(&error))?;
    match usize::try_from(length).ok().filter(|length| *length <= rest.len()) {
        Some(length) => Ok(rest.split_to(length)),
        None => Err(WireError {
            path: String::new(),
            description: "a length points past the end of the message".to_owned(),
        }),
    }
}

/// What stands between the tags of a group.
fn group(field: u32, start: &Bytes, rest: &mut Bytes) -> Result<Bytes, WireError> {
    skip_field(WireType::StartGroup, field, rest, DecodeContext::default())
        .map_err(|error| invalid(&error))?;
    let end_tag = prost::encoding::key_len(field);
    Ok(start.slice(..start.len() - rest.len() - end_tag))
}

fn invalid(error: &prost::DecodeError) -> WireError {
    WireError { path: String::new(), description: error.to_string() }
}

#[cfg(test)]
mod tests;
