//! Wire → wire: a message in the form that serializers write, whatever form it came in.
//!
//! Fields are in the order of their numbers, singular ones once, messages in parts are merged, repeated
//! scalars are packed or not as declared, varints are as short as they can be. Unknown fields stay, behind
//! the known ones. Whoever has to compare messages, or to know whether one can be decoded, looks here.

use std::collections::HashMap;

use super::codec::Codec;
use super::options::DEFAULT_MAX_DEPTH;
use super::plan::{FieldPlan, Kind, MessagePlan, Shape};
use super::problem::{Report, WireError};
use super::text;
use super::wire::{
    Broken, Cursor, Head, Tag, WireType, fill_length, put_fixed32, put_fixed64, put_slice, put_tag,
    put_varint, reserve_length,
};
use crate::schema::MessageId;

/// Appends the canonical form; on an error `out` is left as it was.
pub(super) fn canonical(
    codec: &Codec,
    message: MessageId,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let start = out.len();
    let mut rewriter = Rewriter { codec, out, depth: 0 };
    rewriter.message(codec.message_plan(message), &[Cursor::new(wire)]).map_err(|broken| {
        out.truncate(start);
        Report::new(broken.description(), 0).into_wire_error()
    })
}

struct Rewriter<'c, 'o> {
    codec: &'c Codec,
    out: &'o mut Vec<u8>,
    depth: usize,
}

/// One value of a known field: the field's position in the plan, its wire type, and what is behind its tag.
struct Value<'w> {
    index: usize,
    head: Head,
    place: Cursor<'w>,
}

/// The fields of a message: the known by number, the unknown as they are, tags included.
#[derive(Default)]
struct Fields<'w> {
    known: Vec<Value<'w>>,
    unknown: Vec<&'w [u8]>,
}

type Outcome<T = ()> = Result<T, Broken>;

impl<'c> Rewriter<'c, '_> {
    fn message(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'_>]) -> Outcome {
        if self.depth >= DEFAULT_MAX_DEPTH {
            return Err(Broken::Depth);
        }
        self.depth += 1;
        let mut fields = self.fields(plan, parts)?;
        // Stable: the values of one field stay in their order.
        fields.known.sort_by_key(|value| value.index);
        for values in fields.known.chunk_by(|a, b| a.index == b.index) {
            if let Some(field) = values.first().and_then(|value| plan.fields.get(value.index)) {
                self.field(field, values)?;
            }
        }
        for unknown in fields.unknown {
            self.out.extend_from_slice(unknown);
        }
        self.depth -= 1;
        Ok(())
    }

    fn fields<'w>(&self, plan: &MessagePlan, parts: &[Cursor<'w>]) -> Outcome<Fields<'w>> {
        let mut fields = Fields::default();
        // The member that each oneof has, and the first of its values that counts.
        let mut oneofs: HashMap<u32, (usize, usize)> = HashMap::new();
        for part in parts {
            let mut cursor = *part;
            while !cursor.at_end() {
                let start = cursor;
                let head = cursor.head()?;
                let place = cursor;
                cursor = cursor.behind(head)?;
                let Some((index, field)) = self.find(plan, head, place) else {
                    fields.unknown.push(start.until(cursor));
                    continue;
                };
                if let Some(oneof) = field.oneof
                    && oneofs.get(&oneof).is_none_or(|(member, _)| *member != index)
                {
                    oneofs.insert(oneof, (index, fields.known.len()));
                }
                fields.known.push(Value { index, head, place });
            }
        }
        let mut positions = 0..;
        fields.known.retain(|value| {
            let position = positions.next();
            let oneof = plan.fields.get(value.index).and_then(|field| field.oneof);
            let choice = oneof.and_then(|oneof| oneofs.get(&oneof));
            choice.is_none_or(|(member, since)| *member == value.index && Some(*since) <= position)
        });
        Ok(fields)
    }

    fn find<'p>(
        &self,
        plan: &'p MessagePlan,
        head: Head,
        place: Cursor<'_>,
    ) -> Option<(usize, &'p FieldPlan)> {
        let (index, field) = plan.field_of(head, 0)?;
        let unknown = match field.shape {
            Shape::Map => self.is_unknown_entry(field, place),
            _ => field.closed && head.is(WireType::Varint) && !self.is_declared(field, place),
        };
        (!unknown).then_some((index, field))
    }

    /// An entry whose only values are numbers that a closed enum lacks is an unknown field as a whole.
    fn is_unknown_entry(&self, field: &FieldPlan, mut place: Cursor<'_>) -> bool {
        let entry = field.message.map(|id| self.codec.message_plan(id)).and_then(MessagePlan::entry_fields);
        let Some((_, value)) = entry.filter(|(_, value)| value.closed) else { return false };
        let Ok(mut content) = place.delimited() else { return false };
        let mut undeclared = false;
        while let Ok(head) = content.head() {
            if head == value.head {
                if self.is_declared(value, content) {
                    return false;
                }
                undeclared = true;
            }
            let Ok(behind) = content.behind(head) else { return false };
            content = behind;
        }
        undeclared
    }

    /// Numbers that a closed enum lacks are unknown fields.
    fn is_declared(&self, field: &FieldPlan, mut place: Cursor<'_>) -> bool {
        match (field.enumeration, place.varint()) {
            (Some(id), Ok(bits)) => self.codec.enum_plan(id).knows(low_half(bits).cast_signed()),
            _ => true,
        }
    }

    fn field(&mut self, field: &FieldPlan, values: &[Value<'_>]) -> Outcome {
        match field.shape {
            Shape::Singular if field.kind.is_message() => {
                let parts =
                    values.iter().map(|value| content(field, value.place)).collect::<Outcome<Vec<_>>>()?;
                self.nested(field, &parts)
            }
            Shape::Singular => values.last().map_or(Ok(()), |value| {
                self.scalar(field, field.tag, field.implicit, &mut value.place.clone())
            }),
            Shape::Packed => self.packed(field, values),
            Shape::Repeated => values.iter().try_for_each(|value| self.elements(field, field.tag, value)),
            Shape::Map => self.map(field, values),
        }
    }

    fn packed(&mut self, field: &FieldPlan, values: &[Value<'_>]) -> Outcome {
        let start = self.out.len();
        let reserved = reserve_length(self.out, field.tag, 1);
        let empty = self.out.len();
        values.iter().try_for_each(|value| self.elements(field, Tag::NONE, value))?;
        if self.out.len() == empty {
            self.out.truncate(start);
        } else {
            fill_length(self.out, reserved);
        }
        Ok(())
    }

    /// The value, or the packed values, behind one tag.
    fn elements(&mut self, field: &FieldPlan, tag: Tag, value: &Value<'_>) -> Outcome {
        let mut place = value.place;
        if field.kind.is_message() {
            return self.nested(field, &[content(field, place)?]);
        }
        if value.head.is(field.kind.wire_type()) {
            return self.scalar(field, tag, false, &mut place);
        }
        let mut packed = place.delimited()?;
        while !packed.at_end() {
            if field.closed && !self.is_declared(field, packed) {
                packed.varint()?;
            } else {
                self.scalar(field, tag, false, &mut packed)?;
            }
        }
        Ok(())
    }

    fn nested(&mut self, field: &FieldPlan, parts: &[Cursor<'_>]) -> Outcome {
        let Some(plan) = field.message.map(|id| self.codec.message_plan(id)) else { return Ok(()) };
        if field.delimited {
            put_tag(self.out, field.tag);
            self.message(plan, parts)?;
            put_tag(self.out, Tag::new(field.number, WireType::GroupEnd));
            return Ok(());
        }
        let reserved = reserve_length(self.out, field.tag, 1);
        self.message(plan, parts)?;
        fill_length(self.out, reserved);
        Ok(())
    }

    /// Of entries with the same key the last one wins; keys are the same if they are in canonical form.
    fn map(&mut self, field: &FieldPlan, values: &[Value<'_>]) -> Outcome {
        let entry = field.message.map(|id| self.codec.message_plan(id));
        let Some((key, _)) = entry.and_then(MessagePlan::entry_fields) else { return Ok(()) };
        let mut last = HashMap::new();
        for (position, value) in values.iter().enumerate() {
            last.insert(self.canonical_key(key, content(field, value.place)?)?, position);
        }
        for (position, value) in values.iter().enumerate() {
            let content = content(field, value.place)?;
            if last.get(&self.canonical_key(key, content)?) == Some(&position) {
                self.nested(field, &[content])?;
            }
        }
        Ok(())
    }

    fn canonical_key(&mut self, key: &FieldPlan, mut entry: Cursor<'_>) -> Outcome<Vec<u8>> {
        let mut found = None;
        while !entry.at_end() {
            let head = entry.head()?;
            if head == key.head {
                found = Some(entry);
            }
            entry = entry.behind(head)?;
        }
        let start = self.out.len();
        if let Some(mut place) = found {
            self.scalar(key, key.tag, true, &mut place)?;
        }
        let canonical = self.out.get(start..).unwrap_or_default().to_vec();
        self.out.truncate(start);
        Ok(canonical)
    }

    fn scalar(&mut self, field: &FieldPlan, tag: Tag, implicit: bool, place: &mut Cursor<'_>) -> Outcome {
        match field.kind.wire_type() {
            WireType::Fixed32 => {
                let bits = u32::from_le_bytes(place.fixed32()?);
                if bits != 0 || !implicit {
                    put_fixed32(self.out, tag, bits);
                }
            }
            WireType::Fixed64 => {
                let bits = u64::from_le_bytes(place.fixed64()?);
                if bits != 0 || !implicit {
                    put_fixed64(self.out, tag, bits);
                }
            }
            WireType::Length => {
                let bytes = place.delimited()?.rest();
                if field.kind == Kind::String && !text::is_utf8(bytes) {
                    return Err(Broken::Utf8);
                }
                if !bytes.is_empty() || !implicit {
                    put_varint(self.out, tag, bytes.len() as u64);
                    put_slice(self.out, bytes, 0, bytes.len());
                }
            }
            _ => {
                let bits = shortest(field.kind, place.varint()?);
                if bits != 0 || !implicit {
                    put_varint(self.out, tag, bits);
                }
            }
        }
        Ok(())
    }
}

/// The content of a message field, behind its tag.
fn content<'w>(field: &FieldPlan, mut place: Cursor<'w>) -> Outcome<Cursor<'w>> {
    if field.delimited { place.group(field.number) } else { place.delimited() }
}

/// The bits of a varint that its kind keeps.
fn shortest(kind: Kind, bits: u64) -> u64 {
    match kind {
        Kind::Bool => (bits != 0).into(),
        Kind::Uint32 | Kind::Sint32 => low_half(bits).into(),
        Kind::Int32 | Kind::Enum | Kind::NullValue => i64::from(low_half(bits).cast_signed()).cast_unsigned(),
        _ => bits,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cut on purpose: 64-bit varints of 32-bit fields are")]
const fn low_half(bits: u64) -> u32 {
    bits as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcode::fixture::{CODEC, all};

    fn rewritten(wire: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = vec![7];
        let result = canonical(&CODEC, all(), wire, &mut out);
        assert!(result.is_ok() || out == [7]);
        result.map(|()| out.split_off(1)).map_err(|error| error.description)
    }

    #[test]
    fn every_form_becomes_the_one() {
        let cases: [(&[u8], &[u8]); 8] = [
            (&[0x18, 1, 0x18, 2], &[0x18, 2]),
            (&[0x18, 0], &[]),
            (&[0x18, 0x81, 0x80, 0x80, 0x80, 0x10], &[0x18, 1]),
            (&[0xb0, 1, 1, 0x18, 5, 0xb2, 1, 1, 2], &[0x18, 5, 0xb2, 1, 2, 1, 2]),
            (&[0xda, 2, 0, 0xe0, 2, 1], &[0xe0, 2, 1]),
            (&[0x8a, 1, 2, 0x18, 1, 0x8a, 1, 2, 0x40, 2], &[0x8a, 1, 4, 0x18, 1, 0x40, 2]),
            (&[0x80, 0x7d, 1, 0x18, 5], &[0x18, 5, 0x80, 0x7d, 1]),
            (
                &[0x82, 2, 5, 8, 1, 0x12, 1, b'a', 0x82, 2, 6, 8, 0x81, 0, 0x12, 1, b'b'],
                &[0x82, 2, 5, 8, 1, 0x12, 1, b'b'],
            ),
        ];
        for (wire, expected) in cases {
            assert_eq!(rewritten(wire).as_deref(), Ok(expected));
            assert_eq!(rewritten(expected).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error() {
        assert_eq!(rewritten(&[0x18]), Err("the message ends within a value".into()));
        assert_eq!(rewritten(&[0x72, 1, 0xff]), Err("a string is not valid UTF-8".into()));
        let deep = (0..100).fold(Vec::new(), |inner: Vec<u8>, _| {
            let mut out = Vec::new();
            put_varint(&mut out, Tag::new(17, WireType::Length), inner.len() as u64);
            [out, inner].concat()
        });
        assert_eq!(rewritten(&deep), Err("the message is nested too deeply".into()));
    }
}
