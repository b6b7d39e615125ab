//! Wire → JSON, in one pass as long as the wire is in order.
//!
//! Serializers write fields by number and all values of a field together, and then each field can be
//! printed where it is met. The wire format allows more: interleaved fields, a message in several parts
//! that are merged, a oneof set twice, a map key twice (protobuf.dev "Encoding", "Last One Wins"). The
//! first such thing ends the pass, and [`gather`] does it again from the beginning, field by field: each
//! message is then read once more, never more often, however messages nest.
//!
//! Look here for members and lists. Scalars are in [`scalar`], maps in [`map`], the well-known types in
//! [`well_known`] and [`structs`]. Members and elements are written with the comma before them; the first
//! comma becomes the opening bracket.

mod gather;
mod map;
mod scalar;
mod structs;
mod well_known;

use std::borrow::Cow;
use std::ops::Range;

use super::codec::Codec;
use super::distinct::Span;
use super::mask::{Mask, Selection};
use super::options::WriteOptions;
use super::plan::{FieldPlan, Kind, MessagePlan, Shape};
use super::problem::{Report, Segment, WireError};
use super::seen::Seen;
use super::wire::{Broken, Cursor, Head, WireType};
use crate::schema::MessageId;

/// Why writing ended.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// What, is in [`Writer::report`].
    Reported,
    Broken(Broken),
    /// The wire is in no order for one pass.
    Disorder,
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

type Outcome<T = ()> = Result<T, Fault>;

/// Writes one message as JSON.
struct Writer<'c, 'w> {
    codec: &'c Codec,
    options: &'c WriteOptions,
    /// The whole input; all cursors are places in it.
    whole: &'w [u8],
    out: Vec<u8>,
    /// How many objects and arrays are open.
    depth: usize,
    /// Whether the wire is in disorder, so that all messages are gathered.
    gathering: bool,
    /// What is selected of the message at hand; `None` for all of it.
    selection: Option<&'c Selection>,
    /// The keys of the maps that are open, as places in `out`.
    keys: Vec<Span>,
    report: Report,
}

/// Writes a message.
pub(super) fn write(
    codec: &Codec,
    message: MessageId,
    wire: &[u8],
    options: &WriteOptions,
    mask: Option<&Mask>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    Writer::run(codec, wire, options, out, |writer| {
        let plan = writer.codec.message_plan(message);
        writer.selection = mask.and_then(Mask::selection);
        writer.body(plan.kind, plan, &[Cursor::new(wire)])
    })
}

/// Writes the value of one field of a message.
pub(super) fn write_field(
    codec: &Codec,
    message: MessageId,
    number: u32,
    wire: &[u8],
    options: &WriteOptions,
    mask: Option<&Mask>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    Writer::run(codec, wire, options, out, |writer| {
        let plan = writer.codec.message_plan(message);
        writer.selection = mask.and_then(Mask::selection);
        writer.single_field(plan, number, Cursor::new(wire))
    })
}

/// Writes an Any.
pub(super) fn write_any(
    codec: &Codec,
    wire: &[u8],
    options: &WriteOptions,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    Writer::run(codec, wire, options, out, |writer| writer.any(&[Cursor::new(wire)]))
}

impl<'c, 'w> Writer<'c, 'w> {
    /// Runs a writing; on an error `out` is left as it was.
    fn run(
        codec: &'c Codec,
        wire: &'w [u8],
        options: &'c WriteOptions,
        out: &mut Vec<u8>,
        body: impl Fn(&mut Self) -> Outcome,
    ) -> Result<(), WireError> {
        let start = out.len();
        let mut writer = Self {
            codec,
            options,
            whole: wire,
            out: std::mem::take(out),
            depth: 0,
            gathering: false,
            selection: None,
            keys: Vec::new(),
            report: Report::default(),
        };
        writer.out.reserve(wire.len() * 2 + 64);
        let mut outcome = body(&mut writer);
        if matches!(outcome, Err(Fault::Disorder)) {
            writer.begin_again(codec, start);
            outcome = body(&mut writer);
        }
        *out = writer.out;
        outcome.map_err(|fault| {
            out.truncate(start);
            let mut report = writer.report;
            if let Fault::Broken(broken) = fault {
                report.description = broken.description().into();
            }
            report.into_wire_error()
        })
    }

    fn begin_again(&mut self, codec: &'c Codec, start: usize) {
        self.out.truncate(start);
        self.codec = codec;
        self.depth = 0;
        self.gathering = true;
        self.keys.clear();
        self.report = Report::default();
    }

    /// Says what is wrong here.
    #[cold]
    fn fail<T>(&mut self, description: impl Into<Cow<'static, str>>) -> Outcome<T> {
        self.report.description = description.into();
        Err(Fault::Reported)
    }

    /// Adds a step to the path of a failure.
    #[inline]
    fn within<T>(&mut self, outcome: Outcome<T>, segment: impl FnOnce() -> Segment) -> Outcome<T> {
        if outcome.is_err() {
            self.report.push(segment());
        }
        outcome
    }

    #[inline]
    fn enter(&mut self) -> Outcome {
        if self.depth >= self.options.max_depth {
            let limit = self.options.max_depth;
            return self.fail(format!("the message is nested deeper than {limit} levels"));
        }
        self.depth += 1;
        Ok(())
    }

    /// Closes what was opened at `start`: its first comma becomes the bracket.
    #[inline]
    fn leave(&mut self, start: usize, [open, close]: [u8; 2]) {
        self.depth -= 1;
        match self.out.get_mut(start) {
            Some(comma) => *comma = open,
            None => self.out.push(open),
        }
        self.out.push(close);
    }

    /// The content of a message, which may be in several parts.
    #[inline]
    fn body(&mut self, kind: Kind, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        match kind {
            Kind::Message => self.object(plan, parts),
            Kind::Any => self.any(parts),
            Kind::Timestamp => self.timestamp(parts),
            Kind::Duration => self.duration(parts),
            Kind::FieldMask => self.field_mask(parts),
            Kind::Struct => self.structure(plan, parts),
            Kind::Value => self.dynamic_value(plan, parts),
            Kind::ListValue => self.list_value(plan, parts),
            _ => self.wrapped(plan, parts),
        }
    }

    fn object(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        self.enter()?;
        let start = self.out.len();
        self.members(plan, parts)?;
        self.leave(start, *b"{}");
        Ok(())
    }

    #[inline]
    fn members(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        match parts {
            [whole] if !self.gathering => self.ordered_members(plan, *whole),
            _ => self.gathered_members(plan, parts),
        }
    }

    fn ordered_members(&mut self, plan: &'c MessagePlan, mut cursor: Cursor<'w>) -> Outcome {
        let mut oneofs = Seen::default();
        // The first field that may come: fields come by number, each once.
        let mut next = 0;
        while !cursor.at_end() {
            let head = cursor.head()?;
            let Some((index, field)) = self.find(plan, head, cursor) else {
                cursor.skip(head)?;
                continue;
            };
            if index < next || field.oneof.is_some_and(|oneof| !oneofs.insert(oneof as usize)) {
                return Err(Fault::Disorder);
            }
            self.defaults(plan, next, index);
            next = index + 1;
            if self.is_hidden(field, head, cursor) {
                cursor.skip(head)?;
                continue;
            }
            let outer = self.selection;
            if !self.select(index) {
                skip_all(head, &mut cursor)?;
                continue;
            }
            let before = self.out.len();
            self.label(field);
            if let Err(fault) = self.field(field, head, &mut cursor) {
                self.report.push(Segment::Field(field.json_name.clone()));
                return Err(fault);
            }
            self.take_back(field, before);
            self.selection = outer;
        }
        self.defaults(plan, next, plan.fields.len());
        Ok(())
    }

    /// A list or a map of nothing but unknown enum numbers, which are unknown fields, is none.
    #[inline]
    fn take_back(&mut self, field: &FieldPlan, before: usize) {
        let nothing: &[u8] = match field.shape {
            Shape::Repeated | Shape::Packed if field.closed => b"[]",
            Shape::Map => b"{}",
            _ => return,
        };
        if !self.options.print_defaults && self.out.ends_with(nothing) {
            self.out.truncate(before);
        }
    }

    /// Whether a field of the message at hand is selected; what follows is then of its values.
    #[inline]
    fn select(&mut self, index: usize) -> bool {
        let Some(selection) = self.selection else { return true };
        match selection.part(index) {
            Some(part) => self.selection = part.selection(),
            None => return false,
        }
        true
    }

    /// The field that a value belongs to; none for an unknown one.
    #[inline]
    fn find(&self, plan: &'c MessagePlan, head: Head, cursor: Cursor<'w>) -> Option<(usize, &'c FieldPlan)> {
        let index = plan.index_by_number(head.number)?;
        let field = plan.fields.get(index)?;
        let known = field.takes(head.wire_type)
            && !(field.closed && field.shape == Shape::Singular && self.is_unknown(field, cursor));
        known.then_some((index, field))
    }

    /// Whether a value is the default of a field without presence, which is as good as no value (ProtoJSON,
    /// "Presence and default values"), though somebody wrote it; so is a packed list without elements.
    #[inline]
    fn is_hidden(&self, field: &FieldPlan, head: Head, mut value: Cursor<'w>) -> bool {
        let packed = head.wire_type == WireType::Length && field.kind.wire_type() != WireType::Length;
        (field.implicit || packed)
            && !self.options.print_defaults
            && match head.wire_type {
                // A length of none is a zero too.
                WireType::Varint | WireType::Length => value.varint() == Ok(0),
                WireType::Fixed32 => value.fixed32() == Ok([0; 4]),
                WireType::Fixed64 => value.fixed64() == Ok([0; 8]),
                WireType::GroupStart | WireType::GroupEnd => false,
            }
    }

    #[inline]
    fn label(&mut self, field: &FieldPlan) {
        let label = if self.options.proto_names { &field.proto_label } else { &field.label };
        label.write(&mut self.out);
    }

    /// The fields from `next` up to `until` that are not on the wire, where they are to be printed.
    #[inline]
    fn defaults(&mut self, plan: &MessagePlan, next: usize, until: usize) {
        if self.options.print_defaults {
            self.print_defaults(plan, next..until);
        }
    }

    fn print_defaults(&mut self, plan: &MessagePlan, absent: Range<usize>) {
        for (index, field) in plan.fields.iter().enumerate().take(absent.end).skip(absent.start) {
            let selected = self.selection.is_none_or(|selection| selection.part(index).is_some());
            if selected && field.has_no_presence() {
                self.label(field);
                self.default_value(field);
            }
        }
    }

    /// The value of a field whose first tag was read.
    #[inline]
    fn field(&mut self, field: &'c FieldPlan, head: Head, cursor: &mut Cursor<'w>) -> Outcome {
        match field.shape {
            Shape::Singular if !field.kind.is_message() => self.scalar(field, cursor),
            Shape::Singular => {
                let content = content(field, cursor)?;
                self.one_message(field, content)
            }
            Shape::Repeated | Shape::Packed => self.list(field, head, cursor),
            Shape::Map => self.map(field, head, cursor),
        }
    }

    /// The content of a message field, which is in one part.
    #[inline]
    fn one_message(&mut self, field: &FieldPlan, content: Cursor<'w>) -> Outcome {
        match field.message {
            Some(id) if field.kind == Kind::Message && !self.gathering => {
                self.enter()?;
                let start = self.out.len();
                self.ordered_members(self.codec.message_plan(id), content)?;
                self.leave(start, *b"{}");
                Ok(())
            }
            _ => self.message(field, &[content]),
        }
    }

    fn message(&mut self, field: &FieldPlan, parts: &[Cursor<'w>]) -> Outcome {
        match field.message {
            Some(id) => self.body(field.kind, self.codec.message_plan(id), parts),
            None => self.fail("the field has no type"),
        }
    }

    /// A repeated field, of which all values follow each other.
    fn list(&mut self, field: &'c FieldPlan, head: Head, cursor: &mut Cursor<'w>) -> Outcome {
        self.enter()?;
        let start = self.out.len();
        let mut index = 0;
        loop {
            let elements = self.elements(field, head, cursor);
            self.within(elements, || Segment::Index(index))?;
            index += 1;
            if !cursor.follows(head) {
                break;
            }
        }
        self.leave(start, *b"[]");
        Ok(())
    }

    /// The value, or the packed values, behind one tag.
    #[inline]
    fn elements(&mut self, field: &'c FieldPlan, head: Head, cursor: &mut Cursor<'w>) -> Outcome {
        if head.wire_type == field.kind.wire_type() || field.delimited {
            return self.element(field, cursor);
        }
        let mut packed = cursor.delimited()?;
        while !packed.at_end() {
            self.element(field, &mut packed)?;
        }
        Ok(())
    }

    #[inline]
    fn element(&mut self, field: &'c FieldPlan, cursor: &mut Cursor<'w>) -> Outcome {
        if field.closed && self.is_unknown(field, *cursor) {
            cursor.varint()?;
            return Ok(());
        }
        if field.kind == Kind::String {
            return self.string_element(cursor);
        }
        self.out.push(b',');
        self.value(field, cursor)
    }

    #[inline]
    fn value(&mut self, field: &'c FieldPlan, cursor: &mut Cursor<'w>) -> Outcome {
        if !field.kind.is_message() {
            return self.scalar(field, cursor);
        }
        let content = content(field, cursor)?;
        self.one_message(field, content)
    }

    /// Whether a closed enum lacks the number that follows: it is then an unknown field (protobuf.dev "Enum
    /// Behavior").
    fn is_unknown(&self, field: &FieldPlan, mut cursor: Cursor<'w>) -> bool {
        match (field.enumeration, cursor.varint()) {
            (Some(id), Ok(bits)) => !self.codec.enum_plan(id).knows(scalar::int32(bits)),
            _ => false,
        }
    }
}

/// Steps over all values of a field that follow each other, as a list would be read.
fn skip_all(head: Head, cursor: &mut Cursor<'_>) -> Outcome {
    loop {
        cursor.skip(head)?;
        if !cursor.follows(head) {
            return Ok(());
        }
    }
}

/// The content of a message field; the cursor steps over it.
#[inline]
fn content<'w>(field: &FieldPlan, cursor: &mut Cursor<'w>) -> Outcome<Cursor<'w>> {
    Ok(if field.delimited { cursor.group(field.number)? } else { cursor.delimited()? })
}

#[cfg(test)]
mod tests;
