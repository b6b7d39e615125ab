//! Any, Timestamp, Duration, FieldMask and wrappers of the wire, in their JSON forms.

use super::structs::contents;
use super::{Outcome, Writer};
use crate::transcode::plan::{Kind, MessagePlan};
use crate::transcode::problem::{Segment, excerpt};
use crate::transcode::room::Room;
use crate::transcode::well_known::{Time, duration, field_mask, timestamp};
use crate::transcode::wire::{Cursor, Head, WireType};

/// Any.type_url and FieldMask.paths.
const TEXT: Head = Head::new(1, WireType::Length);
/// Any.value.
const VALUE: Head = Head::new(2, WireType::Length);
/// Timestamp and Duration.
const SECONDS: Head = Head::new(1, WireType::Varint);
const NANOS: Head = Head::new(2, WireType::Varint);

impl<'c, 'w> Writer<'c, 'w> {
    pub(super) fn timestamp(&mut self, parts: &[Cursor<'w>], at: usize) -> Outcome {
        let time = time(parts)?;
        self.form(at, "the timestamp is out of range", |out, at| timestamp::write(out, at, time))
    }

    pub(super) fn duration(&mut self, parts: &[Cursor<'w>], at: usize) -> Outcome {
        let time = time(parts)?;
        self.form(at, "the duration is out of range or of two signs", |out, at| {
            duration::write(out, at, time)
        })
    }

    pub(super) fn field_mask(&mut self, parts: &[Cursor<'w>], at: usize) -> Outcome {
        let paths = contents(parts, TEXT)?;
        self.form(at, "the field mask has a path that lowerCamelCase cannot hold", |out, mut at| {
            for (index, path) in paths.iter().enumerate() {
                at = if index > 0 { out.byte(at, b',') } else { at };
                at = field_mask::write(out, at, path.rest())?;
            }
            Some(at)
        })
    }

    /// A string in one of the text forms.
    fn form(
        &mut self,
        at: usize,
        wrong: &'static str,
        write: impl FnOnce(&mut Room, usize) -> Option<usize>,
    ) -> Outcome {
        let at = self.out.byte(at, b'"');
        match write(&mut self.out, at) {
            Some(at) => Ok(self.out.byte(at, b'"')),
            None => self.fail(wrong),
        }
    }

    /// A wrapper is its only field's value; the last one wins.
    pub(super) fn wrapped(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>], at: usize) -> Outcome {
        let Some(field) = plan.by_number(1) else {
            return self.fail(format!("{} has no value", plan.name));
        };
        match last(parts, field.head)? {
            Some(value) => Ok(self.scalar(field, value, at)?.1),
            None => Ok(self.default_value(field, at)),
        }
    }

    pub(super) fn any(&mut self, parts: &[Cursor<'w>], start: usize) -> Outcome {
        self.enter()?;
        let empty = self.whole.get(..0).unwrap_or_default();
        let read = |head| -> Outcome<Option<Cursor<'w>>> {
            Ok(last(parts, head)?.map(|mut place| place.delimited()).transpose()?)
        };
        let (url, value) = (read(TEXT)?, read(VALUE)?);
        let value = value.unwrap_or(Cursor::new(empty));
        let at = match url.filter(|url| !url.at_end()) {
            Some(url) => self.any_members(url, value, start)?,
            // An empty Any; with a value but no type it cannot be shown.
            None if value.at_end() => start,
            None => return self.fail("the Any has a value but no type"),
        };
        Ok(self.leave(start, at, *b"{}"))
    }

    fn any_members(&mut self, url: Cursor<'w>, value: Cursor<'w>, at: usize) -> Outcome {
        let at = self.out.fixed(at, b",\"@type\":");
        let at = self.string(url, at)?;
        let Some((codec, plan)) = self.codec.resolve_any(url.rest()) else {
            return self.unknown_any(url, value, at);
        };
        // Types within are looked up where this one was found.
        let outer = std::mem::replace(&mut self.codec, codec);
        let written = if plan.kind == Kind::Message {
            self.members(plan, &[value], at)
        } else {
            let at = self.out.fixed(at, b",\"value\":");
            let body = self.body(plan.kind, plan, &[value], at);
            self.within(body, || Segment::Field("value".into()))
        };
        self.codec = outer;
        written
    }

    fn unknown_any(&mut self, url: Cursor<'w>, value: Cursor<'w>, at: usize) -> Outcome {
        if !self.options.unknown_any_as_base64 {
            return self.fail(format!("the type \"{}\" is not in the schema", excerpt(url.rest())));
        }
        let at = self.out.fixed(at, b",\"value\":");
        Ok(self.bytes(value.rest(), at))
    }
}

fn time(parts: &[Cursor<'_>]) -> Outcome<Time> {
    let read = |head| -> Outcome<u64> {
        Ok(last(parts, head)?.map(|mut place| place.varint()).transpose()?.unwrap_or(0))
    };
    Ok(Time { seconds: read(SECONDS)?.cast_signed(), nanos: super::scalar::int32(read(NANOS)?) })
}

/// The last value of one field, behind its tag.
fn last<'w>(parts: &[Cursor<'w>], wanted: Head) -> Outcome<Option<Cursor<'w>>> {
    let mut found = None;
    for part in parts {
        let mut cursor = *part;
        while !cursor.at_end() {
            let head = cursor.head()?;
            if head == wanted {
                found = Some(cursor);
            }
            cursor = cursor.behind(head)?;
        }
    }
    Ok(found)
}
