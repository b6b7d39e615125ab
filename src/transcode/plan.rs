//! Plans: what the codec has to know of a message or an enum, laid out flat for its inner loops.
//!
//! A plan is compiled from the schema when its type is first met, and never changes. Plans refer to each
//! other by the schema's ids. How values are read and written stands in `json_reader` and `json_writer`.

mod compile;

use std::sync::atomic::AtomicU8;

use super::names::Names;
use super::room::Room;
use super::wire::{Head, Tag, WireType};
use crate::schema::{EnumId, MessageId};

/// How a value is written, in JSON and on the wire. Well-known types are told apart here, when the plan is
/// compiled, never by name while a message passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum,
    /// google.protobuf.NullValue, in JSON `null`.
    NullValue,
    /// A message without a form of its own.
    Message,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// A message of google/protobuf/wrappers.proto, in JSON the value of its only field.
    Wrapper,
}

impl Kind {
    /// Whether it is a message on the wire.
    pub(super) const fn is_message(self) -> bool {
        self as u8 >= Self::Message as u8
    }

    /// Whether `null` is a value of it and not the absence of one.
    #[inline]
    pub(super) const fn takes_null(self) -> bool {
        matches!(self, Self::Value | Self::NullValue)
    }

    /// Whether it is a 64-bit integer, which is a string in JSON.
    pub(super) const fn is_long(self) -> bool {
        matches!(self, Self::Int64 | Self::Uint64 | Self::Sint64 | Self::Fixed64 | Self::Sfixed64)
    }

    /// Whether it is a varint of which 32 bits count, however many were sent (protobuf.dev "Encoding").
    pub(super) const fn is_narrow(self) -> bool {
        matches!(self, Self::Int32 | Self::Uint32 | Self::Sint32 | Self::Enum | Self::NullValue)
    }

    pub(super) const fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::String | Self::Bytes => WireType::Length,
            kind if kind.is_message() => WireType::Length,
            _ => WireType::Varint,
        }
    }
}

/// How many values a field has and how they lie on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Singular,
    /// One tag a value.
    Repeated,
    /// One tag and a length for all values.
    Packed,
    Map,
}

/// A name as it stands in a JSON text, with its quotes and the colon, to be compared with what comes.
#[derive(Clone, Debug)]
pub(super) struct Key {
    head: u128,
    mask: u128,
    text: Box<[u8]>,
}

/// The bytes of a key that are compared in one step.
const KEY_HEAD: usize = 16;

impl Key {
    /// Whether the text begins with this key; gives the key's length.
    #[inline]
    pub(super) fn starts(&self, text: &[u8]) -> Option<usize> {
        let Some(head) = text.first_chunk::<KEY_HEAD>() else { return self.starts_last(text) };
        let len = self.text.len();
        if (u128::from_le_bytes(*head) ^ self.head) & self.mask != 0 {
            return None;
        }
        if len > KEY_HEAD && text.get(KEY_HEAD..len) != self.text.get(KEY_HEAD..) {
            return None;
        }
        Some(len)
    }

    /// The same for the last bytes of a text.
    #[inline(never)]
    fn starts_last(&self, text: &[u8]) -> Option<usize> {
        text.starts_with(&self.text).then_some(self.text.len())
    }
}

/// What is written for a name: of a member with its comma, quotes and colon, of an enum's value with its
/// quotes.
#[derive(Clone, Debug)]
pub(super) struct Label {
    chunk: [u8; Self::CHUNK],
    text: Box<[u8]>,
}

impl Label {
    /// The bytes that are written in one store: most names are shorter.
    const CHUNK: usize = 32;

    #[inline]
    pub(super) fn write(&self, out: &mut Room, at: usize) -> usize {
        if self.text.len() <= Self::CHUNK {
            out.put(at, &self.chunk, self.text.len())
        } else {
            out.all(at, &self.text)
        }
    }
}

/// What is to be done with one field.
#[derive(Clone, Debug)]
pub(super) struct FieldPlan {
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    /// Whether the default value counts as none (proto3 without `optional`).
    pub(super) implicit: bool,
    /// Whether it is of a closed enum, which takes declared numbers only (proto2).
    pub(super) closed: bool,
    /// Whether it is a message between group tags.
    pub(super) delimited: bool,
    /// The bit of the message's `seen` set that its oneof has.
    pub(super) oneof: Option<u32>,
    pub(super) number: u32,
    /// The tag of the whole field; of a group, the start.
    pub(super) tag: Tag,
    pub(super) head: Head,
    /// The head of the other form of a repeated scalar, packed or not; else `head` again.
    pub(super) other_form: Head,
    pub(super) key: Key,
    pub(super) label: Label,
    pub(super) proto_label: Label,
    /// The message type, of a map its entry.
    pub(super) message: Option<MessageId>,
    pub(super) enumeration: Option<EnumId>,
    pub(super) json_name: Box<str>,
    pub(super) name: Box<str>,
}

impl FieldPlan {
    /// The tag that stands before each value: none within a packed field.
    #[inline]
    pub(super) const fn element_tag(&self) -> Tag {
        if matches!(self.shape, Shape::Packed) { Tag::NONE } else { self.tag }
    }

    /// Whether values behind this head are the field's: both forms of a repeated scalar are read
    /// (protobuf.dev "Encoding", packed repeated fields).
    #[inline]
    pub(super) fn takes(&self, head: Head) -> bool {
        head == self.head || head == self.other_form
    }

    /// Whether a message shows this field even where the wire has none and defaults are printed: all
    /// without presence are (ProtoJSON, "JSON Options").
    pub(super) const fn has_no_presence(&self) -> bool {
        self.implicit || !matches!(self.shape, Shape::Singular)
    }
}

/// What is to be done with one message type.
#[derive(Debug)]
pub(super) struct MessagePlan {
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
    /// By number, extensions included.
    pub(super) fields: Box<[FieldPlan]>,
    /// The position in `fields` of each small number.
    by_number: Box<[u32]>,
    names: Names,
    /// How many bytes the length of the last message of this type took: a guess for the next.
    pub(super) length_room: AtomicU8,
}

/// No field has this number.
const NO_FIELD: u32 = u32::MAX;

impl MessagePlan {
    /// The field that values behind this head belong to, and its position: most often `expected`.
    #[inline]
    pub(super) fn field_of(&self, head: Head, expected: usize) -> Option<(usize, &FieldPlan)> {
        match self.fields.get(expected) {
            Some(field) if field.head == head => Some((expected, field)),
            _ => self.other_field_of(head),
        }
    }

    fn other_field_of(&self, head: Head) -> Option<(usize, &FieldPlan)> {
        let index = self.index_by_number(head.number())?;
        let field = self.fields.get(index).filter(|field| field.takes(head))?;
        Some((index, field))
    }

    pub(super) fn index_by_number(&self, number: u32) -> Option<usize> {
        match self.by_number.get(number as usize) {
            Some(&NO_FIELD) => None,
            Some(&index) => Some(index as usize),
            None => self.fields.binary_search_by_key(&number, |field| field.number).ok(),
        }
    }

    /// A field by its JSON name or its name in the .proto file; the former wins.
    #[inline]
    pub(super) fn index_by_name(&self, name: &[u8]) -> Option<usize> {
        self.names.find(name).map(|index| index as usize)
    }

    pub(super) fn by_number(&self, number: u32) -> Option<&FieldPlan> {
        self.fields.get(self.index_by_number(number)?)
    }

    /// The key and the value, if this is the entry of a map.
    pub(super) fn entry_fields(&self) -> Option<(&FieldPlan, &FieldPlan)> {
        Some((self.by_number(1)?, self.by_number(2)?))
    }

    /// google.protobuf.Empty is a plain message, but some implementations write it in an Any as if it were
    /// not (ProtoJSON leaves that open).
    pub(super) fn is_empty_type(&self) -> bool {
        &*self.name == "google.protobuf.Empty"
    }
}

/// A number of an enum and its name, quoted.
#[derive(Clone, Debug)]
struct EnumLabel {
    number: i32,
    whole: Label,
    stripped: Label,
}

/// What is to be done with one enum type.
#[derive(Debug)]
pub(super) struct EnumPlan {
    pub(super) name: Box<str>,
    /// By number; of aliases the first declared.
    values: Box<[EnumLabel]>,
    /// The names as declared, without their prefix, and both in capitals.
    names: [Names; 4],
}

impl EnumPlan {
    /// The quoted name of a number.
    #[inline]
    pub(super) fn label(&self, number: i32, strip_prefix: bool) -> Option<&Label> {
        let label = match usize::try_from(number).ok().and_then(|index| self.values.get(index)) {
            Some(label) if label.number == number => label,
            _ => self.values.get(self.values.binary_search_by_key(&number, |label| label.number).ok()?)?,
        };
        Some(if strip_prefix { &label.stripped } else { &label.whole })
    }

    /// The number of a name, under the options that make more names valid.
    pub(super) fn number(&self, name: &[u8], strip_prefix: bool, ignore_case: bool) -> Option<i32> {
        let [declared, stripped, folded, folded_stripped] = &self.names;
        let mut found = declared.find(name);
        if strip_prefix {
            found = found.or_else(|| stripped.find(name));
        }
        if ignore_case && found.is_none() {
            let folded_name = name.to_ascii_uppercase();
            found = folded.find(&folded_name);
            if strip_prefix {
                found = found.or_else(|| folded_stripped.find(&folded_name));
            }
        }
        found.map(u32::cast_signed)
    }

    pub(super) fn knows(&self, number: i32) -> bool {
        self.label(number, false).is_some()
    }
}
