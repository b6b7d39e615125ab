//! JSON strings (RFC 8259 §7): escaped on the way out, unescaped on the way in.

use super::scan;
use super::wire::{put, put_slice};

/// Appends `source[start..end]` as a JSON string, quotes included. Gives whether it was all ASCII: if not,
/// it is for the caller to check that it is UTF-8.
#[inline]
pub(super) fn write_string(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) -> bool {
    write_behind(out, *b"\"", source, start, end)
}

/// The same as an element of an array: with a comma before it.
#[inline]
pub(super) fn write_element(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) -> bool {
    write_behind(out, *b",\"", source, start, end)
}

/// Appends a string whose opening quote is the last of `opening`.
#[inline]
fn write_behind<const N: usize>(
    out: &mut Vec<u8>,
    opening: [u8; N],
    source: &[u8],
    start: usize,
    end: usize,
) -> bool {
    if let Some(ascii) = write_short(out, opening, source, start, end) {
        return ascii;
    }
    out.extend_from_slice(&opening);
    let run = scan::run(source, start, end);
    put_slice(out, source, start, run.end);
    let ascii = run.high == 0;
    let rest_is_ascii = run.end == end || write_escaped(out, source, run.end, end);
    out.push(b'"');
    ascii & rest_is_ascii
}

/// Appends a string of a few bytes and its quotes in one store, if nothing in it is to be escaped.
#[inline]
fn write_short<const N: usize>(
    out: &mut Vec<u8>,
    opening: [u8; N],
    source: &[u8],
    start: usize,
    end: usize,
) -> Option<bool> {
    let length = end - start;
    let chunk = source.get(start..).and_then(<[u8]>::first_chunk::<16>);
    let chunk = chunk.filter(|_| N + length < 16)?;
    let run = scan::run(chunk, 0, length);
    if run.end != length {
        return None;
    }
    let bits = 8 * length;
    let text = (u128::from_le_bytes(*chunk) & ((1 << bits) - 1)) | (u128::from(b'"') << bits);
    let opening = opening.iter().rev().fold(0, |word, byte| (word << 8) | u128::from(*byte));
    put(out, opening | (text << (8 * N)), N + length + 1);
    Some(run.high == 0)
}

/// The rest of a string from its first character on that must be escaped.
fn write_escaped(out: &mut Vec<u8>, source: &[u8], start: usize, end: usize) -> bool {
    let mut at = start;
    let mut high = 0;
    while let Some(byte) = source.get(at).copied().filter(|_| at < end) {
        escape(out, byte);
        if source.get(at + 1).is_some_and(|next| is_escaped(*next)) {
            at += 1;
            continue;
        }
        let run = scan::run(source, at + 1, end);
        put_slice(out, source, at + 1, run.end);
        high |= run.high;
        at = run.end;
    }
    high == 0
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => return escape_control(out, byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn escape_control(out: &mut Vec<u8>, byte: u8) {
    let [high, low] =
        [byte >> 4, byte & 0xf].map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
}

/// What is wrong with a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadString {
    Unterminated,
    Control,
    Escape,
    Surrogate,
    Utf8,
}

impl BadString {
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Unterminated => "the string has no closing quote",
            Self::Control => "a control character in a string must be escaped",
            Self::Escape => "the string has an invalid escape",
            Self::Surrogate => "the string has a lone surrogate, which is no character",
            Self::Utf8 => "the string is not valid UTF-8",
        }
    }
}

/// Appends what the string stands for, from `start` (behind the opening quote) on; gives the place behind
/// the closing quote.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn unescape(out: &mut Vec<u8>, json: &[u8], start: usize) -> Result<usize, (BadString, usize)> {
    let mut at = start;
    loop {
        // Escapes often follow each other.
        if json.get(at) == Some(&b'\\') {
            at = unescape_one(out, json, at + 1)?;
            continue;
        }
        let run = scan::run_to_stop(json, at);
        check_utf8(json, at, run)?;
        put_slice(out, json, at, run.end);
        at = match json.get(run.end) {
            Some(b'"') => return Ok(run.end + 1),
            Some(b'\\') => unescape_one(out, json, run.end + 1)?,
            Some(_) => return Err((BadString::Control, run.end)),
            None => return Err((BadString::Unterminated, run.end)),
        };
    }
}

/// Checks a run of plain characters; the check by words said whether there is anything to check.
#[inline]
pub(super) fn check_utf8(text: &[u8], start: usize, run: scan::Run) -> Result<(), (BadString, usize)> {
    if run.high == 0 || is_utf8(text.get(start..run.end).unwrap_or_default()) {
        Ok(())
    } else {
        Err((BadString::Utf8, start))
    }
}

#[inline]
pub(super) fn is_utf8(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// Appends the character of one escape, whose backslash is just before `at`; gives the place behind it.
fn unescape_one(out: &mut Vec<u8>, json: &[u8], at: usize) -> Result<usize, (BadString, usize)> {
    let plain = match json.get(at) {
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'u') => return unescape_unicode(out, json, at),
        _ => return Err((BadString::Escape, at)),
    };
    out.push(plain);
    Ok(at + 1)
}

/// `\uXXXX`, or two of them for a character beyond the first plane; `at` is at the `u`.
fn unescape_unicode(out: &mut Vec<u8>, json: &[u8], at: usize) -> Result<usize, (BadString, usize)> {
    let first = hex(json, at + 1).ok_or((BadString::Escape, at))?;
    let (scalar, end) = match first {
        0xd800..=0xdbff => {
            let low = json.get(at + 5..at + 7).filter(|next| next == b"\\u").and_then(|_| hex(json, at + 7));
            match low {
                Some(low @ 0xdc00..=0xdfff) => {
                    (0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), at + 11)
                }
                _ => return Err((BadString::Surrogate, at)),
            }
        }
        _ => (first, at + 5),
    };
    let character = char::from_u32(scalar).ok_or((BadString::Surrogate, at))?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(end)
}

fn hex(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..)?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |value, digit| Some((value << 4) | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (String, bool) {
        let mut out = Vec::new();
        let around = format!("<{text}\"more text behind it");
        let ascii = write_string(&mut out, around.as_bytes(), 1, 1 + text.len());
        (String::from_utf8(out).unwrap(), ascii)
    }

    fn read(json: &str) -> Result<(String, usize), (BadString, usize)> {
        let mut out = Vec::new();
        let end = unescape(&mut out, json.as_bytes(), 0)?;
        Ok((String::from_utf8(out).unwrap(), end))
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them_and_read_back() {
        let every: String = (0..0x100).chain([0x2028, 0xd7ff, 0x1_0000]).filter_map(char::from_u32).collect();
        for text in ["", "a", "plain text of some length", "\"\\\n\r\t\u{8}\u{c}\0\u{1f}", "é\"ü", &every] {
            let (json, ascii) = written(text);
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(ascii, text.is_ascii());
            assert_eq!(read(&json[1..]), Ok((text.to_owned(), json.len() - 1)));
        }
    }

    #[test]
    fn every_form_of_an_escape_is_read() {
        assert_eq!(read(r#"\u0041\u00e9\u20AC\ud83d\ude00\/""#).unwrap().0, "Aé€😀/");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases = [
            ("", BadString::Unterminated, 0),
            ("abc", BadString::Unterminated, 3),
            ("abc\n\"", BadString::Control, 3),
            (r#"a\x""#, BadString::Escape, 2),
            (r#"a\u12g4""#, BadString::Escape, 2),
            (r"\u12", BadString::Escape, 1),
            (r"\", BadString::Escape, 1),
            (r#"\ud800""#, BadString::Surrogate, 1),
            (r#"\udc00""#, BadString::Surrogate, 1),
            (r#"\ud800\ud800""#, BadString::Surrogate, 1),
            (r#"\ud800\n""#, BadString::Surrogate, 1),
        ];
        for (json, what, at) in cases {
            assert_eq!(read(json), Err((what, at)), "{json}");
        }
        assert_eq!(unescape(&mut Vec::new(), b"ab\xff\"", 0), Err((BadString::Utf8, 0)));
        assert_eq!(unescape(&mut Vec::new(), b"\xed\xa0\x80\"", 0), Err((BadString::Utf8, 0)));
    }
}
