//! How far one element of a body reaches: by line feed, by brackets and quotes, or, for what has neither,
//! up to what cannot be part of it.

/// An element that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Up to a line feed, which JSON never needs (RFC 8259 §7: it is escaped in strings).
    Line,
    /// A number or a word: up to a space or to what begins or separates values.
    Plain,
    /// A string, an object or an array: up to where everything is closed.
    Closed { open: usize, text: Text },
}

/// Whether a string is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl Value {
    /// A value that begins with this byte.
    pub(super) const fn new(byte: u8) -> Self {
        match byte {
            b'{' | b'[' | b'"' => Self::Closed { open: 0, text: Text::Outside },
            _ => Self::Plain,
        }
    }

    /// Whether the end of the body is an end of this, too.
    pub(super) const fn ends_with_body(self) -> bool {
        matches!(self, Self::Line | Self::Plain)
    }

    /// How many of its next bytes still belong to it, if it ends among them.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Line => memchr::memchr(b'\n', bytes),
            // Its first byte is none of these.
            Self::Plain => bytes.iter().position(|byte| delimits(*byte)),
            Self::Closed { open, text } => closed(open, text, bytes),
        }
    }
}

/// What ends a number or a word.
const fn delimits(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'"' | b'{' | b'}' | b'[' | b']')
}

/// Where everything is closed that was open. Brackets are counted, not told apart.
fn closed(open: &mut usize, text: &mut Text, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (*text, byte) {
            (Text::Escaped, _) | (Text::Outside, b'"') => *text = Text::Inside,
            (Text::Inside, b'\\') => *text = Text::Escaped,
            (Text::Inside, b'"') => {
                *text = Text::Outside;
                if *open == 0 {
                    return Some(at);
                }
            }
            // Most bytes are in strings.
            (Text::Inside, _) => at += plain(bytes.get(at..).unwrap_or_default()),
            (Text::Outside, b'{' | b'[') => *open += 1,
            (Text::Outside, b'}' | b']') => {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    return Some(at);
                }
            }
            (Text::Outside, _) => {}
        }
    }
    None
}

/// How many bytes of a string are neither its end nor the beginning of an escape.
fn plain(bytes: &[u8]) -> usize {
    memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
}
