//! JSON → wire, in one pass: every value is written where it is met, in the order of the text.
//!
//! Look here for objects, arrays and how a member finds its field. Scalars are in [`scalar`], maps in
//! [`map`], the well-known types in [`well_known`] and [`structs`], the text of paths and queries in
//! [`plain_text`]. Fields on the wire may come in any order, but two values of one field would be merged:
//! so a member that comes twice is an error (protobuf's conformance suite, `FieldNameDuplicate`).

#![expect(
    clippy::inline_always,
    reason = "the place in the text stays in a register only where calls are inlined"
)]

mod field_paths;
mod lexer;
mod map;
mod plain_text;
mod scalar;
mod structs;
mod well_known;

use std::sync::atomic::Ordering::Relaxed;

use super::codec::Codec;
use super::distinct::Span;
use super::options::ReadOptions;
use super::plan::{FieldPlan, Kind, MessagePlan, Shape};
use super::problem::{JsonError, Segment, excerpt};
use super::seen::Seen;
use super::wire::{Tag, WireType, fill_length, put_tag, reserve_length};
use crate::schema::MessageId;
use lexer::{Failed, Lexer, Outcome};

pub(super) use field_paths::field_paths;
pub(super) use plain_text::read_text;

/// Reads one text into wire bytes.
struct Reader<'c, 'j> {
    codec: &'c Codec,
    options: &'c ReadOptions,
    lexer: Lexer<'j>,
    out: Vec<u8>,
    /// The keys of the maps that are open, as places in `out`.
    keys: Vec<Span>,
}

/// Where a scalar goes: its tag, and whether its default value is to be left out.
#[derive(Clone, Copy)]
struct Slot {
    tag: Tag,
    implicit: bool,
}

impl FieldPlan {
    #[inline]
    const fn slot(&self) -> Slot {
        Slot { tag: self.element_tag(), implicit: self.implicit }
    }

    /// The slot of a value that is written even where it is the default.
    #[inline]
    const fn kept(&self) -> Slot {
        Slot { tag: self.element_tag(), implicit: false }
    }
}

/// Reads the JSON of a message of this type.
pub(super) fn read(
    codec: &Codec,
    message: MessageId,
    json: &[u8],
    options: &ReadOptions,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    Reader::run(codec, json, options, out, |reader| {
        let plan = reader.codec.message_plan(message);
        reader.body(plan.kind, plan)
    })
}

/// Reads the JSON of one field's value.
pub(super) fn read_field(
    codec: &Codec,
    message: MessageId,
    number: u32,
    json: &[u8],
    options: &ReadOptions,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    Reader::run(codec, json, options, out, |reader| {
        let plan = reader.codec.message_plan(message);
        match plan.by_number(number) {
            Some(field) => {
                let value = reader.field(field, &mut Seen::default());
                reader.within(value, || Segment::Field(field.json_name.clone()))
            }
            None => reader.lexer.fail(format!("{} has no field {number}", plan.name)),
        }
    })
}

impl<'c, 'j> Reader<'c, 'j> {
    /// Runs a reading over the whole text; on an error `out` is left as it was.
    fn run(
        codec: &'c Codec,
        json: &'j [u8],
        options: &'c ReadOptions,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Self) -> Outcome,
    ) -> Result<(), JsonError> {
        let start = out.len();
        let lexer = Lexer::new(json, options.max_depth);
        let mut reader = Self { codec, options, lexer, out: std::mem::take(out), keys: Vec::new() };
        reader.out.reserve(json.len() / 2 + 32);
        let outcome = body(&mut reader).and_then(|()| reader.lexer.finish());
        *out = reader.out;
        outcome.map_err(|Failed| {
            out.truncate(start);
            reader.lexer.into_report().into_json_error()
        })
    }

    /// Adds a step to the path of a failure.
    #[inline]
    fn within<T>(&mut self, outcome: Outcome<T>, segment: impl FnOnce() -> Segment) -> Outcome<T> {
        if outcome.is_err() {
            self.lexer.trail(segment());
        }
        outcome
    }

    /// The content of a message, without tag and length.
    #[inline]
    fn body(&mut self, kind: Kind, plan: &'c MessagePlan) -> Outcome {
        match kind {
            Kind::Message => self.object(plan),
            Kind::Any => self.any(),
            Kind::Timestamp => self.timestamp(),
            Kind::Duration => self.duration(),
            Kind::FieldMask => self.field_mask(),
            Kind::Struct => self.structure(),
            Kind::Value => self.dynamic_value(),
            Kind::ListValue => self.list_value(),
            _ => self.wrapped(plan),
        }
    }

    fn object(&mut self, plan: &'c MessagePlan) -> Outcome {
        self.lexer.open(b'{', "an object")?;
        let mut seen = Seen::default();
        let mut expected = 0;
        let mut more = self.lexer.first(b'}');
        while more {
            expected = self.member(plan, expected, &mut seen)?;
            more = self.lexer.next(b'}')?;
        }
        Ok(())
    }

    /// One member of an object; gives which field is likely to come next.
    #[inline(always)]
    fn member(&mut self, plan: &'c MessagePlan, expected: usize, seen: &mut Seen) -> Outcome<usize> {
        let Some(index) = self.key(plan, expected)? else { return Ok(expected) };
        let Some(field) = plan.fields.get(index) else { return Ok(expected) };
        if !seen.insert(index) {
            let failed = self.lexer.fail(format!("duplicate field \"{}\"", field.json_name));
            return self.within(failed, || Segment::Field(field.json_name.clone()));
        }
        if self.field(field, seen).is_err() {
            self.lexer.trail(Segment::Field(field.json_name.clone()));
            return Err(Failed);
        }
        Ok(index + 1)
    }

    /// The field whose name is here, with the colon: most often the one after the last. An unknown member that
    /// is to be ignored is stepped over.
    #[inline(always)]
    fn key(&mut self, plan: &'c MessagePlan, expected: usize) -> Outcome<Option<usize>> {
        let rest = self.lexer.rest();
        match plan.fields.get(expected).and_then(|field| field.key.starts(rest)) {
            Some(length) => {
                self.lexer.pos += length;
                Ok(Some(expected))
            }
            None => self.other_key(plan),
        }
    }

    fn other_key(&mut self, plan: &'c MessagePlan) -> Outcome<Option<usize>> {
        let at = self.lexer.pos;
        let name = self.lexer.string()?;
        match plan.index_by_name(&name) {
            Some(index) => self.lexer.colon().map(|()| Some(index)),
            None if self.options.ignore_unknown => {
                self.lexer.colon()?;
                self.lexer.skip().map(|()| None)
            }
            None => {
                let name = excerpt(&name);
                let failed = self.lexer.fail_at(at, format!("{} has no field \"{name}\"", plan.name));
                self.lexer.trail(Segment::Field(name.into()));
                failed
            }
        }
    }

    /// The value of a field, behind the colon; `null` is none (ProtoJSON, "null").
    #[inline(always)]
    fn field(&mut self, field: &'c FieldPlan, seen: &mut Seen) -> Outcome {
        let null_is_value = field.kind.takes_null() && field.shape == Shape::Singular;
        if self.lexer.token() == b'n' && !null_is_value {
            return self.lexer.word("null");
        }
        if let Some(oneof) = field.oneof
            && !seen.insert(oneof as usize)
        {
            return self.lexer.fail("another field of the same oneof is set already");
        }
        match field.shape {
            Shape::Singular => self.element(field, field.slot()),
            Shape::Repeated => self.repeated(field),
            Shape::Packed => self.packed(field),
            Shape::Map => self.map(field),
        }
    }

    fn packed(&mut self, field: &'c FieldPlan) -> Outcome {
        let reserved = reserve_length(&mut self.out, field.tag, 1);
        let start = self.out.len();
        self.repeated(field)?;
        if self.out.len() == start {
            self.out.truncate(reserved.tag_start(field.tag));
        } else {
            fill_length(&mut self.out, reserved);
        }
        Ok(())
    }

    fn repeated(&mut self, field: &'c FieldPlan) -> Outcome {
        self.lexer.open(b'[', "an array")?;
        let mut index = 0;
        let mut more = self.lexer.first(b']');
        while more {
            let element = self.element(field, field.kept());
            self.within(element, || Segment::Index(index))?;
            index += 1;
            more = self.lexer.next(b']')?;
        }
        Ok(())
    }

    /// One value with its tag.
    #[inline(always)]
    fn element(&mut self, field: &'c FieldPlan, slot: Slot) -> Outcome {
        if field.kind.is_message() { self.message(field) } else { self.scalar(field, slot) }
    }

    fn message(&mut self, field: &'c FieldPlan) -> Outcome {
        let Some(id) = field.message else { return self.lexer.fail("the field has no type") };
        let plan = self.codec.message_plan(id);
        if field.delimited {
            put_tag(&mut self.out, field.tag);
            self.body(field.kind, plan)?;
            put_tag(&mut self.out, Tag::new(field.number, WireType::GroupEnd));
            return Ok(());
        }
        let room = plan.length_room.load(Relaxed);
        let reserved = reserve_length(&mut self.out, field.tag, room.into());
        self.body(field.kind, plan)?;
        let took = fill_length(&mut self.out, reserved);
        if took != usize::from(room) {
            plan.length_room.store(u8::try_from(took).unwrap_or(1), Relaxed);
        }
        Ok(())
    }

    /// A message in the message: tag, length and what `body` writes.
    fn nested(&mut self, tag: Tag, body: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let reserved = reserve_length(&mut self.out, tag, 1);
        body(self)?;
        fill_length(&mut self.out, reserved);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
