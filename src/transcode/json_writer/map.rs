//! Maps of the wire: entry messages with the key as field 1 and the value as field 2, in any order.

use std::collections::HashMap;

use super::{Behind, Fault, Outcome, Writer, content};
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
    pub(super) fn map(
        &mut self,
        field: &'c FieldPlan,
        head: Head,
        mut cursor: Cursor<'w>,
        start: usize,
    ) -> Outcome<Behind<'w>> {
        let fields = self.entry_fields(field)?;
        self.enter()?;
        let mut at = start;
        let first_key = self.keys.len();
        loop {
            at = self.entry(fields, cursor.delimited()?, at)?;
            if !cursor.follows(head) {
                break;
            }
        }
        let keys = self.keys.get(first_key..).unwrap_or_default();
        if !are_distinct(self.out.written(0, at), keys) {
            return Err(Fault::Disorder);
        }
        self.keys.truncate(first_key);
        Ok((cursor, self.leave(start, at, *b"{}")))
    }

    pub(super) fn entry_fields(&mut self, field: &FieldPlan) -> Outcome<EntryFields<'c>> {
        let entry = field.message.map(|id| self.codec.message_plan(id));
        match entry.and_then(MessagePlan::entry_fields) {
            Some((key, value)) => Ok(EntryFields { key, value }),
            None => self.fail("the map has no key or no value"),
        }
    }

    /// A map of which some keys may come twice: the last one wins.
    pub(super) fn gathered_map(
        &mut self,
        fields: EntryFields<'c>,
        contents: &[Cursor<'w>],
        start: usize,
    ) -> Outcome {
        // An empty entry takes three bytes on the wire, so keys are read twice and not kept.
        let mut last = HashMap::new();
        for (position, content) in contents.iter().enumerate() {
            let entry = self.read_entry(fields, *content)?;
            let key = map_key(fields, entry.key)?;
            if !entry.is_unknown() {
                last.insert(key, position);
            }
        }
        self.enter()?;
        let mut at = start;
        let first_key = self.keys.len();
        for (position, content) in contents.iter().enumerate() {
            let key = map_key(fields, self.read_entry(fields, *content)?.key)?;
            if last.get(&key) == Some(&position) {
                at = self.entry(fields, *content, at)?;
            }
        }
        self.keys.truncate(first_key);
        Ok(self.leave(start, at, *b"{}"))
    }

    fn entry(&mut self, fields: EntryFields<'c>, content: Cursor<'w>, at: usize) -> Outcome {
        let entry = self.read_entry(fields, content)?;
        if entry.is_unknown() {
            return Ok(at);
        }
        let start = self.out.byte(at, b',');
        let end = self.key(fields.key, entry.key, start)?;
        self.keys.push(Span::new(start, end));
        let at = self.out.byte(end, b':');
        let value = self.entry_value(fields.value, &entry, at);
        if value.is_err() {
            let segment = self.key_segment(start, end);
            self.report.push(segment);
        }
        value
    }

    fn read_entry(&self, fields: EntryFields<'_>, mut content: Cursor<'w>) -> Outcome<Entry<'w>> {
        let mut entry = Entry::default();
        while !content.at_end() {
            let head = content.head()?;
            let place = content;
            content = content.behind(head)?;
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

    /// A key is a string, whatever its type.
    fn key(&mut self, field: &FieldPlan, key: Option<Cursor<'w>>, start: usize) -> Outcome {
        let bare = field.kind != Kind::String && (self.options.int64_as_number || !field.kind.is_long());
        let at = if bare { self.out.byte(start, b'"') } else { start };
        let at = match key {
            Some(key) => self.scalar(field, key, at)?.1,
            None => self.default_value(field, at),
        };
        Ok(if bare { self.out.byte(at, b'"') } else { at })
    }

    fn entry_value(&mut self, field: &'c FieldPlan, entry: &Entry<'w>, at: usize) -> Outcome {
        match entry.value {
            Some(value) if entry.earlier.is_empty() => Ok(self.value(field, value, at)?.1),
            Some(value) => {
                let places = entry.earlier.iter().chain([&value]);
                let parts: Vec<_> =
                    places.map(|place| Ok(content(field, *place)?.0)).collect::<Outcome<_>>()?;
                self.message(field, &parts, at)
            }
            None if field.kind.is_message() => self.message(field, &[], at),
            None => Ok(self.default_value(field, at)),
        }
    }

    /// The step of a path for the key that was written between these places.
    #[cold]
    fn key_segment(&self, start: usize, end: usize) -> Segment {
        let mut key = Vec::new();
        // What was written is a valid string, and closed.
        let whole = text::unescape(&mut key, self.out.written(0, end), start + 1);
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
