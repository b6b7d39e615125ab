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
//! comma becomes the opening bracket. Two places go from call to call by value, because in memory each
//! step would wait for the one before it: the cursor in the wire, and `at`, where the next byte goes.

#![expect(
    clippy::inline_always,
    reason = "what goes by value stays in registers only where calls are inlined"
)]

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
use super::room::Room;
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

type Outcome<T = usize> = Result<T, Fault>;

/// What is behind a value: in the wire and in the output.
type Behind<'w> = (Cursor<'w>, usize);

/// Writes one message as JSON.
struct Writer<'c, 'w> {
    codec: &'c Codec,
    options: &'c WriteOptions,
    /// The whole input; all cursors are places in it.
    whole: &'w [u8],
    out: Room,
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
    Writer::run(codec, wire, options, out, |writer, at| {
        let plan = writer.codec.message_plan(message);
        writer.selection = mask.and_then(Mask::selection);
        writer.body(plan.kind, plan, &[Cursor::new(wire)], at)
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
    Writer::run(codec, wire, options, out, |writer, at| {
        let plan = writer.codec.message_plan(message);
        writer.selection = mask.and_then(Mask::selection);
        writer.single_field(plan, number, Cursor::new(wire), at)
    })
}

/// Writes an Any.
pub(super) fn write_any(
    codec: &Codec,
    wire: &[u8],
    options: &WriteOptions,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    Writer::run(codec, wire, options, out, |writer, at| writer.any(&[Cursor::new(wire)], at))
}

impl<'c, 'w> Writer<'c, 'w> {
    /// Runs a writing; on an error `out` is left as it was.
    fn run(
        codec: &'c Codec,
        wire: &'w [u8],
        options: &'c WriteOptions,
        out: &mut Vec<u8>,
        body: impl Fn(&mut Self, usize) -> Outcome,
    ) -> Result<(), WireError> {
        let (room, start) = Room::new(std::mem::take(out), wire.len() * 2 + 64);
        let mut writer = Self {
            codec,
            options,
            whole: wire,
            out: room.ending(start.saturating_add(options.max_length)),
            depth: 0,
            gathering: false,
            selection: None,
            keys: Vec::new(),
            report: Report::default(),
        };
        let mut outcome = body(&mut writer, start);
        if matches!(outcome, Err(Fault::Disorder)) {
            writer.begin_again(codec);
            outcome = body(&mut writer, start);
        }
        outcome = outcome.and_then(|at| writer.bounded(at));
        *out = writer.out.into_vec(outcome.unwrap_or(start));
        outcome.map(drop).map_err(|fault| {
            let mut report = writer.report;
            if let Fault::Broken(broken) = fault {
                report.description = broken.description().into();
            }
            report.into_wire_error()
        })
    }

    /// The end of the text, unless there was no room for all of it.
    fn bounded(&mut self, at: usize) -> Outcome {
        if self.out.is_over(at) {
            return self.fail(format!("it is longer than {} bytes as JSON", self.options.max_length));
        }
        Ok(at)
    }

    fn begin_again(&mut self, codec: &'c Codec) {
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
    fn enter(&mut self) -> Outcome<()> {
        if self.depth >= self.options.max_depth {
            return self.too_deep();
        }
        self.depth += 1;
        Ok(())
    }

    #[cold]
    fn too_deep(&mut self) -> Outcome<()> {
        self.fail(format!("the message is nested deeper than {} levels", self.options.max_depth))
    }

    /// Closes what was opened at `start`: its first comma becomes the bracket.
    #[inline]
    fn leave(&mut self, start: usize, at: usize, [open, close]: [u8; 2]) -> usize {
        self.depth -= 1;
        if at == start {
            return self.out.fixed(at, &[open, close]);
        }
        self.out.set(start, open);
        self.out.byte(at, close)
    }

    /// The content of a message, which may be in several parts.
    fn body(&mut self, kind: Kind, plan: &'c MessagePlan, parts: &[Cursor<'w>], at: usize) -> Outcome {
        match kind {
            Kind::Message => self.object(plan, parts, at),
            Kind::Any => self.any(parts, at),
            Kind::Timestamp => self.timestamp(parts, at),
            Kind::Duration => self.duration(parts, at),
            Kind::FieldMask => self.field_mask(parts, at),
            Kind::Struct => self.structure(plan, parts, at),
            Kind::Value => self.dynamic_value(plan, parts, at),
            Kind::ListValue => self.list_value(plan, parts, at),
            _ => self.wrapped(plan, parts, at),
        }
    }

    fn object(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>], start: usize) -> Outcome {
        self.enter()?;
        let at = self.members(plan, parts, start)?;
        Ok(self.leave(start, at, *b"{}"))
    }

    #[inline]
    fn members(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>], at: usize) -> Outcome {
        match parts {
            [whole] if !self.gathering => self.ordered_members(plan, *whole, at),
            _ => self.gathered_members(plan, parts, at),
        }
    }

    fn ordered_members(&mut self, plan: &'c MessagePlan, mut cursor: Cursor<'w>, mut at: usize) -> Outcome {
        let mut oneofs = Seen::default();
        // The first field that may come: fields come by number, each once.
        let mut next = 0;
        while !cursor.at_end() {
            let head = cursor.head()?;
            let Some((index, field)) = self.find(plan, head, next, cursor) else {
                cursor = cursor.behind(head)?;
                continue;
            };
            if index < next || field.oneof.is_some_and(|oneof| !oneofs.insert(oneof as usize)) {
                return Err(Fault::Disorder);
            }
            at = self.defaults(plan, next..index, at);
            next = index + 1;
            if self.is_hidden(field, head, cursor) {
                cursor = cursor.behind(head)?;
                continue;
            }
            let outer = self.selection;
            if !self.select(index) {
                cursor = behind_all(head, cursor)?;
                continue;
            }
            match self.field(field, head, cursor, at) {
                Ok(behind) => (cursor, at) = behind,
                Err(fault) => {
                    self.report.push(Segment::Field(field.json_name.clone()));
                    return Err(fault);
                }
            }
            self.selection = outer;
        }
        Ok(self.defaults(plan, next..plan.fields.len(), at))
    }

    /// A list or a map of nothing but unknown enum numbers, which are unknown fields, is none.
    fn taken_back(&self, field: &FieldPlan, before: usize, at: usize) -> usize {
        let nothing: &[u8] = match field.shape {
            Shape::Repeated | Shape::Packed if field.closed => b"[]",
            Shape::Map => b"{}",
            _ => return at,
        };
        let is_nothing = !self.options.print_defaults && self.out.written(before, at).ends_with(nothing);
        if is_nothing { before } else { at }
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
    #[inline(always)]
    fn find(
        &self,
        plan: &'c MessagePlan,
        head: Head,
        expected: usize,
        value: Cursor<'w>,
    ) -> Option<(usize, &'c FieldPlan)> {
        let (index, field) = plan.field_of(head, expected)?;
        let unknown = field.closed && field.shape == Shape::Singular && self.is_unknown(field, value);
        (!unknown).then_some((index, field))
    }

    /// Whether a value is the default of a field without presence, which is as good as no value (ProtoJSON,
    /// "Presence and default values"), though somebody wrote it; so is a packed list without elements.
    #[inline(always)]
    fn is_hidden(&self, field: &FieldPlan, head: Head, value: Cursor<'w>) -> bool {
        // The lowest bits of a zero are zero, whatever its form.
        value.rest().first().is_none_or(|byte| byte << 1 == 0) && self.is_default(field, head, value)
    }

    fn is_default(&self, field: &FieldPlan, head: Head, mut value: Cursor<'w>) -> bool {
        let packed = head.is(WireType::Length) && field.kind.wire_type() != WireType::Length;
        (field.implicit || packed)
            && !self.options.print_defaults
            && match field.kind.wire_type() {
                WireType::Fixed32 if !packed => value.fixed32() == Ok([0; 4]),
                WireType::Fixed64 if !packed => value.fixed64() == Ok([0; 8]),
                WireType::Varint if !packed && field.kind.is_narrow() => {
                    value.varint().map(scalar::uint32) == Ok(0)
                }
                // A length of none is a zero too.
                _ => value.varint() == Ok(0),
            }
    }

    #[inline(always)]
    fn label(&mut self, field: &FieldPlan, at: usize) -> usize {
        let label = if self.options.proto_names { &field.proto_label } else { &field.label };
        label.write(&mut self.out, at)
    }

    /// The fields that are not on the wire, where they are to be printed.
    #[inline(always)]
    fn defaults(&mut self, plan: &MessagePlan, absent: Range<usize>, at: usize) -> usize {
        if self.options.print_defaults { self.print_defaults(plan, absent, at) } else { at }
    }

    fn print_defaults(&mut self, plan: &MessagePlan, absent: Range<usize>, mut at: usize) -> usize {
        for (index, field) in plan.fields.iter().enumerate().take(absent.end).skip(absent.start) {
            let selected = self.selection.is_none_or(|selection| selection.part(index).is_some());
            // A list of empty messages is short, and what is printed of them is long.
            if selected && field.has_no_presence() && !self.out.is_over(at) {
                at = self.label(field, at);
                at = self.default_value(field, at);
            }
        }
        at
    }

    /// A member for the field whose first tag was read.
    #[inline(always)]
    fn field(
        &mut self,
        field: &'c FieldPlan,
        head: Head,
        cursor: Cursor<'w>,
        before: usize,
    ) -> Outcome<Behind<'w>> {
        let at = self.label(field, before);
        if field.shape == Shape::Singular {
            return self.value(field, cursor, at);
        }
        let (cursor, at) = match field.shape {
            Shape::Map => self.map(field, head, cursor, at)?,
            _ => self.list(field, head, cursor, at)?,
        };
        Ok((cursor, self.taken_back(field, before, at)))
    }

    #[inline(always)]
    fn value(&mut self, field: &'c FieldPlan, cursor: Cursor<'w>, at: usize) -> Outcome<Behind<'w>> {
        if !field.kind.is_message() {
            return self.scalar(field, cursor, at);
        }
        let (content, behind) = content(field, cursor)?;
        Ok((behind, self.one_message(field, content, at)?))
    }

    /// The content of a message field, which is in one part.
    #[inline(always)]
    fn one_message(&mut self, field: &FieldPlan, content: Cursor<'w>, start: usize) -> Outcome {
        match field.message {
            Some(id) if field.kind == Kind::Message && !self.gathering => {
                self.enter()?;
                let at = self.ordered_members(self.codec.message_plan(id), content, start)?;
                Ok(self.leave(start, at, *b"{}"))
            }
            _ => self.message(field, &[content], start),
        }
    }

    fn message(&mut self, field: &FieldPlan, parts: &[Cursor<'w>], at: usize) -> Outcome {
        match field.message {
            Some(id) => self.body(field.kind, self.codec.message_plan(id), parts, at),
            None => self.fail("the field has no type"),
        }
    }

    /// A repeated field, of which all values follow each other.
    fn list(
        &mut self,
        field: &'c FieldPlan,
        head: Head,
        mut cursor: Cursor<'w>,
        start: usize,
    ) -> Outcome<Behind<'w>> {
        self.enter()?;
        let mut at = start;
        let mut index = 0;
        loop {
            let elements = self.elements(field, head, cursor, at);
            (cursor, at) = self.within(elements, || Segment::Index(index))?;
            index += 1;
            if !cursor.follows(head) {
                return Ok((cursor, self.leave(start, at, *b"[]")));
            }
        }
    }

    /// The value, or the packed values, behind one tag.
    #[inline(always)]
    fn elements(
        &mut self,
        field: &'c FieldPlan,
        head: Head,
        mut cursor: Cursor<'w>,
        mut at: usize,
    ) -> Outcome<Behind<'w>> {
        if head.is(field.kind.wire_type()) || field.delimited {
            return self.element(field, cursor, at);
        }
        let mut packed = cursor.delimited()?;
        while !packed.at_end() {
            (packed, at) = self.element(field, packed, at)?;
        }
        Ok((cursor, at))
    }

    #[inline(always)]
    fn element(&mut self, field: &'c FieldPlan, mut cursor: Cursor<'w>, at: usize) -> Outcome<Behind<'w>> {
        if field.closed && self.is_unknown(field, cursor) {
            cursor.varint()?;
            return Ok((cursor, at));
        }
        let at = self.out.byte(at, b',');
        self.value(field, cursor, at)
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

/// The place behind all values of a field that follow each other, as a list would be read.
fn behind_all(head: Head, mut cursor: Cursor<'_>) -> Outcome<Cursor<'_>> {
    loop {
        cursor = cursor.behind(head)?;
        if !cursor.follows(head) {
            return Ok(cursor);
        }
    }
}

/// The content of a message field, and the place behind it.
#[inline]
fn content<'w>(field: &FieldPlan, mut cursor: Cursor<'w>) -> Outcome<(Cursor<'w>, Cursor<'w>)> {
    if field.delimited {
        return group_content(field, cursor);
    }
    let content = cursor.delimited()?;
    Ok((content, cursor))
}

fn group_content<'w>(field: &FieldPlan, mut cursor: Cursor<'w>) -> Outcome<(Cursor<'w>, Cursor<'w>)> {
    let content = cursor.group(field.number)?;
    Ok((content, cursor))
}

#[cfg(test)]
mod tests;
