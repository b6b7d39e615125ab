//! A response, from one encoded message to a body, by a plan made when routes are loaded.

use bytes::Bytes;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::schema::field_path::FieldPathError;
use crate::schema::{Field, Message, MessageId};

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
            (Content::Field(plan), None) => codec.write_field(plan.message, plan.number, wire, options, out),
            (Content::Field(plan), Some(mask)) => {
                codec.write_field_selected((plan.message, plan.number), wire, options, mask, out)
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
            Content::Raw(Some(plan)) => http_body::decode(last_value(&wire, plan.number)?),
            _ => http_body::decode(wire),
        }
    }
}

fn named(output: Message<'_>, name: &str) -> Result<Content, FieldPathError> {
    let plan = FieldPlan::resolve(output, [name])?;
    let raw = |field: Field<'_>| is_singular(field) && field.message().is_some_and(http_body::is);
    Ok(if output.field(name).is_some_and(raw) { Content::Raw(Some(plan)) } else { Content::Field(plan) })
}

/// The last value of a length-delimited field; empty where there is none.
fn last_value(wire: &Bytes, number: u32) -> Result<Bytes, WireError> {
    let invalid =
        |error: prost::DecodeError| WireError { path: String::new(), description: error.to_string() };
    let mut value = Bytes::new();
    let mut rest = wire.clone();
    while !rest.is_empty() {
        let (field, wire_type) = decode_key(&mut rest).map_err(invalid)?;
        if field == number && wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut rest).map_err(invalid)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
            let length = length.ok_or_else(|| WireError {
                path: String::new(),
                description: "a length points past the end of the message".to_owned(),
            })?;
            value = rest.split_to(length);
        } else {
            skip_field(wire_type, field, &mut rest, DecodeContext::default()).map_err(invalid)?;
        }
    }
    Ok(value)
}
