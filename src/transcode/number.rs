//! Numbers of JSON texts (RFC 8259 §6), exactly: no integer passes through a double, and a float is
//! rounded once.

mod quotient;

use quotient::quotient;

/// What is wrong with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadNumber {
    Syntax,
    Fraction,
    Range,
}

impl BadNumber {
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Syntax => "the number is not valid JSON",
            Self::Fraction => "expected a whole number",
            Self::Range => "the number is out of range",
        }
    }
}

/// A number as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'t> {
    pub(super) negative: bool,
    /// The digits without the point as one number; it has wrapped where there are more than 19.
    mantissa: u64,
    whole: &'t [u8],
    fraction: &'t [u8],
    /// As written behind the `e`; far out it is only known to be so.
    exponent: i64,
    text: &'t [u8],
    /// The place behind the number.
    pub(super) end: usize,
}

/// So many digits fit 64 bits, whatever they are.
const SAFE_DIGITS: usize = 19;
/// All whole numbers up to this one are exact doubles.
const MOST_EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
/// Exponents are known exactly within these bounds; no number of a sane length is near them.
const EXPONENT_BOUND: i64 = 1 << 40;

impl<'t> Decimal<'t> {
    /// Reads the number that starts at `start`; what follows it is not looked at.
    #[inline]
    pub(super) fn read(text: &'t [u8], start: usize) -> Result<Self, BadNumber> {
        let negative = text.get(start) == Some(&b'-');
        let first = start + usize::from(negative);
        let (mantissa, whole_end) = digits(text, first, 0);
        if whole_end == first || (whole_end > first + 1 && text.get(first) == Some(&b'0')) {
            return Err(BadNumber::Syntax);
        }
        let whole = text.get(first..whole_end).unwrap_or_default();
        let number =
            Self { negative, mantissa, whole, fraction: &[], exponent: 0, text: &[], end: whole_end };
        match text.get(whole_end) {
            Some(b'.' | b'e' | b'E') => number.read_rest(text, start),
            _ => Ok(Self { text: text.get(start..whole_end).unwrap_or_default(), ..number }),
        }
    }

    /// Reads a text that is a number and nothing else.
    pub(super) fn read_all(text: &'t [u8]) -> Result<Self, BadNumber> {
        Self::read(text, 0)
            .and_then(|number| if number.end == text.len() { Ok(number) } else { Err(BadNumber::Syntax) })
    }

    fn read_rest(mut self, text: &'t [u8], start: usize) -> Result<Self, BadNumber> {
        if text.get(self.end) == Some(&b'.') {
            let first = self.end + 1;
            (self.mantissa, self.end) = digits(text, first, self.mantissa);
            self.fraction = text.get(first..self.end).unwrap_or_default();
            if self.fraction.is_empty() {
                return Err(BadNumber::Syntax);
            }
        }
        if let Some(b'e' | b'E') = text.get(self.end) {
            (self.exponent, self.end) = exponent(text, self.end + 1)?;
        }
        self.text = text.get(start..self.end).unwrap_or_default();
        Ok(self)
    }

    /// The whole number that it is: its magnitude, the sign is apart.
    #[inline]
    pub(super) fn magnitude(&self) -> Result<u64, BadNumber> {
        if self.fraction.is_empty() && self.exponent == 0 && self.whole.len() <= SAFE_DIGITS {
            Ok(self.mantissa)
        } else {
            self.long_magnitude()
        }
    }

    /// `1e3`, `1.50e1`, `100.00` and what has more digits than are safe.
    fn long_magnitude(&self) -> Result<u64, BadNumber> {
        let mut digits = self.whole.iter().chain(self.fraction).map(|digit| digit - b'0').peekable();
        // How many digits stand before the point, once it is moved by the exponent.
        let mut before = self.exponent + i64::try_from(self.whole.len()).map_err(|_| BadNumber::Range)?;
        let mut value: u64 = 0;
        while digits.peek().is_some() || (before > 0 && value != 0) {
            let digit = digits.next().unwrap_or(0);
            if before <= 0 && digit != 0 {
                return Err(BadNumber::Fraction);
            }
            if before > 0 {
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_add(digit.into()))
                    .ok_or(BadNumber::Range)?;
            }
            before -= 1;
        }
        Ok(value)
    }

    /// The digits as one number below `bound`, and the power of ten it is to be scaled by.
    #[inline]
    fn exact(&self, bound: u64) -> Option<(u64, i64)> {
        let digits = self.whole.len() + self.fraction.len();
        (digits <= SAFE_DIGITS && self.mantissa <= bound)
            .then(|| (self.mantissa, self.exponent - i64::try_from(self.fraction.len()).unwrap_or(0)))
    }

    fn parse<F: std::str::FromStr>(&self) -> Option<F> {
        std::str::from_utf8(self.text).ok()?.parse().ok()
    }
}

/// A number as a double, rounded once.
#[inline]
pub(super) fn double(number: &Decimal<'_>) -> Result<f64, BadNumber> {
    let exact = number.exact(MOST_EXACT).and_then(|(mantissa, scale)| {
        // Both are exact doubles, so one operation rounds once (Clinger's fast path).
        #[expect(clippy::cast_precision_loss, reason = "it has at most 53 bits")]
        let mantissa = mantissa as f64;
        let power = *POWERS.get(usize::try_from(scale.unsigned_abs()).ok()?)?;
        Some(if scale < 0 { mantissa / power } else { mantissa * power })
    });
    match exact {
        Some(value) => Ok(if number.negative { -value } else { value }),
        None => number.parse().filter(|value: &f64| value.is_finite()).ok_or(BadNumber::Range),
    }
}

/// A number as a float, rounded once: by way of a double it would be rounded twice.
#[inline]
pub(super) fn float(number: &Decimal<'_>) -> Result<f32, BadNumber> {
    let exact = number.exact(1 << f32::MANTISSA_DIGITS).and_then(|(mantissa, scale)| {
        #[expect(clippy::cast_precision_loss, reason = "it has at most 24 bits")]
        let mantissa = mantissa as f32;
        let power = *FLOAT_POWERS.get(usize::try_from(scale.unsigned_abs()).ok()?)?;
        Some(if scale < 0 { mantissa / power } else { mantissa * power })
    });
    match exact {
        Some(value) => Ok(if number.negative { -value } else { value }),
        None => number.parse().filter(|value: &f32| value.is_finite()).ok_or(BadNumber::Range),
    }
}

/// The powers of ten that are exact doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// The powers of ten that are exact floats.
const FLOAT_POWERS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// A plain whole number as most are: no point, no exponent, at most 19 digits. None for any other, right
/// or wrong.
#[inline]
pub(super) fn plain_integer(text: &[u8], start: usize) -> Option<(bool, u64, usize)> {
    let negative = text.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let (magnitude, end) = digits(text, first, 0);
    let length = end - first;
    let plain = (1..=SAFE_DIGITS).contains(&length)
        && (length == 1 || text.get(first) != Some(&b'0'))
        && !matches!(text.get(end), Some(b'.' | b'e' | b'E'));
    plain.then_some((negative, magnitude, end))
}

/// A double as most are: without an exponent, with or without a point. None for any other, right or wrong.
#[inline]
pub(super) fn plain_double(text: &[u8], start: usize) -> Option<(f64, usize)> {
    let negative = text.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let (whole, point) = digits(text, first, 0);
    let (mantissa, end, scale) = match text.get(point) {
        Some(b'.') => {
            let (mantissa, end) = digits(text, point + 1, whole);
            (mantissa, end, end - point - 1)
        }
        _ => (whole, point, 0),
    };
    let leading_zero = point > first + 1 && text.get(first) == Some(&b'0');
    let no_fraction = scale == 0 && end != point;
    if point == first || leading_zero || no_fraction || matches!(text.get(end), Some(b'e' | b'E')) {
        return None;
    }
    let safe = end - first - usize::from(end != point) <= SAFE_DIGITS;
    #[expect(clippy::cast_precision_loss, reason = "it has at most 53 bits")]
    let value = match mantissa {
        _ if !safe => return Some((parse(text.get(start..end)?)?, end)),
        0..=MOST_EXACT => mantissa as f64 / *POWERS.get(scale)?,
        _ => quotient(mantissa, scale)?,
    };
    Some((if negative { -value } else { value }, end))
}

/// What the standard library makes of a number; none where it is infinite.
fn parse(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Reads digits behind `value`; gives the value and the place behind the last digit. The value has wrapped
/// where there are more than 19.
#[inline]
fn digits(text: &[u8], start: usize, mut value: u64) -> (u64, usize) {
    let mut at = start;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let (part, count) = eight_digits(u64::from_le_bytes(*chunk));
        value = value.wrapping_mul(*SCALES.get(count).unwrap_or(&1)).wrapping_add(part);
        at += count;
        if count < 8 {
            return (value, at);
        }
    }
    last_digits(text, at, value)
}

/// The powers of ten that up to eight digits are scaled by.
const SCALES: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that the digits at the beginning of eight bytes make, and how many they are: pairs, then
/// fours, then eights are put together in one word.
#[inline]
const fn eight_digits(word: u64) -> (u64, usize) {
    let values = word ^ 0x3030_3030_3030_3030;
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    let aligned = values << (64 - 8 * count);
    let pairs = aligned.wrapping_mul(10).wrapping_add(aligned >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let eights = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    (eights, count as usize)
}

fn last_digits(text: &[u8], start: usize, mut value: u64) -> (u64, usize) {
    let mut at = start;
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(digit.into());
        at += 1;
    }
    (value, at)
}

fn exponent(text: &[u8], start: usize) -> Result<(i64, usize), BadNumber> {
    let (negative, first) = match text.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    };
    let (value, end) = digits(text, first, 0);
    if end == first {
        return Err(BadNumber::Syntax);
    }
    let significant =
        text.get(first..end).unwrap_or_default().iter().skip_while(|digit| **digit == b'0').count();
    let bounded = if significant > 12 {
        EXPONENT_BOUND
    } else {
        i64::try_from(value).map_or(EXPONENT_BOUND, |value| value.min(EXPONENT_BOUND))
    };
    Ok((if negative { -bounded } else { bounded }, end))
}

#[cfg(test)]
mod tests;
