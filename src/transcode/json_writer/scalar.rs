//! Scalars and enums of the wire, as JSON.

use super::{Behind, Outcome, Writer};
use crate::transcode::plan::{FieldPlan, Kind, Shape};
use crate::transcode::wire::Cursor;
use crate::transcode::{base64, decimal, text};

impl<'w> Writer<'_, 'w> {
    #[inline(always)]
    pub(super) fn scalar(
        &mut self,
        field: &FieldPlan,
        mut cursor: Cursor<'w>,
        at: usize,
    ) -> Outcome<Behind<'w>> {
        let at = match field.kind {
            Kind::String => self.string(cursor.delimited()?, at)?,
            Kind::Bytes => self.bytes(cursor.delimited()?.rest(), at),
            Kind::Bool => self.boolean(cursor.varint()? != 0, at),
            Kind::Enum => self.enumeration(field, int32(cursor.varint()?), at),
            Kind::Double => self.double(f64::from_le_bytes(cursor.fixed64()?), at),
            Kind::Float => self.float(f32::from_le_bytes(cursor.fixed32()?), at),
            Kind::Int32 => self.number(int32(cursor.varint()?).into(), at),
            Kind::Uint32 => self.number(uint32(cursor.varint()?).into(), at),
            Kind::Sint32 => self.number(zigzag32(uint32(cursor.varint()?)).into(), at),
            Kind::Fixed32 => self.number(u32::from_le_bytes(cursor.fixed32()?).into(), at),
            Kind::Sfixed32 => self.number(i32::from_le_bytes(cursor.fixed32()?).into(), at),
            Kind::Int64 => self.long(cursor.varint()?.cast_signed(), at),
            Kind::Sint64 => self.long(zigzag64(cursor.varint()?), at),
            Kind::Sfixed64 => self.long(i64::from_le_bytes(cursor.fixed64()?), at),
            Kind::Fixed64 => self.unsigned_long(u64::from_le_bytes(cursor.fixed64()?), at),
            Kind::NullValue => {
                cursor.varint()?;
                self.out.fixed(at, b"null")
            }
            _ => self.unsigned_long(cursor.varint()?, at),
        };
        Ok((cursor, at))
    }

    #[inline(always)]
    fn number(&mut self, value: i64, at: usize) -> usize {
        decimal::signed(&mut self.out, at, value)
    }

    /// A 64-bit integer: a string, since JavaScript has no such numbers (ProtoJSON, "int64").
    #[inline(always)]
    fn long(&mut self, value: i64, at: usize) -> usize {
        let at = self.quote_long(at);
        let at = decimal::signed(&mut self.out, at, value);
        self.quote_long(at)
    }

    #[inline(always)]
    fn unsigned_long(&mut self, value: u64, at: usize) -> usize {
        let at = self.quote_long(at);
        let at = decimal::unsigned(&mut self.out, at, value);
        self.quote_long(at)
    }

    #[inline(always)]
    fn quote_long(&mut self, at: usize) -> usize {
        if self.options.int64_as_number { at } else { self.out.byte(at, b'"') }
    }

    #[inline(always)]
    pub(super) fn double(&mut self, value: f64, at: usize) -> usize {
        if value.is_finite() {
            decimal::double(&mut self.out, at, value)
        } else {
            self.special_float(value, at)
        }
    }

    fn float(&mut self, value: f32, at: usize) -> usize {
        if value.is_finite() {
            decimal::float(&mut self.out, at, value)
        } else {
            self.special_float(value.into(), at)
        }
    }

    #[cold]
    fn special_float(&mut self, value: f64, at: usize) -> usize {
        match value {
            _ if value.is_nan() => self.out.fixed(at, b"\"NaN\""),
            _ if value > 0.0 => self.out.fixed(at, b"\"Infinity\""),
            _ => self.out.fixed(at, b"\"-Infinity\""),
        }
    }

    #[inline(always)]
    pub(super) fn boolean(&mut self, value: bool, at: usize) -> usize {
        if value { self.out.fixed(at, b"true") } else { self.out.fixed(at, b"false") }
    }

    #[inline(always)]
    pub(super) fn string(&mut self, content: Cursor<'w>, at: usize) -> Outcome {
        match text::write_string(&mut self.out, at, self.whole, content.pos(self.whole), content.rest().len())
        {
            Some(at) => Ok(at),
            None => self.fail("the string is not valid UTF-8"),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8], at: usize) -> usize {
        let at = self.out.byte(at, b'"');
        let at = base64::encode(&mut self.out, at, bytes);
        self.out.byte(at, b'"')
    }

    #[inline(always)]
    fn enumeration(&mut self, field: &FieldPlan, number: i32, at: usize) -> usize {
        let plan = field.enumeration.filter(|_| !self.options.enums_as_numbers);
        let plan = plan.map(|id| self.codec.enum_plan(id));
        match plan.and_then(|plan| plan.label(number, self.options.enum_strip_prefix)) {
            Some(label) => label.write(&mut self.out, at),
            None => self.number(number.into(), at),
        }
    }

    /// The value of a field that is not on the wire.
    pub(super) fn default_value(&mut self, field: &FieldPlan, at: usize) -> usize {
        match (field.shape, field.kind) {
            (Shape::Map, _) => self.out.fixed(at, b"{}"),
            (Shape::Repeated | Shape::Packed, _) => self.out.fixed(at, b"[]"),
            (Shape::Singular, _) => self.default_scalar(field, at),
        }
    }

    fn default_scalar(&mut self, field: &FieldPlan, at: usize) -> usize {
        match field.kind {
            Kind::String | Kind::Bytes => self.out.fixed(at, b"\"\""),
            Kind::Bool => self.boolean(false, at),
            Kind::Enum => self.enumeration(field, 0, at),
            kind if kind.is_long() => self.unsigned_long(0, at),
            Kind::Struct | Kind::Message | Kind::Any => self.out.fixed(at, b"{}"),
            Kind::ListValue => self.out.fixed(at, b"[]"),
            Kind::NullValue
            | Kind::Value
            | Kind::Wrapper
            | Kind::Timestamp
            | Kind::Duration
            | Kind::FieldMask => self.out.fixed(at, b"null"),
            _ => self.out.byte(at, b'0'),
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
