//! A field that a path variable, a query parameter or `body` names, and how a value gets into it.
//!
//! Values are written as wire bytes behind the body's: of a singular field the last value counts and
//! messages merge (protobuf encoding, "Last One Wins"), so what is bound later wins, without any tree.

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::schema::field_path::{self, FieldPathError};
use crate::schema::{Cardinality, Field, Message, MessageId};

use super::{Codec, JsonError, ReadOptions};

/// A field below a message, by the numbers that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPlan {
    /// The messages on the way, outermost first.
    parents: Box<[Parent]>,
    /// The message that has the field.
    pub message: MessageId,
    pub number: u32,
    /// The path by names as in the .proto file, for error messages.
    pub path: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    number: u32,
    delimited: bool,
}

impl FieldPlan {
    /// Resolves a path of names.
    ///
    /// # Errors
    /// When a step names no field, or something else than a singular message on the way.
    pub fn resolve<'p>(
        root: Message<'_>,
        path: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, FieldPathError> {
        let fields = field_path::resolve(root, path)?;
        Self::of(root, &fields).ok_or_else(|| FieldPathError {
            message: "the empty path names no field".to_owned(),
            candidates: Vec::new(),
        })
    }

    /// The plan of resolved fields; `None` when there are none.
    #[must_use]
    pub fn of(root: Message<'_>, fields: &[Field<'_>]) -> Option<Self> {
        let (last, parents) = fields.split_last()?;
        let message = parents.last().and_then(|field| field.message()).unwrap_or(root);
        let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
        Some(Self {
            parents: parents
                .iter()
                .map(|field| Parent { number: field.number(), delimited: field.is_delimited() })
                .collect(),
            message: message.id(),
            number: last.number(),
            path: names.join(".").into(),
        })
    }

    /// The numbers from the root to the field.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.parents.iter().map(|parent| parent.number).chain([self.number])
    }

    /// The numbers of the messages on the way.
    pub fn parents(&self) -> impl Iterator<Item = u32> {
        self.parents.iter().map(|parent| parent.number)
    }

    /// The field itself.
    #[must_use]
    pub fn field<'s>(&self, codec: &'s Codec) -> Option<Field<'s>> {
        codec.schema().message(self.message).field_by_number(self.number)
    }

    /// Writes the text of a path variable or a query value.
    ///
    /// # Errors
    /// When the text is no value of the field.
    pub fn write_text(
        &self,
        codec: &Codec,
        text: &str,
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        self.write(out, |out| codec.read_text(self.message, self.number, text, options, out))
            .map_err(|error| self.named(error))
    }

    /// Writes JSON, as the body of a request.
    ///
    /// # Errors
    /// When the JSON is no value of the field.
    pub fn write_json(
        &self,
        codec: &Codec,
        json: &[u8],
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        self.write(out, |out| codec.read_field(self.message, self.number, json, options, out))
    }

    /// Writes an encoded message.
    pub fn write_message(&self, codec: &Codec, content: &[u8], out: &mut Vec<u8>) {
        let delimited = self.field(codec).is_some_and(Field::is_delimited);
        let own = Parent { number: self.number, delimited };
        let parents: Vec<Parent> = self.parents.iter().copied().chain([own]).collect();
        put_within(&parents, content, out);
    }

    /// Writes what `value` writes, wrapped in the messages on the way.
    ///
    /// # Errors
    /// Those of `value`.
    pub fn write<E>(
        &self,
        out: &mut Vec<u8>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.parents.is_empty() {
            return value(out);
        }
        let mut content = Vec::new();
        value(&mut content)?;
        put_within(&self.parents, &content, out);
        Ok(())
    }

    fn named(&self, error: JsonError) -> JsonError {
        JsonError { path: self.path.to_string(), ..error }
    }
}

/// Writes content within messages, outermost first; it is copied once, however deep it is.
fn put_within(parents: &[Parent], content: &[u8], out: &mut Vec<u8>) {
    let mut length = content.len();
    let mut lengths = Vec::with_capacity(parents.len());
    for parent in parents.iter().rev() {
        lengths.push(length);
        let key = key_len(parent.number);
        length += if parent.delimited { 2 * key } else { key + encoded_len_varint(length as u64) };
    }
    out.reserve(length);
    for (parent, length) in parents.iter().zip(lengths.iter().rev()) {
        if parent.delimited {
            encode_key(parent.number, WireType::StartGroup, out);
        } else {
            encode_key(parent.number, WireType::LengthDelimited, out);
            encode_varint(*length as u64, out);
        }
    }
    out.extend_from_slice(content);
    for parent in parents.iter().rev().filter(|parent| parent.delimited) {
        encode_key(parent.number, WireType::EndGroup, out);
    }
}

/// Writes a length-delimited field.
pub(super) fn put_bytes(number: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// Whether a path variable may name the field: "must refer to … a non-repeated field with a primitive
/// type" (google/api/http.proto); messages with a text form (Timestamp, wrappers, …) are allowed too.
#[must_use]
pub fn is_singular(field: Field<'_>) -> bool {
    !matches!(field.cardinality(), Cardinality::Repeated | Cardinality::Map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(parents: &[(u32, bool)], content: &[u8]) -> Vec<u8> {
        let parents: Vec<_> = parents
            .iter()
            .map(|(number, delimited)| Parent { number: *number, delimited: *delimited })
            .collect();
        let mut out = b"before".to_vec();
        put_within(&parents, content, &mut out);
        out.split_off(6)
    }

    #[test]
    fn content_lies_within_messages_and_groups() {
        assert_eq!(within(&[], b"xy"), b"xy");
        assert_eq!(within(&[(1, false)], b"xy"), b"\x0a\x02xy");
        assert_eq!(within(&[(1, true)], b"xy"), b"\x0bxy\x0c");
        assert_eq!(within(&[(1, false), (2, true), (3, false)], b"xy"), b"\x0a\x06\x13\x1a\x02xy\x14");
        assert_eq!(within(&[(16, true), (1, false)], b""), b"\x83\x01\x0a\x00\x84\x01");
        // A length of two bytes counts in the lengths around it.
        let long = within(&[(1, false), (1, false)], &[7; 127]);
        assert_eq!(long.get(..5), Some(&[0x0a, 129, 1, 0x0a, 127][..]));
        let longer = within(&[(1, false), (1, false)], &[7; 128]);
        assert_eq!(longer.get(..6), Some(&[0x0a, 131, 1, 0x0a, 128, 1][..]));
    }
}
