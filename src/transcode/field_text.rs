//! One field of a message as text: its ProtoJSON form, without quotes.
//!
//! Look here for what is told about a message beside its body, such as the name and the id of an event.

use bytes::Bytes;

use crate::schema::field_path::{self, FieldPathError};
use crate::schema::{Cardinality, Field, FieldType, Message};

use super::binding::{FieldPlan, is_singular};
use super::response::value;
use super::{Codec, WireError, WriteOptions};

/// A singular field below a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldText {
    plan: FieldPlan,
    /// The text of the default value, where it is no value at all (proto3 without `optional`).
    none: Option<&'static str>,
    is_enum: bool,
}

impl FieldText {
    /// The field that names an event.
    ///
    /// # Errors
    /// When the path leads to no singular string or enum.
    pub fn label(root: Message<'_>, path: &str) -> Result<Self, FieldPathError> {
        let (fields, text) = Self::resolve(root, path)?;
        match fields.last().map(|field| field.field_type()) {
            Some(FieldType::String | FieldType::Enum(_)) => Ok(text),
            _ => Err(plain(format!("\"{path}\" is no string and no enum"))),
        }
    }

    /// The field that tells what belongs together.
    ///
    /// # Errors
    /// When the path leads to no singular field with a text of its own.
    pub fn key(root: Message<'_>, path: &str) -> Result<Self, FieldPathError> {
        let (fields, text) = Self::resolve(root, path)?;
        match fields.last().map(|field| field.field_type()) {
            Some(FieldType::Message(_) | FieldType::Bool) | None => {
                Err(plain(format!("\"{path}\" is no string, bytes, number or enum")))
            }
            Some(_) => Ok(text),
        }
    }

    /// The fields of a path, and the last as text.
    pub(super) fn resolve<'s>(
        root: Message<'s>,
        path: &str,
    ) -> Result<(Vec<Field<'s>>, Self), FieldPathError> {
        let fields = field_path::resolve(root, path.split('.'))?;
        let (Some(plan), Some(field)) = (FieldPlan::of(root, &fields), fields.last().copied()) else {
            return Err(plain("the empty path names no field".to_owned()));
        };
        if !is_singular(field) {
            return Err(plain(format!("\"{path}\" is repeated")));
        }
        let none = (field.cardinality() == Cardinality::Implicit).then(|| match field.field_type() {
            FieldType::String | FieldType::Bytes => "",
            _ => "0",
        });
        let is_enum = matches!(field.field_type(), FieldType::Enum(_));
        Ok((fields, Self { plan, none, is_enum }))
    }

    /// The text of a message's field; `None` where it has no value.
    ///
    /// # Errors
    /// When the message is none of its type.
    pub fn read(
        &self,
        codec: &Codec,
        wire: &Bytes,
        options: &WriteOptions,
    ) -> Result<Option<String>, WireError> {
        let wire = value(wire.clone(), self.plan.parents())?;
        // The name of an enum's default is any; its number is zero.
        let numbers = WriteOptions { enums_as_numbers: true, ..*options };
        if self.is_enum && self.none.is_some() && self.json(codec, &wire, &numbers)? == b"0" {
            return Ok(None);
        }
        let json = self.json(codec, &wire, options)?;
        let text = match json.first() {
            Some(b'"') => serde_json::from_slice(&json).ok(),
            Some(b'-' | b'0'..=b'9') => String::from_utf8(json).ok(),
            _ => None,
        };
        Ok(text.filter(|text: &String| self.none != Some(text)))
    }

    fn json(&self, codec: &Codec, wire: &[u8], options: &WriteOptions) -> Result<Vec<u8>, WireError> {
        let mut json = Vec::with_capacity(32);
        codec.write_field(self.plan.message, self.plan.number, wire, options, &mut json)?;
        Ok(json)
    }
}

/// Why a path is of no use, where other names would not help.
pub(super) fn plain(message: String) -> FieldPathError {
    FieldPathError { message, candidates: Vec::new() }
}
