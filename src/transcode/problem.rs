//! What is wrong with a message, and where in it: the errors of both directions.
//!
//! Inner loops return a marker that fits a register; what there is to say is kept aside and made into
//! text once, when the error leaves the codec.

use std::borrow::Cow;
use std::fmt;

/// JSON that is no message of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// The place in the message, such as `book.authors[2].name`; empty for the whole.
    pub path: String,
    /// What is wrong, for the caller to read.
    pub description: String,
    /// The place in the text, in bytes from its beginning.
    pub offset: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_path(f, &self.path)?;
        write!(f, "{} (at byte {})", self.description, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// Wire bytes that are no message of their type, or have no form in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// The place in the message, such as `book.authors[2].name`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub description: String,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_path(f, &self.path)?;
        f.write_str(&self.description)
    }
}

impl std::error::Error for WireError {}

fn write_path(f: &mut fmt::Formatter<'_>, path: &str) -> fmt::Result {
    if path.is_empty() { Ok(()) } else { write!(f, "{path}: ") }
}

/// One step of a path.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    Field(Box<str>),
    Index(usize),
    Key(String),
}

impl Segment {
    pub(super) fn key(bytes: &[u8]) -> Self {
        Self::Key(excerpt(bytes))
    }
}

/// What was found to be wrong, and the way to it.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) description: Cow<'static, str>,
    pub(super) offset: usize,
    /// From the inside out, as the calls return.
    trail: Vec<Segment>,
}

impl Report {
    pub(super) fn new(description: impl Into<Cow<'static, str>>, offset: usize) -> Self {
        Self { description: description.into(), offset, trail: Vec::new() }
    }

    pub(super) fn push(&mut self, segment: Segment) {
        self.trail.push(segment);
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.trail.iter().rev() {
            match segment {
                Segment::Field(name) if path.is_empty() => path.push_str(name),
                Segment::Field(name) => path.extend([".", name]),
                Segment::Index(index) => path.extend(["[", &index.to_string(), "]"]),
                Segment::Key(key) => path.extend(["[\"", &key.escape_debug().to_string(), "\"]"]),
            }
        }
        path
    }

    pub(super) fn into_json_error(self) -> JsonError {
        JsonError { path: self.path(), description: self.description.into_owned(), offset: self.offset }
    }

    pub(super) fn into_wire_error(self) -> WireError {
        WireError { path: self.path(), description: self.description.into_owned() }
    }
}

/// The most characters of foreign text that an error repeats.
const EXCERPT: usize = 60;

/// Foreign text as an error may repeat it: short, and always text.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..EXCERPT * 4).unwrap_or(bytes));
    match text.char_indices().nth(EXCERPT) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_from_the_outside_in() {
        let mut report = Report { description: "bad".into(), offset: 7, ..Report::default() };
        report.push(Segment::Field("name".into()));
        report.push(Segment::Index(2));
        report.push(Segment::Field("authors".into()));
        report.push(Segment::key(b"a\"b"));
        report.push(Segment::Field("books".into()));
        let error = report.into_json_error();
        assert_eq!(error.path, r#"books["a\"b"].authors[2].name"#);
        assert_eq!(error.to_string(), r#"books["a\"b"].authors[2].name: bad (at byte 7)"#);
    }

    #[test]
    fn excerpts_are_short_and_text() {
        assert_eq!(excerpt(b"short"), "short");
        assert_eq!(excerpt("é".repeat(1000).as_bytes()), format!("{}…", "é".repeat(EXCERPT)));
        assert_eq!(excerpt(b"\xff"), "\u{fffd}");
    }
}
