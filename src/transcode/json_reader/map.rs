//! Maps of JSON: each member becomes an entry message with the key as field 1 and the value as field 2.

use super::Reader;
use super::lexer::{Failed, Outcome};
use super::scalar::integer_bits;
use crate::transcode::distinct::{Span, are_distinct};
use crate::transcode::number::Decimal;
use crate::transcode::plan::{FieldPlan, Kind, MessagePlan};
use crate::transcode::problem::Segment;
use crate::transcode::wire::{fill_length, reserve_length};

impl<'c> Reader<'c, '_> {
    pub(super) fn map(&mut self, field: &'c FieldPlan) -> Outcome {
        let entry = field.message.map(|id| self.codec.message_plan(id));
        let Some((key, value)) = entry.and_then(MessagePlan::entry_fields) else {
            return self.lexer.fail("the map has no key or no value");
        };
        self.lexer.open(b'{', "an object")?;
        let first_key = self.keys.len();
        let mut more = self.lexer.first(b'}');
        while more {
            self.entry(field, key, value)?;
            more = self.lexer.next(b'}')?;
        }
        self.check_keys(first_key)
    }

    /// The keys of a JSON object are distinct (RFC 7493 §2.3); those that came since are checked at once.
    pub(super) fn check_keys(&mut self, first_key: usize) -> Outcome {
        let distinct = are_distinct(&self.out, self.keys.get(first_key..).unwrap_or_default());
        self.keys.truncate(first_key);
        if distinct { Ok(()) } else { self.lexer.fail("the map has the same key twice") }
    }

    fn entry(&mut self, field: &FieldPlan, key: &'c FieldPlan, value: &'c FieldPlan) -> Outcome {
        let start = self.out.len();
        let reserved = reserve_length(&mut self.out, field.tag, 1);
        let key_start = self.out.len();
        let name = self.lexer.pos;
        self.map_key(key)?;
        let key_end = self.out.len();
        self.lexer.colon()?;
        if self.lexer.token() == b'n' && !value.kind.takes_null() {
            return self.lexer.fail("null is no value of a map");
        }
        if self.element(value, value.kept()).is_err() {
            let segment = self.key_segment(name);
            self.lexer.trail(segment);
            return Err(Failed);
        }
        if self.out.len() == key_end {
            // An unknown name of an enum that is ignored takes its entry with it.
            self.out.truncate(start);
            return Ok(());
        }
        let moved = fill_length(&mut self.out, reserved) - 1;
        self.keys.push(Span::new(key_start + moved, key_end + moved));
        Ok(())
    }

    /// A key is always a string; what it stands for is of the key's type.
    fn map_key(&mut self, key: &FieldPlan) -> Outcome {
        let slot = key.kept();
        if key.kind == Kind::String {
            return self.string(slot);
        }
        let at = self.lexer.pos;
        let text = self.lexer.string()?;
        match (key.kind, &*text) {
            (Kind::Bool, b"true") => self.put_bool(slot, true),
            (Kind::Bool, b"false") => self.put_bool(slot, false),
            (Kind::Bool, _) => return self.lexer.fail_at(at, "expected \"true\" or \"false\" as a key"),
            (kind, text) => match Decimal::read_all(text).and_then(|number| integer_bits(kind, &number)) {
                Ok(bits) => self.put_integer(kind, slot, bits),
                Err(bad) => {
                    return self
                        .lexer
                        .fail_at(at, format!("the key is no valid number: {}", bad.description()));
                }
            },
        }
        Ok(())
    }

    /// The step of a path for the member whose name is at `at`.
    #[cold]
    pub(super) fn key_segment(&self, at: usize) -> Segment {
        let mut name = Vec::new();
        // The name was read once already, so it is valid.
        let whole = crate::transcode::text::unescape(&mut name, self.lexer.json, at + 1);
        Segment::key(if whole.is_ok() { &name } else { b"?" })
    }
}
