//! Whether wire bytes can be decoded as a message, without writing anything: for those who pass messages
//! on and yet have to know.

use super::codec::Codec;
use super::options::DEFAULT_MAX_DEPTH;
use super::plan::{FieldPlan, Kind, MessagePlan};
use super::problem::{Report, WireError};
use super::text;
use super::wire::{Broken, Cursor, Head, WireType};
use crate::schema::MessageId;

/// Walks a message and all messages in it.
pub(super) fn check(codec: &Codec, message: MessageId, wire: &[u8]) -> Result<(), WireError> {
    let walk = Walk { codec };
    walk.message(codec.message_plan(message), Cursor::new(wire), 0)
        .map_err(|broken| Report::new(broken.description(), 0).into_wire_error())
}

#[derive(Clone, Copy)]
struct Walk<'c> {
    codec: &'c Codec,
}

impl Walk<'_> {
    fn message(self, plan: &MessagePlan, mut cursor: Cursor<'_>, depth: usize) -> Result<(), Broken> {
        if depth >= DEFAULT_MAX_DEPTH {
            return Err(Broken::Depth);
        }
        while !cursor.at_end() {
            let head = cursor.head()?;
            match plan.by_number(head.number).filter(|field| field.takes(head.wire_type)) {
                Some(field) => self.field(field, head, &mut cursor, depth)?,
                None => cursor.skip(head)?,
            }
        }
        Ok(())
    }

    fn field(
        self,
        field: &FieldPlan,
        head: Head,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<(), Broken> {
        if field.kind.is_message() {
            let content = if field.delimited { cursor.group(field.number)? } else { cursor.delimited()? };
            let plan = field.message.map(|id| self.codec.message_plan(id));
            return plan.map_or(Ok(()), |plan| self.message(plan, content, depth + 1));
        }
        if head.wire_type != WireType::Length {
            return cursor.skip(head);
        }
        let mut content = cursor.delimited()?;
        match field.kind {
            Kind::String if !text::is_utf8(content.rest()) => Err(Broken::Utf8),
            Kind::String | Kind::Bytes => Ok(()),
            kind => {
                while !content.at_end() {
                    content.skip(Head { number: field.number, wire_type: kind.wire_type() })?;
                }
                Ok(())
            }
        }
    }
}
