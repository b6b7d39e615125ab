//! Scalars and enums of the wire, as JSON.

use super::{Outcome, Writer};
use crate::transcode::plan::{FieldPlan, Kind, Shape};
use crate::transcode::wire::{Cursor, put_quoted, put_short};
use crate::transcode::{base64, text};

impl<'w> Writer<'_, 'w> {
    #[inline]
    pub(super) fn scalar(&mut self, field: &FieldPlan, cursor: &mut Cursor<'w>) -> Outcome {
        match field.kind {
            Kind::String => return self.string(cursor),
            Kind::Bytes => self.bytes(cursor.delimited()?.rest()),
            Kind::Bool => self.boolean(cursor.varint()? != 0),
            Kind::Enum => self.enumeration(field, int32(cursor.varint()?)),
            Kind::NullValue => {
                cursor.varint()?;
                self.out.extend_from_slice(b"null");
            }
            Kind::Double => self.double(f64::from_le_bytes(cursor.fixed64()?)),
            Kind::Float => self.float(f32::from_le_bytes(cursor.fixed32()?)),
            kind => self.integer(kind, cursor)?,
        }
        Ok(())
    }

    #[inline]
    fn integer(&mut self, kind: Kind, cursor: &mut Cursor<'w>) -> Outcome {
        match kind {
            Kind::Int32 => self.number(int32(cursor.varint()?)),
            Kind::Uint32 => self.number(uint32(cursor.varint()?)),
            Kind::Sint32 => self.number(zigzag32(uint32(cursor.varint()?))),
            Kind::Fixed32 => self.number(u32::from_le_bytes(cursor.fixed32()?)),
            Kind::Sfixed32 => self.number(i32::from_le_bytes(cursor.fixed32()?)),
            Kind::Int64 => self.long(cursor.varint()?.cast_signed()),
            Kind::Sint64 => self.long(zigzag64(cursor.varint()?)),
            Kind::Fixed64 => self.long(u64::from_le_bytes(cursor.fixed64()?)),
            Kind::Sfixed64 => self.long(i64::from_le_bytes(cursor.fixed64()?)),
            _ => self.long(cursor.varint()?),
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self, value: impl itoa::Integer) {
        put_short(&mut self.out, itoa::Buffer::new().format(value).as_bytes());
    }

    /// A 64-bit integer: a string, since JavaScript has no such numbers (ProtoJSON, "int64").
    #[inline]
    fn long(&mut self, value: impl itoa::Integer) {
        if self.options.int64_as_number {
            return self.number(value);
        }
        put_quoted(&mut self.out, itoa::Buffer::new().format(value).as_bytes());
    }

    #[inline]
    pub(super) fn double(&mut self, value: f64) {
        if value.is_finite() {
            self.decimal(zmij::Buffer::new().format_finite(value));
        } else {
            self.special_float(value);
        }
    }

    #[inline]
    fn float(&mut self, value: f32) {
        if value.is_finite() {
            self.decimal(zmij::Buffer::new().format_finite(value));
        } else {
            self.special_float(value.into());
        }
    }

    /// A whole number is written without a point, as other implementations do.
    #[inline]
    fn decimal(&mut self, digits: &str) {
        put_short(&mut self.out, digits.strip_suffix(".0").unwrap_or(digits).as_bytes());
    }

    #[cold]
    fn special_float(&mut self, value: f64) {
        let name: &[u8] = match value {
            _ if value.is_nan() => b"\"NaN\"",
            _ if value > 0.0 => b"\"Infinity\"",
            _ => b"\"-Infinity\"",
        };
        self.out.extend_from_slice(name);
    }

    #[inline]
    pub(super) fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    #[inline]
    pub(super) fn string(&mut self, cursor: &mut Cursor<'w>) -> Outcome {
        let content = cursor.delimited()?;
        let (start, end) = (content.pos(), cursor.pos());
        if text::write_string(&mut self.out, self.whole, start, end) || text::is_utf8(content.rest()) {
            return Ok(());
        }
        self.fail("the string is not valid UTF-8")
    }

    /// A string as an element of an array, with its comma.
    #[inline]
    pub(super) fn string_element(&mut self, cursor: &mut Cursor<'w>) -> Outcome {
        let content = cursor.delimited()?;
        let (start, end) = (content.pos(), cursor.pos());
        if text::write_element(&mut self.out, self.whole, start, end) || text::is_utf8(content.rest()) {
            return Ok(());
        }
        self.fail("the string is not valid UTF-8")
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        base64::encode(bytes, &mut self.out);
        self.out.push(b'"');
    }

    #[inline]
    fn enumeration(&mut self, field: &FieldPlan, number: i32) {
        let plan = field.enumeration.filter(|_| !self.options.enums_as_numbers);
        let plan = plan.map(|id| self.codec.enum_plan(id));
        match plan.and_then(|plan| plan.label(number, self.options.enum_strip_prefix)) {
            Some(label) => put_short(&mut self.out, label),
            None => self.number(number),
        }
    }

    /// The value of a field that is not on the wire.
    pub(super) fn default_value(&mut self, field: &FieldPlan) {
        match (field.shape, field.kind) {
            (Shape::Map, _) => self.out.extend_from_slice(b"{}"),
            (Shape::Repeated | Shape::Packed, _) => self.out.extend_from_slice(b"[]"),
            (Shape::Singular, _) => self.default_scalar(field),
        }
    }

    fn default_scalar(&mut self, field: &FieldPlan) {
        match field.kind {
            Kind::String | Kind::Bytes => self.out.extend_from_slice(b"\"\""),
            Kind::Bool => self.boolean(false),
            Kind::Enum => self.enumeration(field, 0),
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => self.long(0_u64),
            Kind::Struct | Kind::Message | Kind::Any => self.out.extend_from_slice(b"{}"),
            Kind::ListValue => self.out.extend_from_slice(b"[]"),
            Kind::NullValue
            | Kind::Value
            | Kind::Wrapper
            | Kind::Timestamp
            | Kind::Duration
            | Kind::FieldMask => self.out.extend_from_slice(b"null"),
            _ => self.out.push(b'0'),
        }
    }
}

/// The low bits of a varint (protobuf.dev "Encoding": 64-bit varints of 32-bit fields are cut).
#[expect(clippy::cast_possible_truncation, reason = "cut on purpose")]
pub(super) const fn uint32(bits: u64) -> u32 {
    bits as u32
}

pub(super) const fn int32(bits: u64) -> i32 {
    uint32(bits).cast_signed()
}

const fn zigzag32(bits: u32) -> i32 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

const fn zigzag64(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}
