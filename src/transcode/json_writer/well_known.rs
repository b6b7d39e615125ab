//! Any, Timestamp, Duration, FieldMask and wrappers of the wire, in their JSON forms.

use super::structs::contents;
use super::{Outcome, Writer};
use crate::transcode::plan::{Kind, MessagePlan};
use crate::transcode::problem::{Segment, excerpt};
use crate::transcode::text;
use crate::transcode::well_known::{Time, duration, field_mask, timestamp};
use crate::transcode::wire::{Cursor, Head, WireType};

/// Any.type_url and FieldMask.paths.
const TEXT: Head = Head { number: 1, wire_type: WireType::Length };
/// Any.value.
const VALUE: Head = Head { number: 2, wire_type: WireType::Length };
/// Timestamp and Duration.
const SECONDS: Head = Head { number: 1, wire_type: WireType::Varint };
const NANOS: Head = Head { number: 2, wire_type: WireType::Varint };

impl<'c, 'w> Writer<'c, 'w> {
    pub(super) fn timestamp(&mut self, parts: &[Cursor<'w>]) -> Outcome {
        let time = time(parts)?;
        self.form(|out| timestamp::write(out, time), "the timestamp is out of range")
    }

    pub(super) fn duration(&mut self, parts: &[Cursor<'w>]) -> Outcome {
        let time = time(parts)?;
        self.form(|out| duration::write(out, time), "the duration is out of range or of two signs")
    }

    pub(super) fn field_mask(&mut self, parts: &[Cursor<'w>]) -> Outcome {
        let paths = contents(parts, TEXT)?;
        let write = |out: &mut Vec<u8>| {
            paths.iter().enumerate().all(|(index, path)| {
                if index > 0 {
                    out.push(b',');
                }
                field_mask::write(out, path.rest())
            })
        };
        self.form(write, "the field mask has a path that lowerCamelCase cannot hold")
    }

    /// A string in one of the text forms.
    fn form(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool, wrong: &'static str) -> Outcome {
        self.out.push(b'"');
        if !write(&mut self.out) {
            return self.fail(wrong);
        }
        self.out.push(b'"');
        Ok(())
    }

    /// A wrapper is its only field's value; the last one wins.
    pub(super) fn wrapped(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        let Some(field) = plan.by_number(1) else {
            return self.fail(format!("{} has no value", plan.name));
        };
        if let Some(mut value) = last(parts, field.head)? {
            return self.scalar(field, &mut value);
        }
        self.default_value(field);
        Ok(())
    }

    pub(super) fn any(&mut self, parts: &[Cursor<'w>]) -> Outcome {
        self.enter()?;
        let start = self.out.len();
        let empty = self.whole.get(..0).unwrap_or_default();
        let read = |head| -> Outcome<Option<Cursor<'w>>> {
            Ok(last(parts, head)?.map(|mut place| place.delimited()).transpose()?)
        };
        let (url, value) = (read(TEXT)?, read(VALUE)?);
        let value = value.unwrap_or(Cursor::new(empty));
        match url.filter(|url| !url.at_end()) {
            Some(url) => self.any_members(url, value)?,
            // An empty Any; with a value but no type it cannot be shown.
            None if value.at_end() => {}
            None => return self.fail("the Any has a value but no type"),
        }
        self.leave(start, *b"{}");
        Ok(())
    }

    fn any_members(&mut self, url: Cursor<'w>, value: Cursor<'w>) -> Outcome {
        self.out.extend_from_slice(b",\"@type\":");
        let (start, end) = (url.pos(), url.pos() + url.rest().len());
        if !text::write_string(&mut self.out, self.whole, start, end) && !text::is_utf8(url.rest()) {
            return self.fail("the type of the Any is not valid UTF-8");
        }
        let Some((codec, plan)) = self.codec.resolve_any(url.rest()) else {
            return self.unknown_any(url, value);
        };
        // Types within are looked up where this one was found.
        let outer = std::mem::replace(&mut self.codec, codec);
        let written = if plan.kind == Kind::Message {
            self.members(plan, &[value])
        } else {
            self.out.extend_from_slice(b",\"value\":");
            let body = self.body(plan.kind, plan, &[value]);
            self.within(body, || Segment::Field("value".into()))
        };
        self.codec = outer;
        written
    }

    fn unknown_any(&mut self, url: Cursor<'w>, value: Cursor<'w>) -> Outcome {
        if !self.options.unknown_any_as_base64 {
            return self.fail(format!("the type \"{}\" is not in the schema", excerpt(url.rest())));
        }
        self.out.extend_from_slice(b",\"value\":");
        self.bytes(value.rest());
        Ok(())
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
            cursor.skip(head)?;
        }
    }
    Ok(found)
}
