//! Durations and sizes as people write them: `"1h30m"`, `"250ms"`, `"4MiB"`.
//!
//! Look here for which units there are. This module knows text and numbers, no keys and no files.
//!
//! ```text
//! duration = 1*( 1*DIGIT unit )     units in falling order, each at most once
//! unit     = "d" / "h" / "m" / "s" / "ms" / "us"
//! size     = 1*DIGIT ( "B" / "KB" / "MB" / "GB" / "KiB" / "MiB" / "GiB" )
//! ```

use std::time::Duration;

/// What the right form of a duration is, for the help of a problem.
pub(super) const DURATION_FORM: &str =
    "write a whole number and a unit, such as \"15s\", \"250ms\" or \"1h30m\"";

/// What the right form of a size is, for the help of a problem.
pub(super) const SIZE_FORM: &str = "write a whole number and a unit, such as \"4MiB\", \"100KB\" or \"512B\"";

/// Units of time in falling order, in microseconds.
const DURATION_UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Units of size, in bytes: powers of 1024 first, for these are shown when they fit.
const SIZE_UNITS: &[(&str, usize)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a duration.
///
/// # Errors
/// What is wrong with the text, to be put after the text itself.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text;
    let mut units = DURATION_UNITS;
    let mut micros = 0_u64;
    while !rest.is_empty() {
        let (number, unit, after) = split_quantity(rest)?;
        let place = units.iter().position(|(name, _)| *name == unit).ok_or_else(|| {
            let known = DURATION_UNITS.iter().any(|(name, _)| *name == unit);
            if known { "has its units out of order" } else { "has no known unit of time" }
        })?;
        let (found, below) = units.split_at(place + 1);
        let factor = found.last().map_or(0, |(_, factor)| *factor);
        micros = number
            .checked_mul(factor)
            .and_then(|amount| micros.checked_add(amount))
            .ok_or("is too long a time")?;
        units = below;
        rest = after;
    }
    if text.is_empty() { Err("is empty") } else { Ok(Duration::from_micros(micros)) }
}

/// Reads a size in bytes.
///
/// # Errors
/// What is wrong with the text, to be put after the text itself.
pub fn parse_size(text: &str) -> Result<usize, &'static str> {
    let (number, unit, after) = split_quantity(text)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or("has no known unit of size")?;
    if !after.is_empty() {
        return Err("has more than one unit");
    }
    usize::try_from(number).ok().and_then(|number| number.checked_mul(*factor)).ok_or("is too large a size")
}

/// Splits `15s…` into the number, the unit and what follows.
fn split_quantity(text: &str) -> Result<(u64, &str, &str), &'static str> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() {
        return Err(if text.starts_with('-') { "is negative" } else { "does not start with a whole number" });
    }
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    match (unit.is_empty(), after.starts_with('.')) {
        (true, true) => Err("has a fraction"),
        (true, false) => Err("has no unit"),
        (false, _) => Ok((number.parse().map_err(|_| "has too large a number")?, unit, after)),
    }
}

/// Writes a duration the way it can be read back; what is finer than a microsecond is left out.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let quantities = DURATION_UNITS.iter().map(|(unit, factor)| {
        let amount = left / factor;
        left %= factor;
        if amount == 0 { String::new() } else { format!("{amount}{unit}") }
    });
    let text: String = quantities.collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a size in the largest unit that leaves a whole number.
#[must_use]
pub fn show_size(bytes: usize) -> String {
    let unit = SIZE_UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    let (name, factor) = unit.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, micros) in [
            ("0s", 0),
            ("15s", 15_000_000),
            ("250ms", 250_000),
            ("7us", 7),
            ("1h30m", 5_400_000_000),
            ("1d2h3m4s5ms6us", 93_784_005_006),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn wrong_durations_say_what_is_wrong() {
        for (text, wrong) in [
            ("", "is empty"),
            ("15", "has no unit"),
            ("1.5s", "has a fraction"),
            ("-1s", "is negative"),
            ("s", "does not start with a whole number"),
            ("15 s", "has no unit"),
            ("15s ", "does not start with a whole number"),
            ("3x", "has no known unit of time"),
            ("15S", "has no known unit of time"),
            ("30m1h", "has its units out of order"),
            ("1s1s", "has its units out of order"),
            ("99999999999999999999s", "has too large a number"),
            ("18446744073709551615d", "is too long a time"),
            ("１s", "does not start with a whole number"),
        ] {
            assert_eq!(parse_duration(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("4MiB", 4 << 20),
            ("4MB", 4_000_000),
            ("100KB", 100_000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn wrong_sizes_say_what_is_wrong() {
        for (text, wrong) in [
            ("4", "has no unit"),
            ("4mb", "has no known unit of size"),
            ("4.5MB", "has a fraction"),
            ("4MiB1B", "has more than one unit"),
            ("99999999999GiB", "is too large a size"),
        ] {
            assert_eq!(parse_size(text), Err(wrong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read(micros: u64, bytes: usize) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
            prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
