//! The codec: ProtoJSON to protobuf's wire format and back, by the plans of one schema.

use std::sync::{Arc, LazyLock, OnceLock};

use super::mask::Mask;
use super::options::{ReadOptions, WriteOptions};
use super::plan::{EnumPlan, MessagePlan};
use super::problem::{JsonError, WireError};
use super::{canonical, json_reader, json_writer};
use crate::schema::{EnumId, MessageId, Schema, standard};

/// Translates the messages of one schema. Plans are compiled when a type is first met; a codec is shared
/// by all who need it.
///
/// Ids of messages must be of the codec's own schema. All methods append to `out`, and leave it as it was
/// where they fail.
#[derive(Debug)]
pub struct Codec {
    schema: Arc<Schema>,
    messages: Box<[OnceLock<MessagePlan>]>,
    enums: Box<[OnceLock<EnumPlan>]>,
}

impl Codec {
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        let messages = std::iter::repeat_with(OnceLock::new).take(schema.message_count()).collect();
        let enums = std::iter::repeat_with(OnceLock::new).take(schema.enum_count()).collect();
        Self { schema, messages, enums }
    }

    /// The codec of the standard types alone, for an Any of a type that a schema lacks.
    #[must_use]
    pub fn standard() -> &'static Arc<Self> {
        static STANDARD: LazyLock<Arc<Codec>> =
            LazyLock::new(|| Arc::new(Codec::new(Arc::clone(standard()))));
        &STANDARD
    }

    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "ids are of this schema: see the type's contract")]
    pub(super) fn message_plan(&self, id: MessageId) -> &MessagePlan {
        let slot = &self.messages[id.index()];
        slot.get_or_init(|| MessagePlan::compile(&self.schema, self.schema.message(id)))
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "ids are of this schema: see the type's contract")]
    pub(super) fn enum_plan(&self, id: EnumId) -> &EnumPlan {
        let slot = &self.enums[id.index()];
        slot.get_or_init(|| EnumPlan::compile(self.schema.enumeration(id)))
    }

    pub(super) fn message_plan_by_name(&self, name: &str) -> Option<&MessagePlan> {
        self.schema.message_by_name(name).map(|message| self.message_plan(message.id()))
    }

    /// Reads the JSON of a message: an object, or the form that its type has.
    ///
    /// # Errors
    /// JSON that is not valid or no message of this type.
    pub fn read(
        &self,
        message: MessageId,
        json: &[u8],
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        json_reader::read(self, message, json, options, out)
    }

    /// Reads the JSON of one field's value, and appends it with its tags; `null` appends nothing, as it
    /// does for a member of an object.
    ///
    /// # Errors
    /// JSON that is not valid or no value of this field, and a number that is no field.
    pub fn read_field(
        &self,
        message: MessageId,
        field: u32,
        json: &[u8],
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        json_reader::read_field(self, message, field, json, options, out)
    }

    /// Reads the text of a path capture or a query value: a scalar or a well-known type in its ProtoJSON
    /// string form without the quotes, an enum by name or number, Struct, Value and ListValue as JSON. Of
    /// a repeated field it is one element. The value is appended even where it is the default.
    ///
    /// # Errors
    /// Text that is no value of this field, and a field whose type has no text form.
    pub fn read_text(
        &self,
        message: MessageId,
        field: u32,
        text: &str,
        options: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        json_reader::read_text(self, message, field, text, options, out)
    }

    /// The paths of the fields that a JSON object sets, in the names of the .proto file. They descend into
    /// messages, and stop at repeated fields, maps, Any and the other well-known types.
    ///
    /// # Errors
    /// JSON that is not valid or names an unknown field.
    pub fn field_paths(
        &self,
        message: MessageId,
        json: &[u8],
        options: &ReadOptions,
    ) -> Result<Vec<String>, JsonError> {
        json_reader::field_paths(self, message, json, options)
    }

    /// Writes a message as JSON: an object, or the form that its type has. Members are in the order of
    /// their numbers, whatever the order on the wire.
    ///
    /// # Errors
    /// Wire bytes that are no message of this type, and values that have no form in JSON.
    pub fn write(
        &self,
        message: MessageId,
        wire: &[u8],
        options: &WriteOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        json_writer::write(self, message, wire, options, None, out)
    }

    /// Writes what a mask of this type selects of a message; the rest is stepped over unread.
    ///
    /// # Errors
    /// As those of [`Codec::write`].
    pub fn write_selected(
        &self,
        message: MessageId,
        wire: &[u8],
        options: &WriteOptions,
        mask: &Mask,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        json_writer::write(self, message, wire, options, Some(mask), out)
    }

    /// Writes an encoded `google.protobuf.Any`, whether or not the schema has that type itself.
    ///
    /// # Errors
    /// As those of [`Codec::write`].
    pub fn write_any(&self, any: &[u8], options: &WriteOptions, out: &mut Vec<u8>) -> Result<(), WireError> {
        json_writer::write_any(self, any, options, out)
    }

    /// Appends a message in canonical form: fields by number, each singular one once, repeated scalars packed
    /// or not as declared; unknown fields stay.
    ///
    /// # Errors
    /// Wire bytes that cannot be decoded as a message of this type.
    pub fn canonical(&self, message: MessageId, wire: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        canonical::canonical(self, message, wire, out)
    }

    /// Writes the value of one field of a message. A field that the wire lacks has its default value where
    /// it has no presence; else it is `{}` or `[]` if its type is always an object or an array, so that a
    /// client can read it as that type, and `null` if not.
    ///
    /// # Errors
    /// Wire bytes that are no message of this type, values that have no form in JSON, and a number that is
    /// no field.
    pub fn write_field(
        &self,
        message: MessageId,
        field: u32,
        wire: &[u8],
        options: &WriteOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        json_writer::write_field(self, message, field, wire, options, None, out)
    }

    /// Writes what a mask of this field selects of its value.
    ///
    /// # Errors
    /// As those of [`Codec::write_field`].
    pub fn write_field_selected(
        &self,
        (message, field): (MessageId, u32),
        wire: &[u8],
        options: &WriteOptions,
        mask: &Mask,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        json_writer::write_field(self, message, field, wire, options, Some(mask), out)
    }
}
