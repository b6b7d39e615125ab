//! Compiles the types of a schema into plans.

use std::collections::HashSet;
use std::sync::atomic::AtomicU8;

use super::{EnumLabel, EnumPlan, FieldPlan, KEY_HEAD, Key, Kind, Label, MessagePlan, NO_FIELD, Shape};
use crate::schema::{Cardinality, Enum, EnumId, Field, FieldType, Message, Schema};
use crate::transcode::names::Names;
use crate::transcode::room::Room;
use crate::transcode::text;
use crate::transcode::wire::{Head, Tag, WireType};

/// Numbers below this many times the number of fields are found by index.
const DENSITY: usize = 4;
/// The first guess of how many bytes a nested message's length takes.
const FIRST_ROOM: u8 = 1;

impl MessagePlan {
    pub(in crate::transcode) fn compile(schema: &Schema, message: Message<'_>) -> Self {
        let mut declared: Vec<Field<'_>> = message.fields().chain(message.extensions()).collect();
        declared.sort_by_key(|field| field.number());
        declared.dedup_by_key(|field| field.number());
        let first_oneof = u32::try_from(declared.len()).unwrap_or(u32::MAX / 2);
        let fields: Box<[_]> =
            declared.iter().map(|field| FieldPlan::compile(schema, message, *field, first_oneof)).collect();
        let json_names = (0..).zip(&declared).map(|(index, field)| (field.json_name(), index));
        let proto_names = (0..)
            .zip(&declared)
            .filter(|(_, field)| !is_extension(**field))
            .map(|(index, field)| (field.name(), index));
        Self {
            name: message.name().into(),
            kind: message_kind(message.name()),
            by_number: by_number(&fields),
            fields,
            names: Names::new(json_names.chain(proto_names)),
            length_room: AtomicU8::new(FIRST_ROOM),
        }
    }
}

/// Extensions are named in JSON in brackets, and in no other way.
fn is_extension(field: Field<'_>) -> bool {
    field.json_name().starts_with('[')
}

fn by_number(fields: &[FieldPlan]) -> Box<[u32]> {
    let limit = fields.len().saturating_mul(DENSITY).saturating_add(16);
    let small = fields.iter().map(|field| field.number as usize).filter(|number| *number < limit);
    let mut table = vec![NO_FIELD; small.max().map_or(0, |largest| largest + 1)];
    for (index, field) in (0..).zip(fields) {
        if let Some(slot) = table.get_mut(field.number as usize) {
            *slot = index;
        }
    }
    table.into_boxed_slice()
}

impl FieldPlan {
    fn compile(schema: &Schema, message: Message<'_>, field: Field<'_>, first_oneof: u32) -> Self {
        let kind = field_kind(schema, field.field_type());
        let shape = match field.cardinality() {
            Cardinality::Map => Shape::Map,
            Cardinality::Repeated if field.is_packed() => Shape::Packed,
            Cardinality::Repeated => Shape::Repeated,
            Cardinality::Implicit | Cardinality::Explicit | Cardinality::Required => Shape::Singular,
        };
        // Entries of maps and their values are behind lengths, whatever the file's features (protobuf.dev
        // "Feature Settings for Editions", message_encoding).
        let delimited = field.is_delimited() && !message.is_map_entry();
        let wire_type = match shape {
            Shape::Packed => WireType::Length,
            _ if delimited => WireType::GroupStart,
            _ => kind.wire_type(),
        };
        Self {
            kind,
            shape,
            implicit: field.cardinality() == Cardinality::Implicit,
            closed: enumeration(field.field_type()).is_some_and(|id| schema.enumeration(id).is_closed()),
            delimited,
            oneof: field.oneof().map(|index| first_oneof + u32::from(index)),
            number: field.number(),
            tag: Tag::new(field.number(), wire_type),
            head: Head::new(field.number(), wire_type),
            other_form: match shape {
                Shape::Packed => Head::new(field.number(), kind.wire_type()),
                Shape::Repeated if kind.wire_type() != WireType::Length => {
                    Head::new(field.number(), WireType::Length)
                }
                _ => Head::new(field.number(), wire_type),
            },
            key: Key::new(field.json_name()),
            label: Label::of_member(field.json_name()),
            proto_label: Label::of_member(if is_extension(field) { field.json_name() } else { field.name() }),
            message: field.message().map(Message::id),
            enumeration: enumeration(field.field_type()),
            json_name: field.json_name().into(),
            name: field.name().into(),
        }
    }
}

const fn enumeration(field_type: FieldType) -> Option<EnumId> {
    match field_type {
        FieldType::Enum(id) => Some(id),
        _ => None,
    }
}

fn field_kind(schema: &Schema, field_type: FieldType) -> Kind {
    match field_type {
        FieldType::Double => Kind::Double,
        FieldType::Float => Kind::Float,
        FieldType::Int64 => Kind::Int64,
        FieldType::Uint64 => Kind::Uint64,
        FieldType::Int32 => Kind::Int32,
        FieldType::Fixed64 => Kind::Fixed64,
        FieldType::Fixed32 => Kind::Fixed32,
        FieldType::Bool => Kind::Bool,
        FieldType::String => Kind::String,
        FieldType::Bytes => Kind::Bytes,
        FieldType::Uint32 => Kind::Uint32,
        FieldType::Sfixed32 => Kind::Sfixed32,
        FieldType::Sfixed64 => Kind::Sfixed64,
        FieldType::Sint32 => Kind::Sint32,
        FieldType::Sint64 => Kind::Sint64,
        FieldType::Enum(id) if schema.enumeration(id).name() == "google.protobuf.NullValue" => {
            Kind::NullValue
        }
        FieldType::Enum(_) => Kind::Enum,
        FieldType::Message(id) => message_kind(schema.message(id).name()),
    }
}

/// The types with a JSON form of their own (ProtoJSON, "Representation of each type").
fn message_kind(name: &str) -> Kind {
    match name.strip_prefix("google.protobuf.") {
        Some("Any") => Kind::Any,
        Some("Timestamp") => Kind::Timestamp,
        Some("Duration") => Kind::Duration,
        Some("FieldMask") => Kind::FieldMask,
        Some("Struct") => Kind::Struct,
        Some("Value") => Kind::Value,
        Some("ListValue") => Kind::ListValue,
        Some(
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value"
            | "BoolValue" | "StringValue" | "BytesValue",
        ) => Kind::Wrapper,
        _ => Kind::Message,
    }
}

impl Key {
    fn new(name: &str) -> Self {
        let text = quoted(name);
        let mut head = [0; KEY_HEAD];
        let mut mask = [0; KEY_HEAD];
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(&text) {
            *head = *byte;
            *mask = 0xff;
        }
        Self { head: u128::from_le_bytes(head), mask: u128::from_le_bytes(mask), text: text.into() }
    }
}

impl Label {
    fn of_member(name: &str) -> Self {
        Self::new([b",", &*quoted(name), b":"].concat())
    }

    fn of_value(name: &str) -> Self {
        Self::new(quoted(name))
    }

    fn new(text: Vec<u8>) -> Self {
        let mut chunk = [b' '; Self::CHUNK];
        for (slot, byte) in chunk.iter_mut().zip(&text) {
            *slot = *byte;
        }
        Self { chunk, text: text.into() }
    }
}

fn quoted(name: &str) -> Vec<u8> {
    let (mut out, at) = Room::new(Vec::new(), name.len() + 2);
    let end = text::write_string(&mut out, at, name.as_bytes(), 0, name.len());
    out.into_vec(end.unwrap_or(at))
}

impl EnumPlan {
    pub(in crate::transcode) fn compile(declared: Enum<'_>) -> Self {
        let prefix = prefix(declared.name());
        let names: Vec<(&str, u32)> =
            declared.values().map(|(name, number)| (name, number.cast_unsigned())).collect();
        let stripped: Vec<(&str, u32)> =
            names.iter().map(|(name, number)| (strip(name, &prefix), *number)).collect();
        Self {
            name: declared.name().into(),
            values: values(&names, &prefix),
            names: [
                Names::new(names.iter().copied()),
                Names::new(stripped.iter().copied()),
                folded(&names),
                folded(&stripped),
            ],
        }
    }
}

fn folded(names: &[(&str, u32)]) -> Names {
    let folded: Vec<(String, u32)> =
        names.iter().map(|(name, number)| (name.to_ascii_uppercase(), *number)).collect();
    Names::new(folded.iter().map(|(name, number)| (name.as_str(), *number)))
}

fn values(names: &[(&str, u32)], prefix: &str) -> Box<[EnumLabel]> {
    let mut seen = HashSet::new();
    let mut labels: Vec<_> = names
        .iter()
        .filter(|(_, number)| seen.insert(*number))
        .map(|(name, number)| EnumLabel {
            number: number.cast_signed(),
            whole: Label::of_value(name),
            stripped: Label::of_value(strip(name, prefix)),
        })
        .collect();
    labels.sort_by_key(|label| label.number);
    labels.into_boxed_slice()
}

/// `COLOR_` for `shop.v1.Color` (google.aip.dev/126: values are prefixed with the enum's name).
fn prefix(full_name: &str) -> String {
    let name = full_name.rsplit('.').next().unwrap_or_default();
    let mut prefix = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            prefix.push('_');
        }
        after_lower = !letter.is_ascii_uppercase() && letter != '_';
        prefix.push(letter.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

/// A value's name without the prefix, unless what is left would be no name.
fn strip<'n>(name: &'n str, prefix: &str) -> &'n str {
    name.strip_prefix(prefix)
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        .unwrap_or(name)
}
