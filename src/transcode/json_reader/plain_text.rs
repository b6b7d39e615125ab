//! The text of a path capture or a query value → wire: what ProtoJSON has in quotes, without them.

use super::lexer::Outcome;
use super::scalar::{integer_bits, is_text, sign_extended, special_float};
use super::well_known::{NANOS, SECONDS};
use super::{Reader, Slot};
use crate::schema::MessageId;
use crate::transcode::codec::Codec;
use crate::transcode::number::{self, BadNumber, Decimal};
use crate::transcode::options::ReadOptions;
use crate::transcode::plan::{FieldPlan, Kind, Shape};
use crate::transcode::problem::{JsonError, Segment};
use crate::transcode::well_known::{Time, duration, field_mask, timestamp};
use crate::transcode::wire::{Tag, WireType, put_tag};

/// Reads the text of one value of a field.
pub(in crate::transcode) fn read_text(
    codec: &Codec,
    message: MessageId,
    number: u32,
    text: &str,
    options: &ReadOptions,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    Reader::run(codec, text.as_bytes(), options, out, |reader| {
        let plan = reader.codec.message_plan(message);
        let Some(field) = plan.by_number(number) else {
            return reader.lexer.fail(format!("{} has no field {number}", plan.name));
        };
        let value = reader.text_value(field, field.text_slot());
        reader.lexer.go_to(text.len());
        reader.within(value, || Segment::Field(field.json_name.clone()))
    })
}

impl FieldPlan {
    /// Each value of a repeated field has its own tag, even where the field is packed; a default value is
    /// written, since it may have to win over another.
    fn text_slot(&self) -> Slot {
        let tag = match self.shape {
            Shape::Packed => Tag::new(self.number, self.kind.wire_type()),
            _ => self.tag,
        };
        Slot { tag, implicit: false }
    }
}

impl<'c> Reader<'c, '_> {
    fn text_value(&mut self, field: &'c FieldPlan, slot: Slot) -> Outcome {
        let text = self.lexer.json;
        match field.kind {
            Kind::String => {
                if !is_text(text) {
                    return self.lexer.fail("the text is not valid UTF-8");
                }
                self.put_text(slot.tag, text);
            }
            Kind::Bytes => {
                if !self.put_base64(slot, text) {
                    return self.lexer.fail("the text is not valid base64");
                }
            }
            Kind::Bool => match text {
                b"true" => self.put_bool(slot, true),
                b"false" => self.put_bool(slot, false),
                _ => return self.lexer.fail("expected \"true\" or \"false\""),
            },
            Kind::Double | Kind::Float => return self.text_float(field.kind, slot, text),
            Kind::Enum | Kind::NullValue => return self.text_enum(field, slot, text),
            kind if kind.is_message() => return self.text_message(field),
            kind => {
                let bits = self.text_number(text, |number| integer_bits(kind, number))?;
                self.put_integer(kind, slot, bits);
            }
        }
        Ok(())
    }

    fn text_number<T>(
        &mut self,
        text: &[u8],
        convert: impl FnOnce(&Decimal<'_>) -> Result<T, BadNumber>,
    ) -> Outcome<T> {
        match Decimal::read_all(text).and_then(|number| convert(&number)) {
            Ok(value) => Ok(value),
            Err(BadNumber::Syntax) => self.lexer.fail("expected a number"),
            Err(bad) => self.lexer.fail(bad.description()),
        }
    }

    fn text_float(&mut self, kind: Kind, slot: Slot, text: &[u8]) -> Outcome {
        match (kind, special_float(text)) {
            #[expect(clippy::cast_possible_truncation, reason = "not a number or infinite either way")]
            (Kind::Float, Some(special)) => self.put_float(slot, special as f32),
            (_, Some(special)) => self.put_double(slot, special),
            (Kind::Float, None) => {
                let value = self.text_number(text, number::float)?;
                self.put_float(slot, value);
            }
            (_, None) => {
                let value = self.text_number(text, number::double)?;
                self.put_double(slot, value);
            }
        }
        Ok(())
    }

    /// An enum by name or by number.
    fn text_enum(&mut self, field: &FieldPlan, slot: Slot, text: &[u8]) -> Outcome {
        let by_number = || {
            let number = Decimal::read_all(text).ok()?;
            integer_bits(Kind::Int32, &number).ok()
        };
        match self.enum_number(field, text).map(sign_extended).or_else(by_number) {
            Some(bits) => self.put_integer(Kind::Int32, slot, bits),
            None if field.kind == Kind::NullValue && text == b"null" => {
                self.put_integer(Kind::Int32, slot, 0);
            }
            None => return self.unknown_enum(field, text, 0),
        }
        Ok(())
    }

    fn text_message(&mut self, field: &'c FieldPlan) -> Outcome {
        if field.delimited {
            put_tag(&mut self.out, field.tag);
            self.text_body(field)?;
            put_tag(&mut self.out, Tag::new(field.number, WireType::GroupEnd));
            return Ok(());
        }
        self.nested(field.tag, |reader| reader.text_body(field))
    }

    /// Both fields, also where they are zero: messages merge, and the path has to replace a whole value.
    fn put_whole_time(&mut self, time: Time) {
        let whole = |slot| Slot { implicit: false, ..slot };
        self.put_integer(Kind::Int64, whole(SECONDS), time.seconds.cast_unsigned());
        self.put_integer(Kind::Int32, whole(NANOS), i64::from(time.nanos).cast_unsigned());
    }

    /// The content of a message that has a text form.
    fn text_body(&mut self, field: &'c FieldPlan) -> Outcome {
        let text = self.lexer.json;
        match field.kind {
            Kind::Timestamp => match timestamp::parse(text) {
                Some(time) => self.put_whole_time(time),
                None => return self.lexer.fail("the text is no valid timestamp of RFC 3339"),
            },
            Kind::Duration => match duration::parse(text) {
                Some(time) => self.put_whole_time(time),
                None => return self.lexer.fail("the text is no valid duration such as \"1.5s\""),
            },
            Kind::FieldMask => match field_mask::parse(text) {
                Some(paths) => self.put_paths(&paths),
                None => return self.lexer.fail("the text is no valid field mask"),
            },
            Kind::Wrapper => return self.text_wrapped(field),
            _ => return self.text_json(field),
        }
        Ok(())
    }

    /// The other well-known types are JSON texts themselves: Struct, Value, ListValue, Any and Empty.
    fn text_json(&mut self, field: &FieldPlan) -> Outcome {
        match field.message.map(|id| self.codec.message_plan(id)) {
            Some(plan) if field.kind != Kind::Message || plan.is_empty_type() => {
                self.body(field.kind, plan)?;
                self.lexer.finish()
            }
            _ => self.lexer.fail("a message of this type has no text form"),
        }
    }

    fn text_wrapped(&mut self, field: &'c FieldPlan) -> Outcome {
        let plan = field.message.map(|id| self.codec.message_plan(id));
        match plan.and_then(|plan| plan.by_number(1)) {
            Some(value) => self.text_value(value, value.text_slot()),
            None => self.lexer.fail("the wrapper has no value"),
        }
    }
}
