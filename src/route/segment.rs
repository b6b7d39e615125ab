//! One segment between two slashes: what it may hold, and its percent-encoding.
//!
//! Paths of requests and literals of templates obey the same rules, so that a literal which no path
//! can equal is refused when the template is parsed. It knows nothing of positions in a whole path.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// What is wrong with a path, or with a literal of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The path does not start with a slash.
    NoSlash,
    /// Two slashes follow each other.
    Empty,
    /// `.` or `..`, plain or escaped: what it means depends on who reads it.
    Dots,
    /// A percent sign without two hexadecimal digits behind it (RFC 3986 §2.1).
    Escape,
    /// The escapes decode to bytes that are not UTF-8.
    Utf8,
    /// NUL, plain or escaped.
    Nul,
    /// A backslash, plain or escaped: some readers take it for a slash.
    Backslash,
    /// A control character, a space, `?`, `#` or a byte beyond ASCII, unescaped (RFC 3986 §3.3).
    Character(u8),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => f.write_str("the path must start with a slash"),
            Self::Empty => f.write_str("a segment is empty"),
            Self::Dots => f.write_str("dot segments are not allowed"),
            Self::Escape => f.write_str("`%` must be followed by two hexadecimal digits"),
            Self::Utf8 => f.write_str("the escapes do not decode to UTF-8"),
            Self::Nul => f.write_str("NUL is not allowed"),
            Self::Backslash => f.write_str("a backslash is not allowed"),
            Self::Character(byte) if byte.is_ascii_graphic() => {
                write!(f, "`{}` must be written as `%{byte:02X}`", char::from(*byte))
            }
            Self::Character(byte) => write!(f, "the byte {byte:#04x} must be written as `%{byte:02X}`"),
        }
    }
}

/// Checks a segment and decodes all of its escapes, once.
///
/// The error carries the offset of the flaw in bytes.
pub(super) fn decode(raw: &str) -> Result<Cow<'_, str>, (usize, Flaw)> {
    let escaped = check(raw)?;
    let text =
        if escaped { decode_except(raw, |_| false).map_err(|flaw| (0, flaw))? } else { Cow::Borrowed(raw) };
    if matches!(&*text, "." | "..") { Err((0, Flaw::Dots)) } else { Ok(text) }
}

/// Whether a segment has escapes, when nothing is wrong with it.
fn check(raw: &str) -> Result<bool, (usize, Flaw)> {
    let bytes = raw.as_bytes();
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let meant = match byte {
            b'%' => {
                escaped = true;
                unescape(bytes.get(at..).unwrap_or_default()).ok_or((at, Flaw::Escape))?.0
            }
            1..=b' ' | b'?' | b'#' | 0x7f.. => return Err((at, Flaw::Character(byte))),
            _ => byte,
        };
        match meant {
            0 => return Err((at, Flaw::Nul)),
            b'\\' => return Err((at, Flaw::Backslash)),
            _ => {}
        }
    }
    Ok(escaped)
}

/// Decodes the escapes of a segment once, but leaves those of the bytes that `keep` names as they are.
pub(super) fn decode_except(raw: &str, keep: impl Fn(u8) -> bool) -> Result<Cow<'_, str>, Flaw> {
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        match unescape(rest) {
            Some((value, after)) if !keep(value) => {
                decoded.push(value);
                rest = after;
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Flaw::Utf8)
}

/// The byte that an escape at the start stands for, and what follows the escape.
fn unescape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = bytes else { return None };
    Some((hexadecimal(*high)? << 4 | hexadecimal(*low)?, rest))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes text as a literal of a template; [`decode`] gives the text back.
///
/// What RFC 3986 allows in a segment stays as it is, without what has a meaning in templates (`*`, `:`).
pub(super) fn encode(text: &str, out: &mut impl Write) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.write_char(char::from(byte))?,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';'
            | b'=' | b'@' => {
                out.write_char(char::from(byte))?;
            }
            _ => write!(out, "%{byte:02X}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        for (raw, text) in [
            ("plain", "plain"),
            ("a%20b", "a b"),
            ("%41%5a%5A", "AZZ"),
            ("%252F", "%2F"),
            ("a%2fb%2Fc", "a/b/c"),
            ("caf%C3%A9", "café"),
            ("", ""),
            ("...", "..."),
            ("a%2e%2e", "a.."),
            ("{x}|^[]\"<>", "{x}|^[]\"<>"),
        ] {
            assert_eq!(decode(raw).as_deref(), Ok(text), "{raw}");
        }
    }

    #[test]
    fn what_is_not_escaped_is_not_copied() {
        assert!(matches!(decode("plain").unwrap(), Cow::Borrowed("plain")));
    }

    #[test]
    fn flaws_have_their_offset() {
        for (raw, at, flaw) in [
            ("ab%", 2, Flaw::Escape),
            ("ab%4", 2, Flaw::Escape),
            ("%4g", 0, Flaw::Escape),
            ("%%20", 0, Flaw::Escape),
            ("%+1", 0, Flaw::Escape),
            ("a%00", 1, Flaw::Nul),
            ("a\0", 1, Flaw::Nul),
            ("a\\b", 1, Flaw::Backslash),
            ("a%5Cb", 1, Flaw::Backslash),
            ("a%5cb", 1, Flaw::Backslash),
            (".", 0, Flaw::Dots),
            ("..", 0, Flaw::Dots),
            ("%2e", 0, Flaw::Dots),
            (".%2E", 0, Flaw::Dots),
            ("a%FF", 0, Flaw::Utf8),
            ("%C3", 0, Flaw::Utf8),
            ("%C0%AF", 0, Flaw::Utf8),
            ("%ED%A0%80", 0, Flaw::Utf8),
            ("a b", 1, Flaw::Character(b' ')),
            ("a\tb", 1, Flaw::Character(b'\t')),
            ("a\x7f", 1, Flaw::Character(0x7f)),
            ("a?b", 1, Flaw::Character(b'?')),
            ("a#b", 1, Flaw::Character(b'#')),
            ("é", 0, Flaw::Character(0xc3)),
        ] {
            assert_eq!(decode(raw), Err((at, flaw)), "{raw:?}");
        }
    }

    #[test]
    fn kept_escapes_stay_as_they_were_written() {
        let slash = |byte| byte == b'/';
        for (raw, text) in [("a%2Fb%2fc%20d", "a%2Fb%2fc d"), ("%252F", "%2F"), ("%", "%"), ("%2", "%2")] {
            assert_eq!(decode_except(raw, slash).as_deref(), Ok(text), "{raw}");
        }
    }

    #[test]
    fn flaws_say_what_would_be_right() {
        assert_eq!(Flaw::Character(b'#').to_string(), "`#` must be written as `%23`");
        assert_eq!(Flaw::Character(0xc3).to_string(), "the byte 0xc3 must be written as `%C3`");
    }

    proptest! {
        #[test]
        fn encoded_text_decodes_to_itself(text in "\\PC{1,12}") {
            prop_assume!(!text.contains('\\') && text != "." && text != "..");
            let mut raw = String::new();
            encode(&text, &mut raw).unwrap();
            let safe = |byte: u8| byte.is_ascii_graphic() && !b"/*:{}?#".contains(&byte);
            prop_assert!(raw.bytes().all(safe));
            prop_assert_eq!(decode(&raw), Ok(Cow::Borrowed(text.as_str())));
        }

        #[test]
        fn no_segment_panics(raw in "\\PC*") {
            if let Ok(text) = decode(&raw) {
                prop_assert!(text.len() <= raw.len());
            }
        }
    }
}
