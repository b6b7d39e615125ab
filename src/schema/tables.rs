//! The flat tables that descriptors are read into.
//!
//! Names lie in one arena, rows refer to each other by index: all of googleapis takes some tens of
//! megabytes, and nothing in it is reference-counted.

use std::collections::HashMap;
use std::ops::Range;

use super::http_rule::HttpRule;
use super::views::{Enum, Message, Method};
use crate::rpc::Kind as CallKind;

/// A span of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Name {
    /// The text that it spans; nothing where it is of another arena.
    pub(super) fn of(self, arena: &str) -> &str {
        arena.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(super) u32);

        impl $name {
            /// The position in the schema's table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A message type of a [`Schema`].
    MessageId
}
id! {
    /// An enum type of a [`Schema`].
    EnumId
}
id! {
    /// A method of a [`Schema`].
    MethodId
}

/// What a full name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Message(MessageId),
    Enum(EnumId),
    Service(u32),
    Method(MethodId),
    /// An extension: known only to find duplicates.
    Other,
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Message(_) => "a message",
            Self::Enum(_) => "an enum",
            Self::Service(_) => "a service",
            Self::Method(_) => "a method",
            Self::Other => "an extension",
        })
    }
}

/// The type of a field (google.protobuf.FieldDescriptorProto.Type); a group is a delimited message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
    Enum(EnumId),
    /// Length-delimited, or between group tags where [`super::Field::is_delimited`].
    Message(MessageId),
}

/// How many values a field has, and when it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// At most one, and the default value counts as none (proto3 without `optional`).
    Implicit,
    /// At most one, present or not.
    Explicit,
    /// Exactly one (proto2).
    Required,
    /// Any number.
    Repeated,
    /// Any number of entries; the type is the entry message with the fields 1 and 2.
    Map,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FieldRow {
    pub(super) number: u32,
    pub(super) name: Name,
    pub(super) json_name: Name,
    pub(super) field_type: FieldType,
    pub(super) cardinality: Cardinality,
    pub(super) oneof: Option<u16>,
    pub(super) packed: bool,
    pub(super) delimited: bool,
}

#[derive(Clone, Debug)]
pub(super) struct MessageRow {
    pub(super) name: Name,
    pub(super) fields: Range<u32>,
    pub(super) oneofs: Range<u32>,
    pub(super) map_entry: bool,
    pub(super) message_set: bool,
}

#[derive(Clone, Debug)]
pub(super) struct EnumRow {
    pub(super) name: Name,
    pub(super) values: Range<u32>,
    pub(super) closed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ServiceRow {
    pub(super) name: Name,
    pub(super) file: u32,
    pub(super) methods: Range<u32>,
    pub(super) default_host: Option<Name>,
}

#[derive(Clone, Debug)]
pub(super) struct MethodRow {
    pub(super) name: Name,
    pub(super) service: u32,
    pub(super) input: MessageId,
    pub(super) output: MessageId,
    pub(super) kind: CallKind,
    pub(super) idempotency: Idempotency,
    pub(super) http: Box<[HttpRule]>,
}

/// google.protobuf.MethodOptions.IdempotencyLevel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    #[default]
    Unknown,
    NoSideEffects,
    Idempotent,
}

#[derive(Clone, Debug)]
pub(super) struct FileRow {
    pub(super) name: Box<str>,
    /// An encoded `SourceCodeInfo`; empty where the set has none.
    pub(super) source_info: bytes::Bytes,
}

/// Everything that the descriptors say, as far as a gateway asks.
#[derive(Debug, Default)]
pub struct Schema {
    pub(super) arena: String,
    pub(super) symbols: HashMap<Box<str>, Symbol>,
    pub(super) files: Vec<FileRow>,
    pub(super) messages: Vec<MessageRow>,
    pub(super) fields: Vec<FieldRow>,
    pub(super) oneofs: Vec<Name>,
    pub(super) enums: Vec<EnumRow>,
    pub(super) values: Vec<(Name, i32)>,
    pub(super) services: Vec<ServiceRow>,
    pub(super) methods: Vec<MethodRow>,
    /// Sorted by extended message, then number.
    pub(super) extensions: Vec<(MessageId, FieldRow)>,
}

impl Schema {
    pub(super) fn text(&self, name: Name) -> &str {
        name.of(&self.arena)
    }

    /// The full name of a field by its place in the table; found by a search, for problems alone.
    pub(super) fn full_field_name(&self, field: u32) -> String {
        let name = self.fields.get(field as usize).map(|row| self.text(row.name)).unwrap_or_default();
        let message = self.messages.iter().find(|message| message.fields.contains(&field));
        message.map_or_else(|| name.to_owned(), |message| format!("{}.{name}", self.text(message.name)))
    }

    /// Gives back what the tables have grown beyond their rows: a schema lives as long as its snapshot.
    pub(super) fn shrink(&mut self) {
        self.arena.shrink_to_fit();
        self.symbols.shrink_to_fit();
        self.files.shrink_to_fit();
        self.messages.shrink_to_fit();
        self.fields.shrink_to_fit();
        self.oneofs.shrink_to_fit();
        self.enums.shrink_to_fit();
        self.values.shrink_to_fit();
        self.services.shrink_to_fit();
        self.methods.shrink_to_fit();
        self.extensions.shrink_to_fit();
    }

    /// A message type by its id, which must be of this schema.
    ///
    /// # Panics
    /// When the id is of another, larger schema.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by the builder, which checks them")]
    pub fn message(&self, id: MessageId) -> Message<'_> {
        Message { schema: self, id, row: &self.messages[id.index()] }
    }

    /// An enum type by its id, which must be of this schema.
    ///
    /// # Panics
    /// When the id is of another, larger schema.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by the builder, which checks them")]
    pub fn enumeration(&self, id: EnumId) -> Enum<'_> {
        Enum { schema: self, row: &self.enums[id.index()] }
    }

    /// A method by its id, which must be of this schema.
    ///
    /// # Panics
    /// When the id is of another, larger schema.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "ids are made by the builder, which checks them")]
    pub fn method(&self, id: MethodId) -> Method<'_> {
        Method { schema: self, id, row: &self.methods[id.index()] }
    }

    /// A message type by its full name, such as `google.protobuf.Any`.
    #[must_use]
    pub fn message_by_name(&self, name: &str) -> Option<Message<'_>> {
        match self.symbols.get(name)? {
            Symbol::Message(id) => Some(self.message(*id)),
            _ => None,
        }
    }

    /// A method by its full name, such as `shop.v1.Shop.GetItem`.
    #[must_use]
    pub fn method_by_name(&self, name: &str) -> Option<Method<'_>> {
        match self.symbols.get(name)? {
            Symbol::Method(id) => Some(self.method(*id)),
            _ => None,
        }
    }

    /// Whether there is a service of this full name.
    #[must_use]
    pub fn has_service(&self, name: &str) -> bool {
        matches!(self.symbols.get(name), Some(Symbol::Service(_)))
    }

    /// The full names of all services, in the schema's order.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|row| self.text(row.name))
    }

    /// Every method, in the schema's order.
    pub fn methods(&self) -> impl Iterator<Item = Method<'_>> {
        (0..).zip(&self.methods).map(|(id, row)| Method { schema: self, id: MethodId(id), row })
    }

    /// How many message types there are; ids are below.
    #[must_use]
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    /// How many enum types there are; ids are below.
    #[must_use]
    pub fn enum_count(&self) -> usize {
        self.enums.len()
    }
}
