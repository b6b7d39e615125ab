//! The elements of a streamed body, as its bytes come: the lines of NDJSON, the members of one JSON array,
//! or JSON values one behind the other, as grpc-gateway reads them.
//!
//! ```text
//! lines  = *( [element] LF ) [element]
//! json   = array / values
//! array  = *ws "[" *ws [element *( *ws "," *ws element )] *ws "]" *ws
//! values = *( *ws element ) *ws
//! ```
//!
//! An element is found by its quotes and brackets alone and handed on as soon as its last byte is there;
//! whether it is JSON at all, and how deep it may nest, is for the codec to say. Whatever the cuts between
//! the chunks, a byte is looked at once, and only the beginning of one element is kept, within its limit.

mod value;

use std::fmt;

use bytes::{Bytes, BytesMut};

use value::Value;

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// NDJSON: one element a line; lines of nothing but space are none.
    Lines,
    /// JSON: the members of one array, or, where the body begins with anything else, values.
    Json,
}

/// Why a body is no sequence of elements. `element` counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementsError {
    /// An element is longer than allowed.
    TooLarge { element: u64, limit: usize },
    /// An array has something else where an element, a comma or its end belongs.
    Malformed { element: u64, what: &'static str },
    /// The body ends within the element, or its array before `]`.
    Truncated { element: u64 },
    /// Something stands behind the array.
    Behind,
}

impl fmt::Display for ElementsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { element, limit } => {
                write!(f, "element {element} of the request body is larger than the limit of {limit} bytes")
            }
            Self::Malformed { element, what } => {
                write!(f, "element {element} of the request body is invalid: {what}")
            }
            Self::Truncated { element } => {
                write!(f, "the request body ends before element {element} does")
            }
            Self::Behind => f.write_str("the request body goes on behind its array"),
        }
    }
}

impl std::error::Error for ElementsError {}

/// Where in a body its next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before anything that is no space.
    Start,
    /// Where a line may begin.
    Line,
    /// Where a value may begin.
    Between,
    /// Behind `[`: a member, or the end.
    First,
    /// Behind a comma: a member.
    Next,
    /// Behind a member: a comma, or the end.
    Behind,
    /// Behind the array.
    Closed,
    /// In an element; what follows it stands where `then` says.
    In { value: Value, then: Then },
}

/// What stands behind an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Line,
    Between,
    Behind,
}

/// Cuts elements out of a body.
#[derive(Debug)]
pub struct Elements {
    place: Place,
    /// What has arrived and is not looked at yet.
    chunk: Bytes,
    /// The beginning of an element whose rest is still to come.
    held: BytesMut,
    /// How many elements have begun.
    begun: u64,
    limit: usize,
}

impl Elements {
    /// The elements of a body, each of at most `limit` bytes.
    #[must_use]
    pub fn new(form: Form, limit: usize) -> Self {
        let place = match form {
            Form::Lines => Place::Line,
            Form::Json => Place::Start,
        };
        Self { place, chunk: Bytes::new(), held: BytesMut::new(), begun: 0, limit }
    }

    /// Takes the next bytes, when [`Elements::take`] has nothing left of those before.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the bytes before have been taken");
        self.chunk = chunk;
    }

    /// The next element, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes cannot be elements; nothing can be taken afterwards.
    pub fn take(&mut self) -> Result<Option<Bytes>, ElementsError> {
        loop {
            if let Place::In { value, then } = &mut self.place {
                let (end, then) = (value.end(&self.chunk), *then);
                return self.cut(end, then);
            }
            let Some(byte) = self.skip_space() else { return Ok(None) };
            self.step(byte)?;
        }
    }

    /// The last element, where the body's end is its end; nothing follows.
    ///
    /// # Errors
    /// When the body ends before an element or its array does.
    pub fn finish(&mut self) -> Result<Option<Bytes>, ElementsError> {
        match self.place {
            Place::Start | Place::Line | Place::Between | Place::Closed => Ok(None),
            Place::In { value, then } if then != Then::Behind && value.ends_with_body() => {
                self.place = Place::Closed;
                Ok(Some(std::mem::take(&mut self.held).freeze()))
            }
            Place::First | Place::Next | Place::Behind => {
                Err(ElementsError::Truncated { element: self.begun + 1 })
            }
            Place::In { .. } => Err(ElementsError::Truncated { element: self.begun }),
        }
    }

    /// The number of the element that was given last, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.begun
    }

    /// Drops space, and looks at the byte behind it.
    fn skip_space(&mut self) -> Option<u8> {
        let place = self.chunk.iter().position(|byte| !is_space(*byte));
        drop(self.chunk.split_to(place.unwrap_or(self.chunk.len())));
        self.chunk.first().copied()
    }

    /// Goes on by a byte that is no space and in no element.
    fn step(&mut self, byte: u8) -> Result<(), ElementsError> {
        self.place = match (self.place, byte) {
            (Place::Start, b'[') => self.pass(Place::First),
            (Place::First | Place::Behind, b']') => self.pass(Place::Closed),
            (Place::Behind, b',') => self.pass(Place::Next),
            (Place::Line, _) => self.begin(Value::Line, Then::Line),
            (Place::Behind, _) => return Err(self.malformed("there is no comma before it")),
            (Place::Start | Place::Between | Place::First | Place::Next, b',' | b']' | b'}') => {
                return Err(self.malformed("a value is missing"));
            }
            (Place::Start | Place::Between, _) => self.begin(Value::new(byte), Then::Between),
            (Place::First | Place::Next, _) => self.begin(Value::new(byte), Then::Behind),
            (Place::Closed, _) => return Err(ElementsError::Behind),
            (place @ Place::In { .. }, _) => place,
        };
        Ok(())
    }

    /// Steps over a byte.
    fn pass(&mut self, place: Place) -> Place {
        drop(self.chunk.split_to(1));
        place
    }

    fn begin(&mut self, value: Value, then: Then) -> Place {
        self.begun += 1;
        Place::In { value, then }
    }

    fn malformed(&self, what: &'static str) -> ElementsError {
        ElementsError::Malformed { element: self.begun + 1, what }
    }

    /// Takes so many bytes as the end of an element, or all of them as a part of it.
    fn cut(&mut self, end: Option<usize>, then: Then) -> Result<Option<Bytes>, ElementsError> {
        let part = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
        if self.held.len() + part.len() > self.limit {
            return Err(ElementsError::TooLarge { element: self.begun, limit: self.limit });
        }
        if end.is_none() {
            self.held.extend_from_slice(&part);
            return Ok(None);
        }
        self.place = match then {
            Then::Line => Place::Line,
            Then::Between => Place::Between,
            Then::Behind => Place::Behind,
        };
        if self.held.is_empty() {
            return Ok(Some(part));
        }
        self.held.extend_from_slice(&part);
        Ok(Some(std::mem::take(&mut self.held).freeze()))
    }
}

/// RFC 8259 §2: insignificant white space.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
