//! Scalars and enums of JSON, each with its range and all its spellings.

use super::lexer::Outcome;
use super::{Reader, Slot};
use crate::transcode::number::{self, BadNumber, Decimal};
use crate::transcode::plan::{FieldPlan, Kind};
use crate::transcode::problem::excerpt;
use crate::transcode::wire::{
    Tag, fill_length, put_bytes, put_fixed32, put_fixed64, put_varint, reserve_length, varint_len,
};
use crate::transcode::{base64, text};

impl Reader<'_, '_> {
    #[inline(always)]
    pub(super) fn scalar(&mut self, field: &FieldPlan, slot: Slot) -> Outcome {
        match field.kind {
            Kind::String => self.string(slot),
            Kind::Bytes => self.bytes(slot),
            Kind::Bool => self.boolean(slot),
            Kind::Enum => self.enumeration(field, slot),
            Kind::NullValue => self.null_value(slot),
            Kind::Double => self.double(slot),
            Kind::Float => self.float(slot),
            kind => self.integer(kind, slot),
        }
    }

    #[inline(always)]
    fn integer(&mut self, kind: Kind, slot: Slot) -> Outcome {
        let at = self.lexer.pos;
        let bits = match self.lexer.plain_integer() {
            Some((negative, magnitude)) => match in_range(kind, negative, magnitude) {
                Some(bits) => bits,
                None => return self.lexer.fail_at(at, BadNumber::Range.description()),
            },
            None => self.lexer.number(|number| integer_bits(kind, number))?,
        };
        self.put_integer(kind, slot, bits);
        Ok(())
    }

    /// Writes an integer as its kind lies on the wire.
    #[inline(always)]
    pub(super) fn put_integer(&mut self, kind: Kind, slot: Slot, bits: u64) {
        match kind {
            _ if bits == 0 && slot.implicit => {}
            Kind::Fixed32 | Kind::Sfixed32 => put_fixed32(&mut self.out, slot.tag, low_half(bits)),
            Kind::Fixed64 | Kind::Sfixed64 => put_fixed64(&mut self.out, slot.tag, bits),
            Kind::Sint32 | Kind::Sint64 => put_varint(&mut self.out, slot.tag, zigzag(bits)),
            _ => put_varint(&mut self.out, slot.tag, bits),
        }
    }

    #[inline(always)]
    fn double(&mut self, slot: Slot) -> Outcome {
        let value = match self.lexer.plain_double() {
            Some(value) => value,
            None => self.any_double()?,
        };
        self.put_double(slot, value);
        Ok(())
    }

    /// A double in any other spelling.
    fn any_double(&mut self) -> Outcome<f64> {
        match self.special_float()? {
            Some(special) => Ok(special),
            None => self.lexer.number(number::double),
        }
    }

    #[inline(always)]
    pub(super) fn put_double(&mut self, slot: Slot, value: f64) {
        // Minus zero is not the default.
        if value.to_bits() != 0 || !slot.implicit {
            put_fixed64(&mut self.out, slot.tag, value.to_bits());
        }
    }

    #[inline]
    fn float(&mut self, slot: Slot) -> Outcome {
        let value = match self.special_float()? {
            #[expect(clippy::cast_possible_truncation, reason = "not a number or infinite either way")]
            Some(special) => special as f32,
            None => self.lexer.number(number::float)?,
        };
        self.put_float(slot, value);
        Ok(())
    }

    #[inline]
    pub(super) fn put_float(&mut self, slot: Slot, value: f32) {
        if value.to_bits() != 0 || !slot.implicit {
            put_fixed32(&mut self.out, slot.tag, value.to_bits());
        }
    }

    /// The three values that JSON has no numbers for, in quotes.
    #[inline]
    fn special_float(&mut self) -> Outcome<Option<f64>> {
        if self.lexer.token() != b'"' {
            return Ok(None);
        }
        let at = self.lexer.pos;
        let special = special_float(&self.lexer.string()?);
        if special.is_none() {
            self.lexer.pos = at;
        }
        Ok(special)
    }

    #[inline(always)]
    fn boolean(&mut self, slot: Slot) -> Outcome {
        let value = self.lexer.boolean()?;
        self.put_bool(slot, value);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn put_bool(&mut self, slot: Slot, value: bool) {
        if value || !slot.implicit {
            put_varint(&mut self.out, slot.tag, value.into());
        }
    }

    #[inline(always)]
    pub(super) fn string(&mut self, slot: Slot) -> Outcome {
        match self.lexer.plain_string()? {
            Some((start, end)) if start < end || !slot.implicit => {
                put_bytes(&mut self.out, slot.tag, self.lexer.json, start, end);
                Ok(())
            }
            Some(_) => Ok(()),
            None => self.escaped_string(slot.tag),
        }
    }

    /// A string with escapes is never empty.
    fn escaped_string(&mut self, tag: Tag) -> Outcome {
        let reserved = reserve_length(&mut self.out, tag, 1);
        self.lexer.unescape(&mut self.out)?;
        fill_length(&mut self.out, reserved);
        Ok(())
    }

    fn bytes(&mut self, slot: Slot) -> Outcome {
        let at = self.lexer.pos;
        let encoded = self.lexer.string()?;
        if self.put_base64(slot, &encoded) {
            return Ok(());
        }
        self.lexer.fail_at(at, "the string is not valid base64")
    }

    /// Writes what base64 stands for; false if it is no base64.
    pub(super) fn put_base64(&mut self, slot: Slot, encoded: &[u8]) -> bool {
        if encoded.is_empty() && slot.implicit {
            return true;
        }
        let room = varint_len(encoded.len() as u64 / 4 * 3);
        let reserved = reserve_length(&mut self.out, slot.tag, room);
        let valid = base64::decode(encoded, &mut self.out);
        fill_length(&mut self.out, reserved);
        valid
    }

    fn enumeration(&mut self, field: &FieldPlan, slot: Slot) -> Outcome {
        if self.lexer.token() != b'"' {
            let bits = self.lexer.number(|number| integer_bits(Kind::Int32, number))?;
            self.put_integer(Kind::Int32, slot, bits);
            return Ok(());
        }
        let at = self.lexer.pos;
        let name = self.lexer.string()?;
        match self.enum_number(field, &name) {
            Some(number) => self.put_integer(Kind::Int32, slot, sign_extended(number)),
            None if self.options.ignore_unknown => {}
            None => return self.unknown_enum(field, &name, at),
        }
        Ok(())
    }

    pub(super) fn enum_number(&self, field: &FieldPlan, name: &[u8]) -> Option<i32> {
        let options = self.options;
        let plan = self.codec.enum_plan(field.enumeration?);
        plan.number(name, options.enum_strip_prefix, options.enum_ignore_case)
    }

    #[cold]
    pub(super) fn unknown_enum(&mut self, field: &FieldPlan, name: &[u8], at: usize) -> Outcome {
        let enumeration = field.enumeration.map_or("the enum", |id| &*self.codec.enum_plan(id).name);
        let description = format!("{enumeration} has no value \"{}\"", excerpt(name));
        self.lexer.fail_at(at, description)
    }

    /// `null`; its name and number are read too.
    fn null_value(&mut self, slot: Slot) -> Outcome {
        match self.lexer.token() {
            b'n' => self.lexer.word("null")?,
            b'"' if &*self.lexer.string()? == b"NULL_VALUE" => {}
            b'0' => self.lexer.number(|number| integer_bits(Kind::NullValue, number)).map(drop)?,
            _ => return self.lexer.expected("null"),
        }
        if !slot.implicit {
            put_varint(&mut self.out, slot.tag, 0);
        }
        Ok(())
    }
}

/// An integer as 64 bits, sign-extended, if it is in the range of its kind.
#[inline]
pub(super) fn integer_bits(kind: Kind, number: &Decimal<'_>) -> Result<u64, BadNumber> {
    in_range(kind, number.negative, number.magnitude()?).ok_or(BadNumber::Range)
}

/// An integer as 64 bits, sign-extended; none if it is out of the range of its kind.
#[inline]
fn in_range(kind: Kind, negative: bool, magnitude: u64) -> Option<u64> {
    let (most, least) = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (i32::MAX as u64, 1 << 31),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (i64::MAX as u64, 1 << 63),
        Kind::Uint32 | Kind::Fixed32 => (u32::MAX.into(), 0),
        Kind::NullValue => (0, 0),
        _ => (u64::MAX, 0),
    };
    let bits = if negative { magnitude.wrapping_neg() } else { magnitude };
    (magnitude <= if negative { least } else { most }).then_some(bits)
}

pub(super) fn special_float(text: &[u8]) -> Option<f64> {
    match text {
        b"NaN" => Some(f64::NAN),
        b"Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The 64 bits that a negative enum number or int32 has on the wire.
pub(super) fn sign_extended(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

#[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
const fn low_half(bits: u64) -> u32 {
    bits as u32
}

/// Small magnitudes as small numbers (protobuf.dev "Encoding", signed integers).
const fn zigzag(bits: u64) -> u64 {
    (bits << 1) ^ (bits.cast_signed() >> 63).cast_unsigned()
}

/// Checks text that comes from elsewhere than a JSON text.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    text::is_utf8(bytes)
}
