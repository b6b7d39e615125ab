//! The views of a [`Schema`] that the rest of Transom sees: messages, fields, enums and methods.
//!
//! A view is two references; it is made on demand and copied freely.

use std::ops::Range;

use super::http_rule::HttpRule;
use super::tables::{
    Cardinality, EnumRow, FieldRow, FieldType, Idempotency, MessageId, MessageRow, MethodId, MethodRow,
    Schema, ServiceRow,
};
use crate::rpc::Kind as CallKind;

/// A message type.
#[derive(Clone, Copy, Debug)]
pub struct Message<'s> {
    pub(super) schema: &'s Schema,
    pub(super) id: MessageId,
    pub(super) row: &'s MessageRow,
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
    pub(super) schema: &'s Schema,
    pub(super) row: &'s FieldRow,
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
    pub(super) schema: &'s Schema,
    pub(super) row: &'s EnumRow,
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
    pub(super) schema: &'s Schema,
    pub(super) id: MethodId,
    pub(super) row: &'s MethodRow,
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
