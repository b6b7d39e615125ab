//! The second pass, for wire in disorder: the values of each field are gathered before they are written.
//!
//! Nothing is copied: what is gathered are places in the input, eight bytes each, and a value takes at
//! least two.

use super::{Fault, Outcome, Writer, content};
use crate::transcode::plan::{FieldPlan, MessagePlan, Shape};
use crate::transcode::problem::Segment;
use crate::transcode::wire::Cursor;

/// One value on the wire: its field's position in the plan, and the place of its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    index: u32,
    start: u32,
}

/// Which member a oneof has, and the place since when.
struct Choice {
    oneof: u32,
    index: u32,
    since: u32,
}

impl<'c, 'w> Writer<'c, 'w> {
    pub(super) fn gathered_members(
        &mut self,
        plan: &'c MessagePlan,
        parts: &[Cursor<'w>],
        mut at: usize,
    ) -> Outcome {
        let mut records = self.records(plan, parts)?;
        records.sort_unstable();
        let mut next = 0;
        for group in records.chunk_by(|a, b| a.index == b.index) {
            let Some(Record { index, .. }) = group.first().copied() else { continue };
            let index = index as usize;
            let Some(field) = plan.fields.get(index) else { continue };
            at = self.defaults(plan, next..index, at);
            next = index + 1;
            if self.are_hidden(field, group)? {
                continue;
            }
            let outer = self.selection;
            if !self.select(index) {
                continue;
            }
            let before = at;
            at = self.label(field, at);
            let value = self.gathered_field(field, group, at);
            at = self.within(value, || Segment::Field(field.json_name.clone()))?;
            at = self.taken_back(field, before, at);
            self.selection = outer;
        }
        Ok(self.defaults(plan, next..plan.fields.len(), at))
    }

    /// Whether the values make none: of a singular field the last counts, of a list all.
    fn are_hidden(&self, field: &FieldPlan, group: &[Record]) -> Outcome<bool> {
        let counting = if field.shape == Shape::Singular { group.len().saturating_sub(1) } else { 0 };
        for record in group.get(counting..).unwrap_or_default() {
            let mut cursor = Cursor::at(self.whole, record.start as usize);
            let head = cursor.head()?;
            if !self.is_hidden(field, head, cursor) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The values of known fields, in the order of the wire; of a oneof those of its last member only.
    fn records(&mut self, plan: &'c MessagePlan, parts: &[Cursor<'w>]) -> Outcome<Vec<Record>> {
        let mut records = Vec::new();
        let mut choices: Vec<Choice> = Vec::new();
        for part in parts {
            let mut cursor = *part;
            while !cursor.at_end() {
                let place = cursor.pos(self.whole);
                let head = cursor.head()?;
                if let Some((index, field)) = self.find(plan, head, 0, cursor) {
                    let record = self.record(index, place)?;
                    records.push(record);
                    choose(&mut choices, field, record);
                }
                cursor = cursor.behind(head)?;
            }
        }
        records.retain(|record| {
            let oneof = plan.fields.get(record.index as usize).and_then(|field| field.oneof);
            let choice = choices.iter().find(|choice| Some(choice.oneof) == oneof);
            choice.is_none_or(|choice| choice.index == record.index && choice.since <= record.start)
        });
        Ok(records)
    }

    fn record(&mut self, index: usize, start: usize) -> Outcome<Record> {
        match (u32::try_from(index), u32::try_from(start)) {
            (Ok(index), Ok(start)) => Ok(Record { index, start }),
            _ => self.fail("the message is larger than 4 GiB"),
        }
    }

    fn gathered_field(&mut self, field: &'c FieldPlan, records: &[Record], at: usize) -> Outcome {
        match field.shape {
            Shape::Singular if !field.kind.is_message() => match records.last() {
                Some(record) => Ok(self.scalar(field, self.behind_tag(*record)?, at)?.1),
                None => Ok(at),
            },
            Shape::Singular => {
                let parts = self.contents(field, records)?;
                self.message(field, &parts, at)
            }
            Shape::Repeated | Shape::Packed => self.gathered_list(field, records, at),
            Shape::Map => {
                let fields = self.entry_fields(field)?;
                let contents = self.contents(field, records)?;
                self.gathered_map(fields, &contents, at)
            }
        }
    }

    fn gathered_list(&mut self, field: &'c FieldPlan, records: &[Record], start: usize) -> Outcome {
        self.enter()?;
        let mut at = start;
        for (index, record) in records.iter().enumerate() {
            let mut cursor = Cursor::at(self.whole, record.start as usize);
            let head = cursor.head()?;
            let elements = self.elements(field, head, cursor, at);
            (_, at) = self.within(elements, || Segment::Index(index))?;
        }
        Ok(self.leave(start, at, *b"[]"))
    }

    fn contents(&self, field: &FieldPlan, records: &[Record]) -> Outcome<Vec<Cursor<'w>>> {
        records.iter().map(|record| Ok(content(field, self.behind_tag(*record)?)?.0)).collect()
    }

    fn behind_tag(&self, record: Record) -> Outcome<Cursor<'w>> {
        let mut cursor = Cursor::at(self.whole, record.start as usize);
        cursor.head()?;
        Ok(cursor)
    }

    /// The value of one field alone, or what stands for its absence: for a field with presence `null`,
    /// unless its type is an object in JSON, which is then empty.
    pub(super) fn single_field(
        &mut self,
        plan: &'c MessagePlan,
        number: u32,
        wire: Cursor<'w>,
        at: usize,
    ) -> Outcome {
        let Some(index) = plan.index_by_number(number) else {
            return self.fail(format!("{} has no field {number}", plan.name));
        };
        let Some(field) = plan.fields.get(index) else { return Err(Fault::Disorder) };
        let mut records = self.records(plan, &[wire])?;
        records.retain(|record| record.index as usize == index);
        if !records.is_empty() {
            let value = self.gathered_field(field, &records, at);
            return self.within(value, || Segment::Field(field.json_name.clone()));
        }
        Ok(if field.has_no_presence() || field.kind.is_message() {
            self.default_value(field, at)
        } else {
            self.out.fixed(at, b"null")
        })
    }
}

fn choose(choices: &mut Vec<Choice>, field: &FieldPlan, record: Record) {
    let Some(oneof) = field.oneof else { return };
    match choices.iter_mut().find(|choice| choice.oneof == oneof) {
        Some(choice) if choice.index == record.index => {}
        Some(choice) => (choice.index, choice.since) = (record.index, record.start),
        None => choices.push(Choice { oneof, index: record.index, since: record.start }),
    }
}
