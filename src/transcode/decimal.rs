//! Numbers as the decimal text that JSON has for them, eight digits at a time.
//!
//! Integers are split into groups of eight digits, and each group becomes one word. Most doubles that
//! people write have few digits: those are found by one multiplication and proved by one division, and only
//! the others need the search for the shortest text that reads back as the same double.

use super::room::Room;

const HUNDRED_MILLION: u64 = 100_000_000;
/// ASCII digits are 0x30 and more.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Writes a whole number.
pub(super) fn unsigned(room: &mut Room, at: usize, value: u64) -> usize {
    if value < HUNDRED_MILLION {
        return leading(room, at, value);
    }
    long(room, at, value)
}

/// Writes a whole number with its sign.
pub(super) fn signed(room: &mut Room, at: usize, value: i64) -> usize {
    let at = if value < 0 { room.byte(at, b'-') } else { at };
    unsigned(room, at, value.unsigned_abs())
}

fn long(room: &mut Room, at: usize, value: u64) -> usize {
    let (high, low) = (value / HUNDRED_MILLION, value % HUNDRED_MILLION);
    let at = if high < HUNDRED_MILLION { leading(room, at, high) } else { long(room, at, high) };
    room.put(at, &(digits(low) | ZEROS).to_le_bytes(), 8)
}

/// Writes a number of at most nine digits with zeros before it, up to `width` digits.
pub(super) fn padded(room: &mut Room, at: usize, value: u64, width: usize) -> usize {
    let (first, rest) = (value / HUNDRED_MILLION, value % HUNDRED_MILLION);
    let at = if width > 8 { leading(room, at, first) } else { at };
    let width = width.min(8);
    room.put(at, &((digits(rest) | ZEROS) >> (64 - 8 * width)).to_le_bytes(), width)
}

/// Writes a number of at most eight digits without zeros before it.
#[inline]
fn leading(room: &mut Room, at: usize, value: u64) -> usize {
    if value < 10 {
        return room.put(at, &(value | ZEROS).to_le_bytes(), 1);
    }
    let digits = digits(value);
    let zeros = digits.trailing_zeros() / 8;
    room.put(at, &((digits | ZEROS) >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize)
}

/// The eight digits of a number below 10⁸, zeros before it included, the first in the lowest byte. The
/// number is halved into fours, twos and ones, all halves of a step at once.
#[inline]
const fn digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - 10 * tens) << 8)
}

/// The digits behind the point that the short way looks for.
const PLACES: u64 = 1_000_000;
/// A double holds every decimal of up to 15 digits, each of them as another double.
const MOST: f64 = 1e15;

/// Writes a finite double as the shortest number that reads back as the same; a whole number has no point,
/// as other implementations write it.
#[inline]
pub(super) fn double(room: &mut Room, at: usize, value: f64) -> usize {
    let magnitude = value.abs();
    if let Some(millionths) = millionths(magnitude) {
        let at = if value.is_sign_negative() { room.byte(at, b'-') } else { at };
        return short(room, at, millionths);
    }
    shortest(room, at, zmij::Buffer::new().format_finite(value))
}

/// The double in millionths, if it is the one nearest to so many of them. Where the quotient of two exact
/// operands is the double itself, its text reads back as it (Clinger's fast path); with 15 digits at most
/// no other text is as short.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the whole part below 10¹⁵ is wanted")]
#[expect(clippy::cast_precision_loss, reason = "15 digits are exact")]
#[expect(clippy::float_cmp, reason = "it has to be the very same double")]
fn millionths(magnitude: f64) -> Option<u64> {
    let scaled = magnitude * 1e6 + 0.5;
    let whole = scaled as i64;
    (scaled < MOST && whole as f64 / 1e6 == magnitude).then_some(whole.cast_unsigned())
}

/// Writes a finite float in the same way.
pub(super) fn float(room: &mut Room, at: usize, value: f32) -> usize {
    shortest(room, at, zmij::Buffer::new().format_finite(value))
}

/// Writes millionths, without zeros at the end.
#[inline]
fn short(room: &mut Room, at: usize, millionths: u64) -> usize {
    let (whole, fraction) = (millionths / PLACES, millionths % PLACES);
    let at = unsigned(room, at, whole);
    if fraction == 0 {
        return at;
    }
    let digits = digits(fraction * 100);
    let zeros = digits.leading_zeros() / 8;
    room.put(at, &(u64::from(b'.') | ((digits | ZEROS) << 8)).to_le_bytes(), 9 - zeros as usize)
}

fn shortest(room: &mut Room, at: usize, text: &str) -> usize {
    let text = text.strip_suffix(".0").unwrap_or(text).as_bytes();
    match (text.first_chunk::<16>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) if text.len() <= 24 => {
            room.put(at, first, 16);
            room.put(at + text.len() - 8, last, 8)
        }
        _ => room.all(at, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Room, usize) -> usize) -> String {
        let (mut room, at) = Room::new(Vec::new(), 0);
        let end = write(&mut room, at);
        String::from_utf8(room.into_vec(end)).unwrap()
    }

    #[test]
    fn integers_of_every_length_are_written() {
        for power in 0..20 {
            let round = 10_u64.pow(power);
            for value in [0, round - 1, round, round + 1, round / 10 * 9, u64::MAX / round] {
                assert_eq!(written(|room, at| unsigned(room, at, value)), value.to_string());
                for value in [value.cast_signed(), value.cast_signed().wrapping_neg()] {
                    assert_eq!(written(|room, at| signed(room, at, value)), value.to_string());
                }
            }
        }
        assert_eq!(written(|room, at| signed(room, at, i64::MIN)), i64::MIN.to_string());
    }

    #[test]
    fn every_group_of_eight_digits_has_each_digit_at_each_place() {
        for value in (0..HUNDRED_MILLION).step_by(977).chain(HUNDRED_MILLION - 20_000..HUNDRED_MILLION) {
            assert_eq!((digits(value) | ZEROS).to_le_bytes(), *format!("{value:08}").as_bytes());
        }
    }

    #[test]
    fn doubles_are_as_short_as_they_can_be() {
        let cases: [(f64, &str); 14] = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.000_001, "0.000001"),
            (0.000_000_1, "1e-7"),
            (98.25, "98.25"),
            (48.870_25, "48.87025"),
            (0.1 + 0.2, "0.30000000000000004"),
            (999_999_999.999_999, "999999999.999999"),
            (1e15, "1000000000000000"),
            (-1.0 / 7.0, "-0.14285714285714285"),
            (5e-324, "5e-324"),
        ];
        for (value, text) in cases {
            assert_eq!(written(|room, at| double(room, at, value)), text);
        }
        assert_eq!(written(|room, at| float(room, at, 0.15)), "0.15");
        assert_eq!(written(|room, at| float(room, at, 3.0)), "3");
    }

    /// The digits that count, and the power of ten behind them.
    fn significant(text: &str) -> (String, i32) {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let kept = digits.trim_end_matches('0');
        let dropped = i32::try_from(digits.len() - kept.len()).unwrap();
        let exponent = exponent.parse::<i32>().unwrap() - i32::try_from(fraction.len()).unwrap() + dropped;
        (kept.trim_start_matches('0').to_owned(), exponent)
    }

    proptest! {
        #[test]
        fn the_short_way_says_what_the_long_one_says(units in any::<i64>(), places in 0_i32..12, bits in any::<u64>()) {
            #[expect(clippy::cast_precision_loss, reason = "any double will do")]
            let decimal = (units >> (bits % 60)) as f64 / 10_f64.powi(places);
            for value in [decimal, decimal.next_up(), decimal.next_down(), f64::from_bits(bits)] {
                if value.is_finite() && value != 0.0 {
                    let text = written(|room, at| double(room, at, value));
                    prop_assert_eq!(text.parse(), Ok(value));
                    let long = zmij::Buffer::new().format_finite(value).to_owned();
                    prop_assert_eq!(significant(text.trim_start_matches('-')), significant(long.trim_start_matches('-')));
                }
            }
        }
    }
}
