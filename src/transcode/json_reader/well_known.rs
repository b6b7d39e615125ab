//! Any, Timestamp, Duration, FieldMask and wrappers of JSON.

use super::lexer::{Failed, Outcome};
use super::{Reader, Slot};
use crate::transcode::codec::Codec;
use crate::transcode::plan::{Kind, MessagePlan};
use crate::transcode::problem::{Segment, excerpt};
use crate::transcode::seen::Seen;
use crate::transcode::well_known::{Time, duration, field_mask, timestamp};
use crate::transcode::wire::{Tag, WireType, put_slice, put_varint};

/// Any.type_url, FieldMask.paths.
const TEXT: Tag = Tag::new(1, WireType::Length);
/// Any.value.
const VALUE: Tag = Tag::new(2, WireType::Length);
/// Timestamp and Duration.
pub(super) const SECONDS: Slot = Slot { tag: Tag::new(1, WireType::Varint), implicit: true };
pub(super) const NANOS: Slot = Slot { tag: Tag::new(2, WireType::Varint), implicit: true };

impl<'c> Reader<'c, '_> {
    /// Reads a string by one of the text forms.
    fn form<T>(&mut self, what: &'static str, parse: impl FnOnce(&[u8]) -> Option<T>) -> Outcome<T> {
        self.lexer.token();
        let at = self.lexer.pos;
        let text = self.lexer.string()?;
        parse(&text).map_or_else(|| self.lexer.fail_at(at, format!("the string is no valid {what}")), Ok)
    }

    pub(super) fn timestamp(&mut self) -> Outcome {
        let time = self.form("timestamp of RFC 3339", timestamp::parse)?;
        self.put_time(time);
        Ok(())
    }

    pub(super) fn duration(&mut self) -> Outcome {
        let time = self.form("duration such as \"1.5s\"", duration::parse)?;
        self.put_time(time);
        Ok(())
    }

    pub(super) fn put_time(&mut self, time: Time) {
        self.put_integer(Kind::Int64, SECONDS, time.seconds.cast_unsigned());
        self.put_integer(Kind::Int32, NANOS, i64::from(time.nanos).cast_unsigned());
    }

    pub(super) fn field_mask(&mut self) -> Outcome {
        let paths = self.form("field mask", field_mask::parse)?;
        self.put_paths(&paths);
        Ok(())
    }

    /// Paths with commas between them.
    pub(super) fn put_paths(&mut self, paths: &[u8]) {
        for path in paths.split(|byte| *byte == b',').filter(|path| !path.is_empty()) {
            self.put_text(TEXT, path);
        }
    }

    pub(super) fn put_text(&mut self, tag: Tag, text: &[u8]) {
        put_varint(&mut self.out, tag, text.len() as u64);
        put_slice(&mut self.out, text, 0, text.len());
    }

    /// A wrapper is its only field's value.
    pub(super) fn wrapped(&mut self, plan: &'c MessagePlan) -> Outcome {
        match plan.by_number(1) {
            Some(value) => self.element(value, value.slot()),
            None => self.lexer.fail(format!("{} has no value", plan.name)),
        }
    }

    /// `{"@type": …, …}`: the type may come last, so it is looked for first.
    pub(super) fn any(&mut self) -> Outcome {
        self.lexer.token();
        let start = self.lexer.pos;
        let Some(url) = self.find_type()? else { return Ok(()) };
        let Some((codec, plan)) = self.codec.resolve_any(&url) else {
            let description = format!("the type \"{}\" is not in the schema", excerpt(&url));
            return self.lexer.fail_at(start, description);
        };
        self.lexer.go_to(start);
        self.put_text(TEXT, &url);
        // Types within are looked up where this one was found.
        let outer = std::mem::replace(&mut self.codec, codec);
        let value = self.nested(VALUE, |reader| reader.any_members(plan));
        self.codec = outer;
        value
    }

    /// The value of `@type`; none for `{}`, which is an empty Any. Steps over the object; the reader comes
    /// back to it.
    fn find_type(&mut self) -> Outcome<Option<Vec<u8>>> {
        self.lexer.open(b'{', "an object")?;
        let mut found = None;
        let empty = !self.lexer.first(b'}');
        let mut more = !empty;
        while more {
            let is_type = &*self.lexer.string()? == b"@type";
            self.lexer.colon()?;
            if !is_type {
                self.lexer.skip()?;
            } else if found.replace(self.lexer.string()?.into_owned()).is_some() {
                return self.lexer.fail("duplicate member \"@type\"");
            }
            more = self.lexer.next(b'}')?;
        }
        if found.is_none() && !empty {
            return self.lexer.fail("the object has no \"@type\"");
        }
        Ok(found)
    }

    fn any_members(&mut self, plan: &'c MessagePlan) -> Outcome {
        self.lexer.open(b'{', "an object")?;
        let mut seen = Seen::default();
        let (mut expected, mut has_value) = (0, false);
        let mut more = self.lexer.first(b'}');
        while more {
            let at = self.lexer.pos;
            let name = self.lexer.string()?;
            if &*name == b"@type" {
                self.lexer.colon()?;
                self.lexer.skip()?;
            } else if &*name == b"value" && (plan.kind != Kind::Message || plan.is_empty_type()) {
                self.any_value(plan, std::mem::replace(&mut has_value, true))?;
            } else if plan.kind == Kind::Message {
                self.lexer.pos = at;
                expected = self.member(plan, expected, &mut seen)?;
            } else if self.options.ignore_unknown {
                self.lexer.colon()?;
                self.lexer.skip()?;
            } else {
                let description = format!("an Any of {} has no member \"{}\"", plan.name, excerpt(&name));
                return self.lexer.fail_at(at, description);
            }
            more = self.lexer.next(b'}')?;
        }
        if plan.kind != Kind::Message && !has_value {
            return self.lexer.fail("the Any has no \"value\"");
        }
        Ok(())
    }

    /// The value of a type that has a form of its own.
    fn any_value(&mut self, plan: &'c MessagePlan, again: bool) -> Outcome {
        if again {
            return self.lexer.fail("duplicate member \"value\"");
        }
        self.lexer.colon()?;
        if self.body(plan.kind, plan).is_err() {
            self.lexer.trail(Segment::Field("value".into()));
            return Err(Failed);
        }
        Ok(())
    }
}

impl Codec {
    /// The type that a URL names, by what is behind its last slash (google/protobuf/any.proto); in this
    /// schema or among the standard types.
    pub(in crate::transcode) fn resolve_any(&self, url: &[u8]) -> Option<(&Self, &MessagePlan)> {
        let name = std::str::from_utf8(url).ok()?.rsplit_once('/')?.1;
        let find = |codec: &'static Self| Some((codec, codec.message_plan_by_name(name)?));
        match self.message_plan_by_name(name) {
            Some(plan) => Some((self, plan)),
            None => find(Self::standard()),
        }
    }
}
