//! google.protobuf.Struct, Value and ListValue, as the JSON that they stand for.

use super::{Outcome, Writer, content};
use crate::transcode::plan::{FieldPlan, Kind, MessagePlan};
use crate::transcode::problem::Segment;
use crate::transcode::wire::{Cursor, Head, WireType};

/// Struct.fields and ListValue.values.
const FIRST: Head = Head::new(1, WireType::Length);

impl<'c, 'w> Writer<'c, 'w> {
    pub(super) fn structure(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>], at: usize) -> Outcome {
        let Some(field) = plan.by_number(FIRST.number()) else { return self.no_member(plan) };
        let contents = contents(parts, FIRST)?;
        let fields = self.entry_fields(field)?;
        self.gathered_map(fields, &contents, at)
    }

    pub(super) fn list_value(
        &mut self,
        plan: &'c MessagePlan,
        parts: &[Cursor<'w>],
        start: usize,
    ) -> Outcome {
        let Some(field) = plan.by_number(FIRST.number()) else { return self.no_member(plan) };
        self.enter()?;
        let mut at = start;
        let mut index = 0;
        for part in parts {
            let mut cursor = *part;
            while !cursor.at_end() {
                let head = cursor.head()?;
                if head == FIRST {
                    let element = self.element(field, cursor, at);
                    (cursor, at) = self.within(element, || Segment::Index(index))?;
                    index += 1;
                } else {
                    cursor = cursor.behind(head)?;
                }
            }
        }
        Ok(self.leave(start, at, *b"[]"))
    }

    fn no_member(&mut self, plan: &MessagePlan) -> Outcome {
        self.fail(format!("{} is not the type of that name", plan.name))
    }

    /// The last member that is set wins; a value with none is `null`.
    pub(super) fn dynamic_value(
        &mut self,
        plan: &'c MessagePlan,
        parts: &[Cursor<'w>],
        at: usize,
    ) -> Outcome {
        let mut member: Option<(&'c FieldPlan, Cursor<'w>)> = None;
        let mut earlier = Vec::new();
        for part in parts {
            let mut cursor = *part;
            while !cursor.at_end() {
                let head = cursor.head()?;
                if let Some((_, field)) = self.find(plan, head, 0, cursor) {
                    match member.replace((field, cursor)) {
                        Some((before, place)) if before.number == field.number => earlier.push(place),
                        _ => earlier.clear(),
                    }
                }
                cursor = cursor.behind(head)?;
            }
        }
        match member {
            Some((field, place)) if field.kind.is_message() => {
                let places = earlier.iter().chain([&place]);
                let parts: Vec<_> =
                    places.map(|place| Ok(content(field, *place)?.0)).collect::<Outcome<_>>()?;
                self.message(field, &parts, at)
            }
            Some((field, place)) => self.scalar_value(field, place, at),
            None => Ok(self.out.fixed(at, b"null")),
        }
    }

    fn scalar_value(&mut self, field: &FieldPlan, place: Cursor<'w>, at: usize) -> Outcome {
        if field.kind == Kind::Double && !f64::from_le_bytes(place.clone().fixed64()?).is_finite() {
            return self.fail("google.protobuf.Value cannot hold NaN or Infinity in JSON");
        }
        Ok(self.scalar(field, place, at)?.1)
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
                cursor = cursor.behind(head)?;
            }
        }
    }
    Ok(contents)
}
