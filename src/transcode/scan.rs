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

/// A run of plain characters: where it stops, and the marks of what is not ASCII in it.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) end: usize,
    pub(super) high: u64,
}

/// The run of plain characters from `start` on: up to the first stop or `limit`, which is at most the
/// length of `text`. What stands behind the limit is looked at but does not count.
#[inline]
pub(super) fn run(text: &[u8], start: usize, limit: usize) -> Run {
    let mut at = start;
    let mut seen = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let left = limit.saturating_sub(at);
        let marks = if left < 8 { stops(word) | (0x80 << (8 * left)) } else { stops(word) };
        if marks != 0 {
            let below = (marks & marks.wrapping_neg()) - 1;
            return Run { end: at + first(marks), high: seen | high(word & below) };
        }
        seen |= high(word);
        at += 8;
    }
    short_run(text, at, limit, seen)
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
    short_run(text, at, text.len(), seen)
}

/// The rest of [`run`] where fewer than eight bytes are left.
fn short_run(text: &[u8], start: usize, limit: usize, mut seen: u64) -> Run {
    let mut end = start;
    while let Some(&byte) = text.get(end).filter(|byte| end < limit && !is_stop(**byte)) {
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
                    for limit in 0..=length {
                        let run = run(&text, 0, limit);
                        let end = if is_stop(byte) { place.min(limit) } else { limit };
                        assert_eq!(run.end, end, "{byte} at {place} of {length}, limit {limit}");
                        assert_eq!(run.high != 0, byte >= 0x80 && place < limit);
                    }
                    let (to_stop, to_end) = (run_to_stop(&text, 0), run(&text, 0, length));
                    assert_eq!((to_stop.end, to_stop.high), (to_end.end, to_end.high));
                }
            }
        }
    }

    #[test]
    fn what_is_above_a_stop_does_not_count() {
        let text = b"ab\"\xff\xff\xff\xff\xff\xff";
        assert!(matches!(run(text, 0, text.len()), Run { end: 2, high: 0 }));
        assert_eq!(run(text, 3, text.len()).end, text.len());
    }
}
