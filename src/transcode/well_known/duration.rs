//! Duration ↔ seconds with an `s`, such as `-1.500s` (google/protobuf/duration.proto).

use super::{NANOS_PER_SECOND, Time, take_digits, take_fraction, write_fraction};
use crate::transcode::decimal;
use crate::transcode::room::Room;

/// About ten thousand years.
const MAX_SECONDS: i64 = 315_576_000_000;

pub(in crate::transcode) fn parse(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (seconds, text) = take_digits(text)?;
    let (nanos, text) = take_fraction(text)?;
    let time = if negative { Time { seconds: -seconds, nanos: -nanos } } else { Time { seconds, nanos } };
    (text == b"s" && is_valid(time)).then_some(time)
}

/// Appends the text, without quotes; false where the value is out of range or of two signs.
pub(in crate::transcode) fn write(out: &mut Room, at: usize, time: Time) -> Option<usize> {
    if !is_valid(time) {
        return None;
    }
    let negative = time.seconds < 0 || time.nanos < 0;
    let at = if negative { out.byte(at, b'-') } else { at };
    let at = decimal::unsigned(out, at, time.seconds.unsigned_abs());
    let at = write_fraction(out, at, time.nanos.unsigned_abs());
    Some(out.byte(at, b's'))
}

/// Seconds and nanoseconds are of one sign, and no more than the bounds.
fn is_valid(time: Time) -> bool {
    let one_sign = time.seconds.signum() * i64::from(time.nanos.signum()) >= 0;
    (-MAX_SECONDS..=MAX_SECONDS).contains(&time.seconds)
        && (-NANOS_PER_SECOND + 1..NANOS_PER_SECOND).contains(&time.nanos)
        && one_sign
}

#[cfg(test)]
mod tests {
    use super::super::text_of;
    use super::*;

    #[test]
    fn texts_and_values_agree() {
        let cases = [
            ("0s", 0, 0),
            ("1s", 1, 0),
            ("-1.500s", -1, -500_000_000),
            ("-0.000000001s", 0, -1),
            ("0.000010s", 0, 10_000),
            ("315576000000.999999999s", MAX_SECONDS, 999_999_999),
            ("-315576000000.999999999s", -MAX_SECONDS, -999_999_999),
        ];
        for (text, seconds, nanos) in cases {
            let time = Time { seconds, nanos };
            assert_eq!(parse(text.as_bytes()), Some(time), "{text}");
            assert_eq!(text_of(|out, at| write(out, at, time)).as_deref(), Some(text));
        }
        assert_eq!(parse(b"1.5s"), Some(Time { seconds: 1, nanos: 500_000_000 }));
    }

    #[test]
    fn everything_else_is_refused() {
        let wrong = [
            "",
            "s",
            "1",
            "1.s",
            ".5s",
            "-s",
            "+1s",
            "1 s",
            " 1s",
            "1S",
            "--1s",
            "1.1234567890s",
            "1e3s",
            "315576000001s",
            "-315576000001s",
            "9999999999999999999999s",
        ];
        for text in wrong {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for (seconds, nanos) in [(1, -1), (-1, 1), (0, NANOS_PER_SECOND), (i64::MIN, 0), (0, i32::MIN)] {
            assert_eq!(text_of(|out, at| write(out, at, Time { seconds, nanos })), None);
        }
    }
}
