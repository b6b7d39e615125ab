//! google.protobuf.Struct, Value and ListValue: any JSON, as messages of fixed shape.

use super::lexer::{Failed, Outcome};
use super::{Reader, Slot};
use crate::transcode::distinct::Span;
use crate::transcode::number;
use crate::transcode::problem::Segment;
use crate::transcode::wire::{Tag, WireType, fill_length, put_fixed64, put_varint, reserve_length};

/// Struct.fields and ListValue.values.
const FIRST: Tag = Tag::new(1, WireType::Length);
/// The key and the value of an entry of Struct.fields.
const KEY: Slot = Slot { tag: Tag::new(1, WireType::Length), implicit: false };
const VALUE: Tag = Tag::new(2, WireType::Length);

/// The members of Value's oneof.
const NULL_VALUE: Tag = Tag::new(1, WireType::Varint);
const NUMBER_VALUE: Tag = Tag::new(2, WireType::Fixed64);
const STRING_VALUE: Slot = Slot { tag: Tag::new(3, WireType::Length), implicit: false };
const BOOL_VALUE: Tag = Tag::new(4, WireType::Varint);
const STRUCT_VALUE: Tag = Tag::new(5, WireType::Length);
const LIST_VALUE: Tag = Tag::new(6, WireType::Length);

impl Reader<'_, '_> {
    pub(super) fn structure(&mut self) -> Outcome {
        self.lexer.open(b'{', "an object")?;
        let first_key = self.keys.len();
        let mut more = self.lexer.first(b'}');
        while more {
            self.member_value()?;
            more = self.lexer.next(b'}')?;
        }
        self.check_keys(first_key)
    }

    fn member_value(&mut self) -> Outcome {
        let entry = reserve_length(&mut self.out, FIRST, 1);
        let key_start = self.out.len();
        let name = self.lexer.pos;
        self.string(KEY)?;
        let key_end = self.out.len();
        self.lexer.colon()?;
        let value = reserve_length(&mut self.out, VALUE, 1);
        if self.dynamic_value().is_err() {
            let segment = self.key_segment(name);
            self.lexer.trail(segment);
            return Err(Failed);
        }
        fill_length(&mut self.out, value);
        let moved = fill_length(&mut self.out, entry) - 1;
        self.keys.push(Span::new(key_start + moved, key_end + moved));
        Ok(())
    }

    pub(super) fn list_value(&mut self) -> Outcome {
        self.lexer.open(b'[', "an array")?;
        let mut index = 0;
        let mut more = self.lexer.first(b']');
        while more {
            let element = self.nested(FIRST, Self::dynamic_value);
            self.within(element, || Segment::Index(index))?;
            index += 1;
            more = self.lexer.next(b']')?;
        }
        Ok(())
    }

    pub(super) fn dynamic_value(&mut self) -> Outcome {
        match self.lexer.token() {
            b'n' => {
                self.lexer.word("null")?;
                put_varint(&mut self.out, NULL_VALUE, 0);
            }
            b't' | b'f' => {
                let value = self.lexer.boolean()?;
                put_varint(&mut self.out, BOOL_VALUE, value.into());
            }
            b'"' => self.string(STRING_VALUE)?,
            b'{' => self.nested(STRUCT_VALUE, Self::structure)?,
            b'[' => self.nested(LIST_VALUE, Self::list_value)?,
            b'-' | b'0'..=b'9' => {
                let value = self.lexer.number(number::double)?;
                put_fixed64(&mut self.out, NUMBER_VALUE, value.to_bits());
            }
            _ => return self.lexer.expected("a value"),
        }
        Ok(())
    }
}
