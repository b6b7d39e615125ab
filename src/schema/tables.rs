//! The flat tables that descriptors are read into, and the views that the rest of Transom sees.
//!
//! Names lie in one arena, rows refer to each other by index: all of googleapis takes some tens of
//! megabytes, and nothing in it is reference-counted.

use std::collections::HashMap;
use std::ops::Range;

use super::http_rule::HttpRule;
use crate::rpc::Kind as CallKind;

/// A span of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) start: u32,
    pub(super) end: u32,
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
    /// Length-delimited, or between group tags where [`Field::is_delimited`].
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
        self.arena.get(name.start as usize..name.end as usize).unwrap_or_default()
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

/// A message type.
#[derive(Clone, Copy, Debug)]
pub struct Message<'s> {
    schema: &'s Schema,
    id: MessageId,
    row: &'s MessageRow,
}

impl<'s> Message<'s> {
    #[must_use]
    pub const fn id(self) -> MessageId {
        self.id
    }

    /// The full name.
    #[must_use]
    pub fn name(self) -> &'s str {
        self.schema.text(self.row.name)
    }

    /// The declared fields, in order of declaration; extensions are apart.
    pub fn fields(self) -> impl Iterator<Item = Field<'s>> {
        let rows = self.schema.fields.get(span(&self.row.fields)).unwrap_or_default();
        rows.iter().map(move |row| Field { schema: self.schema, row })
    }

    /// The extensions of this message that the schema knows, by number.
    pub fn extensions(self) -> impl Iterator<Item = Field<'s>> {
        let start = self.schema.extensions.partition_point(|(message, _)| *message < self.id);
        let rest = self.schema.extensions.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |(message, _)| *message == self.id)
            .map(move |(_, row)| Field { schema: self.schema, row })
    }

    /// A declared field by its name in the .proto file or its JSON name; the former wins.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Field<'s>> {
        self.fields()
            .find(|field| field.name() == name)
            .or_else(|| self.fields().find(|field| field.json_name() == name))
    }

    /// A declared field by its number.
    #[must_use]
    pub fn field_by_number(self, number: u32) -> Option<Field<'s>> {
        self.fields().find(|field| field.number() == number)
    }

    /// The names of the oneofs, by index; synthetic ones (proto3 `optional`) are no oneofs.
    pub fn oneofs(self) -> impl Iterator<Item = &'s str> {
        let names = self.schema.oneofs.get(span(&self.row.oneofs)).unwrap_or_default();
        names.iter().map(move |name| self.schema.text(*name))
    }

    /// Whether it is the entry of a map field.
    #[must_use]
    pub const fn is_map_entry(self) -> bool {
        self.row.map_entry
    }

    /// Whether it is a proto1 MessageSet, whose extensions have a wire format of their own.
    #[must_use]
    pub const fn is_message_set(self) -> bool {
        self.row.message_set
    }
}

/// A field or an extension.
#[derive(Clone, Copy, Debug)]
pub struct Field<'s> {
    schema: &'s Schema,
    row: &'s FieldRow,
}

impl<'s> Field<'s> {
    #[must_use]
    pub const fn number(self) -> u32 {
        self.row.number
    }

    /// The name in the .proto file; of an extension the full name.
    #[must_use]
    pub fn name(self) -> &'s str {
        self.schema.text(self.row.name)
    }

    /// The name in JSON; of an extension the full name in brackets.
    #[must_use]
    pub fn json_name(self) -> &'s str {
        self.schema.text(self.row.json_name)
    }

    #[must_use]
    pub const fn field_type(self) -> FieldType {
        self.row.field_type
    }

    #[must_use]
    pub const fn cardinality(self) -> Cardinality {
        self.row.cardinality
    }

    /// The index of the oneof that it is a member of.
    #[must_use]
    pub const fn oneof(self) -> Option<u16> {
        self.row.oneof
    }

    /// Whether its values are written packed; both forms are read.
    #[must_use]
    pub const fn is_packed(self) -> bool {
        self.row.packed
    }

    /// Whether a message is written between group tags instead of behind its length.
    #[must_use]
    pub const fn is_delimited(self) -> bool {
        self.row.delimited
    }

    /// The message type of a message field (of a map: its entry).
    #[must_use]
    pub fn message(self) -> Option<Message<'s>> {
        match self.row.field_type {
            FieldType::Message(id) => Some(self.schema.message(id)),
            _ => None,
        }
    }
}

/// An enum type.
#[derive(Clone, Copy, Debug)]
pub struct Enum<'s> {
    schema: &'s Schema,
    row: &'s EnumRow,
}

impl<'s> Enum<'s> {
    /// The full name.
    #[must_use]
    pub fn name(self) -> &'s str {
        self.schema.text(self.row.name)
    }

    /// The values, in order of declaration; aliases follow the name that is printed.
    pub fn values(self) -> impl Iterator<Item = (&'s str, i32)> {
        let rows = self.schema.values.get(span(&self.row.values)).unwrap_or_default();
        rows.iter().map(move |(name, number)| (self.schema.text(*name), *number))
    }

    /// Whether numbers that it does not declare are unknown fields (proto2).
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.row.closed
    }
}

/// A method of a service.
#[derive(Clone, Copy, Debug)]
pub struct Method<'s> {
    schema: &'s Schema,
    id: MethodId,
    row: &'s MethodRow,
}

impl<'s> Method<'s> {
    #[must_use]
    pub const fn id(self) -> MethodId {
        self.id
    }

    /// The full name, such as `shop.v1.Shop.GetItem`.
    #[must_use]
    pub fn name(self) -> &'s str {
        self.schema.text(self.row.name)
    }

    /// The full name of its service.
    #[must_use]
    pub fn service(self) -> &'s str {
        self.service_row().map_or("", |row| self.schema.text(row.name))
    }

    /// The path of gRPC, such as `/shop.v1.Shop/GetItem`.
    #[must_use]
    pub fn path(self) -> String {
        let service = self.service();
        let method = self.name().get(service.len() + 1..).unwrap_or_default();
        format!("/{service}/{method}")
    }

    #[must_use]
    pub fn input(self) -> Message<'s> {
        self.schema.message(self.row.input)
    }

    #[must_use]
    pub fn output(self) -> Message<'s> {
        self.schema.message(self.row.output)
    }

    #[must_use]
    pub const fn kind(self) -> CallKind {
        self.row.kind
    }

    #[must_use]
    pub const fn idempotency(self) -> Idempotency {
        self.row.idempotency
    }

    /// The bindings of its `google.api.http` annotation, `additional_bindings` included; none where it
    /// has no annotation.
    #[must_use]
    pub fn http(self) -> &'s [HttpRule] {
        &self.row.http
    }

    /// `google.api.default_host` of its service.
    #[must_use]
    pub fn default_host(self) -> Option<&'s str> {
        self.service_row()?.default_host.map(|name| self.schema.text(name))
    }

    /// The position of its service among all services, and its own among the service's methods.
    pub(super) fn position(self) -> Option<(&'s ServiceRow, u32, u32)> {
        let service = self.service_row()?;
        Some((service, self.row.service, self.id.0.checked_sub(service.methods.start)?))
    }

    fn service_row(self) -> Option<&'s ServiceRow> {
        self.schema.services.get(self.row.service as usize)
    }
}

fn span(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}
