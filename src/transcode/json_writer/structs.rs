//! google.protobuf.Struct, Value and ListValue, as the JSON that they stand for.

use super::{Outcome, Writer, content};
use crate::transcode::plan::{FieldPlan, Kind, MessagePlan};
use crate::transcode::problem::Segment;
use crate::transcode::wire::{Cursor, Head, WireType};

/// Struct.fields and ListValue.values.
const FIRST: Head = Head { number: 1, wire_type: WireType::Length };

impl<'c, 'w> Writer<'c, 'w> {
    pub(super) fn structure(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        let Some(field) = plan.by_number(FIRST.number) else { return self.no_member(plan) };
        let contents = contents(parts, FIRST)?;
        let fields = self.entry_fields(field)?;
        self.gathered_map(fields, &contents)
    }

    pub(super) fn list_value(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        let Some(field) = plan.by_number(FIRST.number) else { return self.no_member(plan) };
        self.enter()?;
        let start = self.out.len();
        let mut index = 0;
        for part in parts {
            let mut cursor = *part;
            while !cursor.at_end() {
                let head = cursor.head()?;
                if head == FIRST {
                    let element = self.element(field, &mut cursor);
                    self.within(element, || Segment::Index(index))?;
                    index += 1;
                } else {
                    cursor.skip(head)?;
                }
            }
        }
        self.leave(start, *b"[]");
        Ok(())
    }

    fn no_member(&mut self, plan: &MessagePlan) -> Outcome {
        self.fail(format!("{} is not the type of that name", plan.name))
    }

    /// The last member that is set wins; a value with none is `null`.
    pub(super) fn dynamic_value(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome {
        let mut member: Option<(&'c FieldPlan, Cursor<'w>)> = None;
        let mut earlier = Vec::new();
        for part in parts {
            let mut cursor = *part;
            while !cursor.at_end() {
                let head = cursor.head()?;
                if let Some((_, field)) = self.find(plan, head, cursor) {
                    match member.replace((field, cursor)) {
                        Some((before, place)) if before.number == field.number => earlier.push(place),
                        _ => earlier.clear(),
                    }
                }
                cursor.skip(head)?;
            }
        }
        match member {
            Some((field, place)) if field.kind.is_message() => {
                let places = earlier.iter().chain([&place]);
                let parts: Vec<_> =
                    places.map(|place| content(field, &mut place.clone())).collect::<Result<_, _>>()?;
                self.message(field, &parts)
            }
            Some((field, place)) => self.scalar_value(field, place),
            None => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    fn scalar_value(&mut self, field: &FieldPlan, mut place: Cursor<'w>) -> Outcome {
        if field.kind == Kind::Double && !f64::from_le_bytes(place.clone().fixed64()?).is_finite() {
            return self.fail("google.protobuf.Value cannot hold NaN or Infinity in JSON");
        }
        self.scalar(field, &mut place)
    }
}

/// The contents of all length-delimited values of one field.
pub(super) fn contents<'w>(parts: &[Cursor<'w>], wanted: Head) -> Outcome<Vec<Cursor<'w>>> {
    let mut contents = Vec::new();
    for part in parts {
        let mut cursor = *part;
        while !cursor.at_end() {
            let head = cursor.head()?;
            if head == wanted {
                contents.push(cursor.delimited()?);
            } else {
                cursor.skip(head)?;
            }
        }
    }
    Ok(contents)
}
