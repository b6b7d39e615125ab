//! Looks at eight bytes at once: where a JSON string stops, and whether it is ASCII.
//!
//! The tests are the classic "has a byte less than n" and "has a zero byte" of word arithmetic. A borrow
//! can mark a byte wrongly only above a byte that is marked rightly, so the lowest mark is exact, and only
//! that one is used.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the bytes that end a run of plain characters: a quote, a backslash or a control character
/// (RFC 8259 §7).
#[inline]
pub(super) const fn stops(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zeros(word ^ (ONES * b'"' as u64));
    let backslash = zeros(word ^ (ONES * b'\\' as u64));
    (control | quote | backslash) & HIGHS
}

/// Marks what ends a run of plain ASCII. With what is not ASCII marked too, the tests need no more than the
/// borrow: it marks such a byte or one that is marked rightly.
#[inline]
const fn not_plain_ascii(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (control | quote | backslash | word) & HIGHS
}

#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// Marks the bytes that are not ASCII.
#[inline]
pub(super) const fn high(word: u64) -> u64 {
    word & HIGHS
}

/// The position of the lowest mark.
#[inline]
pub(super) const fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// The bytes that are looked at in one step.
pub(super) const CHUNK: usize = 16;

/// Sixteen bytes of a text as two words.
#[derive(Clone, Copy)]
pub(super) struct Chunk([u64; 2]);

impl Chunk {
    /// The chunk that starts at a place; behind the end of the text it has NUL, which is not plain.
    #[inline]
    pub(super) fn at(text: &[u8], start: usize) -> Self {
        match text.get(start..).and_then(<[u8]>::first_chunk::<CHUNK>) {
            Some(chunk) => Self::new(u128::from_le_bytes(*chunk)),
            None => Self::last(text, start),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
    const fn new(word: u128) -> Self {
        Self([word as u64, (word >> 64) as u64])
    }

    #[cold]
    fn last(text: &[u8], start: usize) -> Self {
        let beyond = start.saturating_add(CHUNK).saturating_sub(text.len());
        if let Some(chunk) = text.last_chunk::<CHUNK>() {
            let bits = u32::try_from(8 * beyond).unwrap_or(u32::MAX);
            return Self::new(u128::from_le_bytes(*chunk).checked_shr(bits).unwrap_or(0));
        }
        let rest = text.get(start..).unwrap_or_default();
        Self::new(rest.iter().rev().fold(0, |word, byte| (word << 8) | u128::from(*byte)))
    }

    #[inline]
    pub(super) const fn bytes(self) -> [u8; CHUNK] {
        let [low, high] = self.0;
        (low as u128 | ((high as u128) << 64)).to_le_bytes()
    }

    /// How many bytes at the beginning are plain ASCII.
    #[inline]
    pub(super) fn plain_ascii(self) -> usize {
        self.prefix(not_plain_ascii)
    }

    /// How many bytes at the beginning are plain characters, ASCII or not.
    #[inline]
    pub(super) fn plain(self) -> usize {
        self.prefix(stops)
    }

    #[inline]
    fn prefix(self, marks: impl Fn(u64) -> u64) -> usize {
        let [low, high] = self.0.map(marks);
        if low == 0 { 8 + first(high) } else { first(low) }
    }

    /// Whether all bytes are ASCII.
    #[inline]
    pub(super) const fn is_ascii(self) -> bool {
        let [low, high_half] = self.0;
        high(low | high_half) == 0
    }
}

/// A run of plain characters: where it stops, and the marks of what is not ASCII in it.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) end: usize,
    pub(super) high: u64,
}

/// The run of plain characters from `start` on, up to the first stop or the end of `text`.
#[inline]
pub(super) fn run_to_stop(text: &[u8], start: usize) -> Run {
    let mut at = start;
    let mut seen = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let marks = stops(word);
        if marks != 0 {
            let below = (marks & marks.wrapping_neg()) - 1;
            return Run { end: at + first(marks), high: seen | high(word & below) };
        }
        seen |= high(word);
        at += 8;
    }
    short_run(text, at, seen)
}

/// The rest of a run where fewer than eight bytes are left.
fn short_run(text: &[u8], start: usize, mut seen: u64) -> Run {
    let mut end = start;
    while let Some(&byte) = text.get(end).filter(|byte| !is_stop(**byte)) {
        seen |= u64::from(byte & 0x80);
        end += 1;
    }
    Run { end, high: seen }
}

const fn is_stop(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_judged_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for place in 0..length {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    let run = run_to_stop(&text, 0);
                    assert_eq!(run.end, if is_stop(byte) { place } else { length });
                    assert_eq!(run.high != 0, byte >= 0x80);
                    for start in 0..=length {
                        let chunk = Chunk::at(&text, start);
                        let rest = text.iter().skip(start).take(CHUNK);
                        let until =
                            |stops: fn(u8) -> bool| rest.clone().take_while(|byte| !stops(**byte)).count();
                        assert_eq!(chunk.plain(), until(is_stop));
                        assert_eq!(chunk.plain_ascii(), until(|byte| is_stop(byte) || byte >= 0x80));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_above_a_stop_does_not_count() {
        let text = b"ab\"\xff\xff\xff\xff\xff\xff";
        assert!(matches!(run_to_stop(text, 0), Run { end: 2, high: 0 }));
        assert_eq!(run_to_stop(text, 3).end, text.len());
        assert_eq!(Chunk::at(text, 0).plain_ascii(), 2);
    }
}
