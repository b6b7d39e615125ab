//! JSON strings (RFC 8259 §7): escaped on the way out, unescaped on the way in.

use super::room::Room;
use super::scan::{self, Chunk};
use super::wire::put_slice;

/// Writes `len` bytes of `source` as a JSON string, quotes included; none where they are not UTF-8. The
/// bytes around are looked at too, so that short strings need no loop.
#[inline]
pub(super) fn write_string(
    out: &mut Room,
    at: usize,
    source: &[u8],
    start: usize,
    len: usize,
) -> Option<usize> {
    let mut at = out.byte(at, b'"');
    let (mut from, mut left) = (start, len);
    loop {
        let plain = copy_chunk(out, at, source, from).plain_ascii();
        if left <= plain {
            return Some(out.byte(at + left, b'"'));
        }
        (at, from, left) = (at + plain, from + plain, left - plain);
        if plain < scan::CHUNK {
            return write_special(out, at, source, from, from + left);
        }
    }
}

/// Puts the chunk at a place into the output, and gives it to be looked at.
#[inline]
fn copy_chunk(out: &mut Room, at: usize, source: &[u8], from: usize) -> Chunk {
    let chunk = Chunk::at(source, from);
    match source.get(from..).and_then(<[u8]>::first_chunk::<{ scan::CHUNK }>) {
        // From memory to memory: bytes put together from two words would wait for both to be stored.
        Some(bytes) => out.put(at, bytes, 0),
        None => out.put(at, &chunk.bytes(), 0),
    };
    chunk
}

/// The rest of a string from its first character on that is escaped or not ASCII.
#[inline(never)]
fn write_special(out: &mut Room, at: usize, source: &[u8], start: usize, end: usize) -> Option<usize> {
    let (mut at, mut from) = (at, start);
    let mut ascii = true;
    while let Some(&byte) = source.get(from).filter(|_| from < end) {
        if let Some(escape) = escape(byte) {
            at = out.put(at, &escape.text, escape.len);
            from += 1;
            continue;
        }
        let chunk = copy_chunk(out, at, source, from);
        let plain = chunk.plain().min(end - from);
        ascii &= chunk.is_ascii();
        (at, from) = (at + plain, from + plain);
    }
    let is_text = ascii || is_utf8(source.get(start..end).unwrap_or_default());
    is_text.then(|| out.byte(at, b'"'))
}

/// What is written for a byte that must be escaped.
#[derive(Clone, Copy)]
struct Escape {
    text: [u8; 8],
    len: usize,
}

/// The escape of each byte, empty where it needs none.
#[expect(clippy::indexing_slicing, reason = "made when the program is compiled, which would fail")]
static ESCAPES: [Escape; 256] = {
    let mut escapes = [Escape { text: [0; 8], len: 0 }; 256];
    let mut byte = 0_u8;
    while byte <= b'\\' {
        escapes[byte as usize] = escape_of(byte);
        byte += 1;
    }
    escapes
};

const fn escape_of(byte: u8) -> Escape {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0..0x20 => {
            let digit = byte & 0xf;
            let low = if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
            return Escape { text: [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), low, 0, 0], len: 6 };
        }
        _ => return Escape { text: [0; 8], len: 0 },
    };
    Escape { text: [b'\\', short, 0, 0, 0, 0, 0, 0], len: 2 }
}

#[inline]
fn escape(byte: u8) -> Option<&'static Escape> {
    ESCAPES.get(usize::from(byte)).filter(|escape| escape.len > 0)
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

    fn written(text: &[u8], behind: &str) -> Option<String> {
        let (mut out, at) = Room::new(Vec::new(), 0);
        let around = [b"<", text, behind.as_bytes()].concat();
        let end = write_string(&mut out, at, &around, 1, text.len())?;
        String::from_utf8(out.into_vec(end)).ok()
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
            for behind in ["", "\"more text behind it", "é and what is not ASCII"] {
                let json = written(text.as_bytes(), behind).unwrap();
                assert_eq!(json, serde_json::to_string(text).unwrap());
                assert_eq!(read(&json[1..]), Ok((text.to_owned(), json.len() - 1)));
            }
        }
    }

    #[test]
    fn each_character_at_each_place_is_written_as_serde_json_writes_it() {
        for special in ['a', '"', '\\', '\n', '\u{1}', '\u{7f}', 'é', '€'] {
            for length in 0..50 {
                for place in 0..=length {
                    let mut text = "x".repeat(length);
                    text.insert(place, special);
                    let expected = serde_json::to_string(&text).unwrap();
                    assert_eq!(written(text.as_bytes(), "").as_deref(), Some(&*expected));
                    assert_eq!(
                        written(text.as_bytes(), "\"\n and so on, and on").as_deref(),
                        Some(&*expected)
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_utf8_is_not_written() {
        for length in 0..40 {
            let text = [&b"x".repeat(length)[..], b"\xff"].concat();
            assert_eq!(written(&text, "more"), None);
            assert_eq!(written(&[&text, &b"y"[..]].concat(), ""), None);
            assert_eq!(written(&text[..length], "\u{e9}").map(|json| json.len()), Some(length + 2));
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
