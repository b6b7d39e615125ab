//! The text forms of google.protobuf.Timestamp, Duration and FieldMask: text to numbers and back.
//!
//! Nothing here knows the wire or JSON; both codecs and the text of paths and queries use it.

pub(super) mod duration;
pub(super) mod field_mask;
pub(super) mod timestamp;

use super::decimal;
use super::room::Room;

const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// Seconds and nanoseconds, as Timestamp and Duration hold them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanos: i32,
}

/// Takes a number of at least one digit from the front; none where it is more than 18 digits.
fn take_digits(text: &[u8]) -> Option<(i64, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    (1..=18).contains(&length).then(|| (number(digits), rest))
}

fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// Takes `.` and one to nine digits from the front, if there is a point, as nanoseconds.
fn take_fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let scale = 10_i64.pow(9_u32.checked_sub(u32::try_from(length).ok()?)?);
    (length > 0).then_some(())?;
    Some((i32::try_from(number(digits) * scale).ok()?, rest))
}

/// Writes a point and 3, 6 or 9 digits, or nothing (ProtoJSON, "Timestamp" and "Duration").
fn write_fraction(out: &mut Room, at: usize, nanos: u32) -> usize {
    let (value, width) = match nanos {
        0 => return at,
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    let at = out.byte(at, b'.');
    decimal::padded(out, at, value.into(), width)
}

/// What was written, as tests compare it.
#[cfg(test)]
fn text_of(write: impl FnOnce(&mut Room, usize) -> Option<usize>) -> Option<String> {
    let (mut room, at) = Room::new(Vec::new(), 0);
    let end = write(&mut room, at)?;
    String::from_utf8(room.into_vec(end)).ok()
}
