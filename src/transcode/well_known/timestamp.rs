//! Timestamp ↔ RFC 3339: written in UTC with `Z`, read with any offset (google/protobuf/timestamp.proto).

use super::{NANOS_PER_SECOND, Time, take_fraction, write_fraction};
use crate::transcode::decimal;
use crate::transcode::room::Room;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const SECONDS_PER_DAY: i64 = 86_400;

/// Reads `2006-01-02T15:04:05.999Z`; `T` and `Z` are capitals, a leap second is none.
pub(in crate::transcode) fn parse(text: &[u8]) -> Option<Time> {
    let (date, clock) = text.split_first_chunk::<11>()?;
    let (clock, rest) = clock.split_first_chunk::<8>()?;
    let (nanos, zone) = take_fraction(rest)?;
    let seconds = days(*date)? * SECONDS_PER_DAY + second_of_day(*clock)? - offset(zone)?;
    RANGE.contains(&seconds).then_some(Time { seconds, nanos })
}

/// Appends the text, without quotes; false where the value is out of range.
pub(in crate::transcode) fn write(out: &mut Room, mut at: usize, time: Time) -> Option<usize> {
    if !RANGE.contains(&time.seconds) || !(0..NANOS_PER_SECOND).contains(&time.nanos) {
        return None;
    }
    let (year, month, day) = civil(time.seconds.div_euclid(SECONDS_PER_DAY));
    let second = time.seconds.rem_euclid(SECONDS_PER_DAY);
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (second / 3600, 2, b':'),
        (second / 60 % 60, 2, b':'),
    ];
    for (value, width, separator) in parts {
        at = decimal::padded(out, at, value.unsigned_abs(), width);
        at = out.byte(at, separator);
    }
    at = decimal::padded(out, at, second.unsigned_abs() % 60, 2);
    at = write_fraction(out, at, time.nanos.unsigned_abs());
    Some(out.byte(at, b'Z'))
}

/// The days from 1970-01-01 to `yyyy-mm-ddT`.
fn days(date: [u8; 11]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T'] = date else { return None };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    (year >= 1 && (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

fn second_of_day(clock: [u8; 8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The seconds that a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            let seconds = hours * 3600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// The days from 0000-03-01, where years that begin in March are counted from, to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Days from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH
}

/// Year, month and day of a number of days from 1970-01-01; the inverse of [`days_from_civil`].
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day = shifted.rem_euclid(DAYS_PER_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::super::text_of;
    use super::*;

    fn written(seconds: i64, nanos: i32) -> Option<String> {
        text_of(|out, at| write(out, at, Time { seconds, nanos }))
    }

    #[test]
    fn texts_and_values_agree() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
            ("2000-02-29T12:34:56.120Z", 951_827_696, 120_000_000),
            ("1969-12-31T23:59:59.000001Z", -1, 1000),
            ("2024-12-31T23:59:59Z", 1_735_689_599, 0),
        ];
        for (text, seconds, nanos) in cases {
            assert_eq!(parse(text.as_bytes()), Some(Time { seconds, nanos }), "{text}");
            assert_eq!(written(seconds, nanos).as_deref(), Some(text));
        }
    }

    #[test]
    fn every_day_of_the_range_comes_back() {
        for day in RANGE.start() / SECONDS_PER_DAY..=RANGE.end() / SECONDS_PER_DAY {
            let (year, month, date) = civil(day);
            assert_eq!(days_from_civil(year, month, date), day);
            assert!((1..=days_of_month(year, month)).contains(&date));
        }
    }

    #[test]
    fn offsets_and_short_fractions_are_read() {
        let time = |text: &str| parse(text.as_bytes());
        assert_eq!(time("1970-01-01T01:30:00+01:30"), Some(Time { seconds: 0, nanos: 0 }));
        assert_eq!(time("1969-12-31T23:00:00.5-01:00"), Some(Time { seconds: 0, nanos: 500_000_000 }));
    }

    #[test]
    fn everything_else_is_refused() {
        let wrong = [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01 00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "1970-01-01T00:00:00ZZ",
            "1970-01-01T00:00:00 Z",
            "-970-01-01T00:00:00Z",
        ];
        for text in wrong {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        for (seconds, nanos) in [(0, -1), (0, NANOS_PER_SECOND), (RANGE.end() + 1, 0), (RANGE.start() - 1, 0)]
        {
            assert_eq!(written(seconds, nanos), None);
        }
    }
}
