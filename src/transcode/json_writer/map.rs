//! Maps of the wire: entry messages with the key as field 1 and the value as field 2, in any order.

use std::collections::HashMap;

use super::{Fault, Outcome, Writer, content};
use crate::transcode::distinct::{Span, are_distinct};
use crate::transcode::plan::{FieldPlan, Kind, MessagePlan};
use crate::transcode::problem::Segment;
use crate::transcode::text;
use crate::transcode::wire::{Cursor, Head};

/// Where the key and the value of an entry are: behind their tags. Of a message that comes twice, the
/// earlier parts are kept: they are merged.
#[derive(Debug, Default)]
struct Entry<'w> {
    key: Option<Cursor<'w>>,
    value: Option<Cursor<'w>>,
    earlier: Vec<Cursor<'w>>,
    /// Whether a number came that the closed enum of the value lacks: no value, but an unknown field.
    undeclared: bool,
}

/// A key, as entries are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MapKey<'w> {
    Text(&'w [u8]),
    Number(u64),
}

/// The key and the value of a map's entries.
#[derive(Clone, Copy)]
pub(super) struct EntryFields<'c> {
    key: &'c FieldPlan,
    value: &'c FieldPlan,
}

impl<'c, 'w> Writer<'c, 'w> {
    /// A map, of which all entries follow each other.
    pub(super) fn map(&mut self, field: &'c FieldPlan, head: Head, cursor: &mut Cursor<'w>) -> Outcome {
        let fields = self.entry_fields(field)?;
        self.enter()?;
        let start = self.out.len();
        let first_key = self.keys.len();
        loop {
            let content = cursor.delimited()?;
            self.entry(fields, content)?;
            if !cursor.follows(head) {
                break;
            }
        }
        let distinct = are_distinct(&self.out, self.keys.get(first_key..).unwrap_or_default());
        self.keys.truncate(first_key);
        self.leave(start, *b"{}");
        if distinct { Ok(()) } else { Err(Fault::Disorder) }
    }

    pub(super) fn entry_fields(&mut self, field: &FieldPlan) -> Outcome<EntryFields<'c>> {
        let entry = field.message.map(|id| self.codec.message_plan(id));
        match entry.and_then(MessagePlan::entry_fields) {
            Some((key, value)) => Ok(EntryFields { key, value }),
            None => self.fail("the map has no key or no value"),
        }
    }

    /// A map of which some keys may come twice: the last one wins.
    pub(super) fn gathered_map(&mut self, fields: EntryFields<'c>, contents: &[Cursor<'w>]) -> Outcome {
        let mut last = HashMap::with_capacity(contents.len());
        let mut keys = Vec::with_capacity(contents.len());
        for (position, content) in contents.iter().enumerate() {
            let entry = self.read_entry(fields, *content)?;
            let key = map_key(fields, entry.key)?;
            if !entry.is_unknown() {
                last.insert(key, position);
            }
            keys.push(key);
        }
        self.enter()?;
        let start = self.out.len();
        let first_key = self.keys.len();
        for (position, (key, content)) in keys.iter().zip(contents).enumerate() {
            if last.get(key) == Some(&position) {
                self.entry(fields, *content)?;
            }
        }
        self.keys.truncate(first_key);
        self.leave(start, *b"{}");
        Ok(())
    }

    fn entry(&mut self, fields: EntryFields<'c>, content: Cursor<'w>) -> Outcome {
        let entry = self.read_entry(fields, content)?;
        if entry.is_unknown() {
            return Ok(());
        }
        self.out.push(b',');
        let key_start = self.out.len();
        self.key(fields.key, entry.key)?;
        self.keys.push(Span::new(key_start, self.out.len()));
        self.out.push(b':');
        let key = self.out.len() - 1;
        let value = self.entry_value(fields.value, &entry);
        if value.is_err() {
            let segment = self.key_segment(key_start, key);
            self.report.push(segment);
        }
        value
    }

    fn read_entry(&self, fields: EntryFields<'_>, mut content: Cursor<'w>) -> Outcome<Entry<'w>> {
        let mut entry = Entry::default();
        while !content.at_end() {
            let head = content.head()?;
            let place = content;
            content.skip(head)?;
            if head == fields.key.head {
                entry.key = Some(place);
            } else if head == fields.value.head {
                if fields.value.closed && self.is_unknown(fields.value, place) {
                    entry.undeclared = true;
                    continue;
                }
                let before = entry.value.replace(place);
                entry.earlier.extend(before.filter(|_| fields.value.kind.is_message()));
            }
        }
        Ok(entry)
    }

    fn key(&mut self, field: &FieldPlan, key: Option<Cursor<'w>>) -> Outcome {
        let start = self.out.len();
        match key {
            Some(mut key) => self.scalar(field, &mut key)?,
            None => self.default_value(field),
        }
        if self.out.get(start) != Some(&b'"') {
            self.out.insert(start, b'"');
            self.out.push(b'"');
        }
        Ok(())
    }

    fn entry_value(&mut self, field: &'c FieldPlan, entry: &Entry<'w>) -> Outcome {
        match entry.value {
            Some(mut value) if entry.earlier.is_empty() => self.value(field, &mut value),
            Some(value) => {
                let places = entry.earlier.iter().chain([&value]);
                let parts: Vec<_> =
                    places.map(|place| content(field, &mut place.clone())).collect::<Result<_, _>>()?;
                self.message(field, &parts)
            }
            None if field.kind.is_message() => self.message(field, &[]),
            None => {
                self.default_value(field);
                Ok(())
            }
        }
    }

    /// The step of a path for the key that was written between these places.
    #[cold]
    fn key_segment(&self, start: usize, end: usize) -> Segment {
        let mut key = Vec::new();
        // What was written is a valid string, and closed.
        let whole = text::unescape(&mut key, self.out.get(..end).unwrap_or_default(), start + 1);
        Segment::key(if whole.is_ok() { &key } else { b"?" })
    }
}

impl Entry<'_> {
    /// A closed enum's undeclared number makes the whole entry an unknown field (protobuf.dev "Enum Behavior").
    const fn is_unknown(&self) -> bool {
        self.undeclared && self.value.is_none()
    }
}

fn map_key<'w>(fields: EntryFields<'_>, key: Option<Cursor<'w>>) -> Outcome<MapKey<'w>> {
    Ok(match (fields.key.kind, key) {
        (Kind::String, None) => MapKey::Text(b""),
        (Kind::String, Some(mut key)) => MapKey::Text(key.delimited()?.rest()),
        (_, None) => MapKey::Number(0),
        (Kind::Fixed32 | Kind::Sfixed32, Some(mut key)) => {
            MapKey::Number(u32::from_le_bytes(key.fixed32()?).into())
        }
        (Kind::Fixed64 | Kind::Sfixed64, Some(mut key)) => MapKey::Number(u64::from_le_bytes(key.fixed64()?)),
        (Kind::Bool, Some(mut key)) => MapKey::Number((key.varint()? != 0).into()),
        (Kind::Int32 | Kind::Uint32 | Kind::Sint32, Some(mut key)) => {
            MapKey::Number(super::scalar::uint32(key.varint()?).into())
        }
        (_, Some(mut key)) => MapKey::Number(key.varint()?),
    })
}
