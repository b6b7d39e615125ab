//! What the variables of a template took from a path, decoded.
//!
//! Look here for which escapes a value keeps. It knows no field names: values stand in the order of
//! [`super::Template::variables`].

use super::path::{Path, PathError, PathSegment};
use super::segment::decode_except;

/// The values of a template's variables, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    /// All values in a row.
    text: String,
    /// Where each value ends in it.
    ends: Vec<usize>,
}

/// The segments that a variable covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Mark,
    pub(super) end: Mark,
    /// Whether reserved characters stay encoded.
    pub(super) multi: bool,
}

/// A boundary between segments; what stands behind `**` can only be counted from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Front(usize),
    Back(usize),
}

impl Captures {
    /// The value of the variable with this index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..end)
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes the values out of a path that the template matches; `verb` tells whether by its verb.
    pub(super) fn take(path: &Path<'_>, verb: bool, spans: &[Span]) -> Result<Self, PathError> {
        let text = String::with_capacity(if spans.is_empty() { 0 } else { path.raw_len() });
        let mut captures = Self { text, ends: Vec::with_capacity(spans.len()) };
        for span in spans {
            let (start, end) = (span.start.within(path), span.end.within(path));
            for index in start..end {
                let Some(segment) = segment(path, index, verb) else { continue };
                if index > start {
                    captures.text.push('/');
                }
                captures.append(segment, span.multi)?;
            }
            captures.ends.push(captures.text.len());
        }
        Ok(captures)
    }

    fn append(&mut self, segment: &PathSegment<'_>, multi: bool) -> Result<(), PathError> {
        if multi {
            let text = decode_except(segment.raw, is_reserved);
            self.text.push_str(&text.map_err(|flaw| PathError { position: 1, flaw })?);
        } else {
            self.text.push_str(&segment.text);
        }
        Ok(())
    }
}

fn segment<'a, 'p>(path: &'a Path<'p>, index: usize, verb: bool) -> Option<&'a PathSegment<'p>> {
    if verb && index + 1 == path.len() { path.bare() } else { path.segments().get(index) }
}

/// RFC 6570 §1.5, `reserved`: what a value of several segments keeps encoded.
///
/// A decoded `%2F` would be one more slash (google/api/http.proto keeps it encoded for that reason);
/// the other delimiters follow Envoy and grpc-gateway, whose clients rely on them.
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

impl Mark {
    fn within(self, path: &Path<'_>) -> usize {
        match self {
            Self::Front(count) => count,
            Self::Back(count) => path.len().saturating_sub(count),
        }
    }
}
