//! Partial responses: which fields of a message are written, as `?$fields=` selects them.
//!
//! ```text
//! selection = item *("," item)
//! item      = "*" | name [ ("." | "/") item | "(" selection ")" ]
//! name      = a field's name, of JSON or of the .proto file; "[full.name]" of an extension
//! ```
//!
//! The grammar is that of the `fields` parameter of Google's APIs. Below a repeated field it selects
//! within each element, below a map within each value. A mask is compiled against the plans, so that the
//! writer asks for a field by its place and steps over what is not selected without reading it.

use super::Codec;
use super::options::DEFAULT_MAX_DEPTH;
use super::plan::{FieldPlan, Kind, MessagePlan, Shape};
use super::problem::excerpt;
use crate::schema::MessageId;

/// The longest text of a mask, in bytes.
const MAX_LENGTH: usize = 4096;

/// What is selected of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask(Part);

/// What is selected of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Fields(Selection),
}

/// The selected fields of one message, by their places in its plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection(Vec<(usize, Part)>);

/// Why a text selects nothing of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskError(pub String);

impl Mask {
    /// Compiles the text of a mask for messages of one type.
    ///
    /// # Errors
    /// A text that is no mask, too long or too deep, and names of no field.
    pub fn of_message(codec: &Codec, message: MessageId, text: &str) -> Result<Self, MaskError> {
        Self::parse(codec, codec.message_plan(message), text)
    }

    /// Compiles the text of a mask for the values of one field.
    ///
    /// # Errors
    /// As those of [`Mask::of_message`], and a field that is no message.
    pub fn of_field(codec: &Codec, message: MessageId, number: u32, text: &str) -> Result<Self, MaskError> {
        let field = codec.message_plan(message).by_number(number);
        let field = field.ok_or_else(|| MaskError(format!("there is no field {number}")))?;
        Self::parse(codec, below(codec, field)?, text)
    }

    fn parse(codec: &Codec, plan: &MessagePlan, text: &str) -> Result<Self, MaskError> {
        if text.len() > MAX_LENGTH {
            return Err(MaskError(format!("the selection is longer than {MAX_LENGTH} bytes")));
        }
        if plan.kind != Kind::Message {
            return Err(no_fields(&plan.name));
        }
        let mut parser = Parser { codec, rest: text, depth: 0 };
        let part = parser.selection(plan)?;
        if parser.rest.is_empty() { Ok(Self(part)) } else { Err(parser.unexpected()) }
    }

    /// The selected fields; `None` when all are.
    pub(super) const fn selection(&self) -> Option<&Selection> {
        self.0.selection()
    }
}

impl Part {
    pub(super) const fn selection(&self) -> Option<&Selection> {
        match self {
            Self::Whole => None,
            Self::Fields(selection) => Some(selection),
        }
    }

    /// Selects what either selects.
    fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Whole, _) => {}
            (_, Self::Whole) => *self = Self::Whole,
            (Self::Fields(selection), Self::Fields(other)) => {
                for (index, part) in other.0 {
                    selection.add(index, part);
                }
            }
        }
    }
}

impl Selection {
    /// What is selected of the field at a place of the plan; `None` for nothing.
    #[inline]
    pub(super) fn part(&self, index: usize) -> Option<&Part> {
        let place = self.0.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.0.get(place).map(|(_, part)| part)
    }

    fn add(&mut self, index: usize, part: Part) {
        match self.0.binary_search_by_key(&index, |(index, _)| *index) {
            Ok(place) => {
                if let Some((_, selected)) = self.0.get_mut(place) {
                    selected.merge(part);
                }
            }
            Err(place) => self.0.insert(place, (index, part)),
        }
    }
}

struct Parser<'c, 't> {
    codec: &'c Codec,
    rest: &'t str,
    /// How many names stand around the place.
    depth: usize,
}

impl<'c, 't> Parser<'c, 't> {
    fn selection(&mut self, plan: &'c MessagePlan) -> Result<Part, MaskError> {
        let mut part = self.item(plan)?;
        while self.takes(',') {
            part.merge(self.item(plan)?);
        }
        Ok(part)
    }

    fn item(&mut self, mut plan: &'c MessagePlan) -> Result<Part, MaskError> {
        let mut way = Vec::new();
        let mut part = loop {
            let name = self.name();
            if name == "*" {
                break Part::Whole;
            }
            let (index, field) = find(plan, name)?;
            way.push(index);
            self.depth += 1;
            if self.depth > DEFAULT_MAX_DEPTH {
                let message = format!("the selection is deeper than {DEFAULT_MAX_DEPTH} levels");
                return Err(MaskError(message));
            }
            if self.takes('.') || self.takes('/') {
                plan = below(self.codec, field)?;
            } else if self.takes('(') {
                let inner = self.selection(below(self.codec, field)?)?;
                if !self.takes(')') {
                    return Err(self.unexpected());
                }
                break inner;
            } else {
                break Part::Whole;
            }
        };
        self.depth -= way.len();
        for index in way.into_iter().rev() {
            part = Part::Fields(Selection(vec![(index, part)]));
        }
        Ok(part)
    }

    fn name(&mut self) -> &'t str {
        let end = if self.rest.starts_with('[') {
            self.rest.find(']').map(|end| end + 1)
        } else {
            self.rest.find([',', '.', '/', '(', ')'])
        };
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        name
    }

    fn takes(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn unexpected(&self) -> MaskError {
        match self.rest.chars().next() {
            Some(mark) => {
                MaskError(format!("{mark:?} is not expected before \"{}\"", excerpt(self.rest.as_bytes())))
            }
            None => MaskError("a closing parenthesis is missing".to_owned()),
        }
    }
}

fn find<'c>(plan: &'c MessagePlan, name: &str) -> Result<(usize, &'c FieldPlan), MaskError> {
    let found = plan.index_by_name(name.as_bytes());
    found.and_then(|index| Some((index, plan.fields.get(index)?))).ok_or_else(|| {
        let name = excerpt(name.as_bytes());
        MaskError(if name.is_empty() {
            format!("a name is missing: write fields of {} as in `a,b(c,d)`", plan.name)
        } else {
            format!("{} has no field \"{name}\"", plan.name)
        })
    })
}

/// The message type of a field's values, if fields of it can be selected.
fn below<'c>(codec: &'c Codec, field: &'c FieldPlan) -> Result<&'c MessagePlan, MaskError> {
    let mut plan = field.message.map(|id| codec.message_plan(id));
    if field.shape == Shape::Map {
        let value = plan.and_then(MessagePlan::entry_fields).map(|(_, value)| value);
        plan = value.and_then(|value| value.message).map(|id| codec.message_plan(id));
    }
    plan.filter(|plan| plan.kind == Kind::Message).ok_or_else(|| no_fields(&field.name))
}

fn no_fields(name: &str) -> MaskError {
    MaskError(format!("\"{name}\" has no fields to select from"))
}

#[cfg(test)]
mod tests;
