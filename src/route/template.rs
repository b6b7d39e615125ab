//! A path template of `google.api.http`, parsed.
//!
//! Look here for what a template consists of and how it is printed; [`super::parser`] has the grammar.
//! It does not know which fields its variables name.

use std::fmt::{self, Write};
use std::ops::Range;

use super::captures::{Mark, Span};
use super::parser::Parser;
use super::segment;

/// The most segments a template may have: the depth to which matching may recurse.
pub(super) const MAX_SEGMENTS: usize = 128;

/// A path template such as `/v1/{name=shelves/*/books/*}:publish`.
///
/// `Display` gives the canonical text: `{var}` for `{var=*}`, literals percent-encoded no more than
/// needed. It parses to an equal template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    pub(super) segments: Vec<Segment>,
    pub(super) variables: Vec<Variable>,
    pub(super) verb: Option<String>,
}

/// `Segment` of the grammar, variables taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// Exactly this text, percent-decoded.
    Literal(String),
    /// `*`: one segment that is not empty.
    Any,
    /// `**`: zero or more segments; at most one in a template.
    Rest,
}

/// A variable of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variable {
    /// The field path: `a.b` is `["a", "b"]`.
    pub path: Vec<String>,
    /// Whether it can span several segments: its pattern is not exactly one, or is `**`.
    ///
    /// Such a value keeps its reserved characters percent-encoded.
    pub multi: bool,
    /// The segments that it covers.
    pub(super) range: Range<usize>,
}

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When the text is outside the grammar, names a variable twice, or can match no path at all.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Parser::new(text).template()
    }

    /// The template behind a prefix of literal segments: `/v1/{id}` with `/shop` is `/shop/v1/{id}`.
    ///
    /// # Errors
    /// When the prefix is no template, or holds more than literals; columns count in the prefix.
    pub fn prefixed(&self, prefix: &str) -> Result<Self, TemplateError> {
        let Self { segments: mut all, variables, verb } = Self::parse(prefix)?;
        let refuse = |message: &str| TemplateError { column: 1, message: message.to_owned(), help: None };
        if !variables.is_empty() || verb.is_some() || !all.iter().all(Segment::is_literal) {
            return Err(refuse("a prefix holds literal segments only"));
        }
        if all.len() + self.segments.len() > MAX_SEGMENTS {
            return Err(refuse(&format!("with the prefix a template has more than {MAX_SEGMENTS} segments")));
        }
        let shift = all.len();
        all.extend_from_slice(&self.segments);
        let moved =
            |it: &Variable| Variable { range: it.range.start + shift..it.range.end + shift, ..it.clone() };
        Ok(Self {
            segments: all,
            variables: self.variables.iter().map(moved).collect(),
            verb: self.verb.clone(),
        })
    }

    /// The variables in order of appearance; [`super::Captures`] have the same order.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The text behind the colon at the end, percent-decoded.
    #[must_use]
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// The template without its variables: `/v1/*/books/*:publish`.
    ///
    /// Templates of one shape match the same paths: only the method can tell them apart.
    #[must_use]
    pub fn shape(&self) -> String {
        Self { variables: Vec::new(), ..self.clone() }.to_string()
    }

    /// Where in a path each variable finds its value.
    pub(super) fn spans(&self) -> Box<[Span]> {
        let rest = self.segments.iter().position(|it| *it == Segment::Rest).unwrap_or(usize::MAX);
        // What stands behind `**` is counted from the path's end.
        let mark =
            |at: usize| if at <= rest { Mark::Front(at) } else { Mark::Back(self.segments.len() - at) };
        let span =
            |it: &Variable| Span { start: mark(it.range.start), end: mark(it.range.end), multi: it.multi };
        self.variables.iter().map(span).collect()
    }
}

impl Segment {
    fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => segment::encode(text, f),
            Self::Any => f.write_str("*"),
            Self::Rest => f.write_str("**"),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            f.write_char('/')?;
        }
        for (at, segment) in self.segments.iter().enumerate() {
            f.write_char('/')?;
            let opened = self.variables.iter().find(|it| it.range.start == at);
            match opened {
                Some(it) if it.range.len() == 1 && *segment == Segment::Any => {
                    write!(f, "{{{}", it.path.join("."))?;
                }
                Some(it) => write!(f, "{{{}={segment}", it.path.join("."))?,
                None => segment.fmt(f)?,
            }
            if self.variables.iter().any(|it| it.range.end == at + 1) {
                f.write_char('}')?;
            }
        }
        let Some(verb) = &self.verb else { return Ok(()) };
        f.write_char(':')?;
        segment::encode(verb, f)
    }
}

#[cfg(test)]
mod tests;
