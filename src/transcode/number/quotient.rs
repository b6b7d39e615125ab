//! Numbers with more digits than a double holds, as the double next to them.
//!
//! At most 19 digits with a point among them are a quotient of two whole numbers of 64 bits. It is divided out to
//! 62 bits or more; whether anything remains decides between two doubles that are equally near. So the result is
//! rounded once, as the standard library rounds it, in a few multiplications. Look here for how; what counts as
//! such a number is not known here.

/// A power of ten to divide by.
struct Divisor {
    /// The power, with its highest bit moved to the highest place.
    normal: u64,
    /// By how many bits it was moved.
    shift: u32,
    /// (2¹²⁸ − 1) / `normal` − 2⁶⁴, which a division by it is replaced with.
    inverse: u64,
}

/// The powers of ten that have 64 bits.
static DIVISORS: [Divisor; 20] = {
    let mut divisors = [const { Divisor::of(1) }; 20];
    let (mut places, mut power) = (1, 1_u64);
    while places < divisors.len() {
        power *= 10;
        #[expect(clippy::indexing_slicing, reason = "made when the program is compiled, which would fail")]
        {
            divisors[places] = Divisor::of(power);
        }
        places += 1;
    }
    divisors
};

impl Divisor {
    #[expect(clippy::cast_possible_truncation, reason = "the highest bit, 2⁶⁴, is to go")]
    const fn of(power: u64) -> Self {
        let shift = power.leading_zeros();
        let normal = power << shift;
        Self { normal, shift, inverse: (u128::MAX / normal as u128) as u64 }
    }

    /// Quotient and remainder of a number whose upper half is below `normal` (Möller and Granlund, "Improved
    /// division by invariant integers", 2011, algorithm 4).
    #[inline]
    fn divide(&self, number: u128) -> (u64, u64) {
        let (high, low) = halves(number);
        let estimate = (u128::from(self.inverse) * u128::from(high)).wrapping_add(number);
        let (mut quotient, fraction) = halves(estimate);
        quotient = quotient.wrapping_add(1);
        let mut rest = low.wrapping_sub(quotient.wrapping_mul(self.normal));
        if rest > fraction {
            quotient = quotient.wrapping_sub(1);
            rest = rest.wrapping_add(self.normal);
        }
        if rest >= self.normal { (quotient + 1, rest - self.normal) } else { (quotient, rest) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "halves are wanted")]
const fn halves(number: u128) -> (u64, u64) {
    ((number >> 64) as u64, number as u64)
}

/// The double next to `mantissa` / 10^`places`; none for zero and for more than 19 places.
#[inline]
pub(super) fn quotient(mantissa: u64, places: usize) -> Option<f64> {
    let divisor = DIVISORS.get(places)?;
    let shift = mantissa.leading_zeros();
    // One bit lower than it could be, so that the upper half is below the divisor.
    let number = u128::from(mantissa.checked_shl(shift)?) << 63;
    let (quotient, rest) = divisor.divide(number);
    // The lowest bit is below all that a double holds: there it says that something remains.
    #[expect(clippy::cast_precision_loss, reason = "this is where it is rounded")]
    let significand = (quotient | u64::from(rest != 0)) as f64;
    // What both were moved by, as a power of two: exact, and far from the ends of the range.
    let scale = f64::from_bits(u64::from(1023 - 63 + divisor.shift - shift) << 52);
    Some(significand * scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected(mantissa: u64, places: usize) -> f64 {
        format!("{mantissa}e-{places}").parse().unwrap()
    }

    #[test]
    fn doubles_halfway_and_next_to_halfway_are_rounded_to_even() {
        for places in 0..20 {
            for mantissa in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, (1 << bit) + 1]) {
                for mantissa in [mantissa, mantissa | (1 << 63), u64::MAX - mantissa] {
                    if mantissa > 0 {
                        let found = quotient(mantissa, places).unwrap();
                        assert_eq!(
                            found.to_bits(),
                            expected(mantissa, places).to_bits(),
                            "{mantissa}e-{places}"
                        );
                    }
                }
            }
        }
        // 2⁵³ + 1 lies between two doubles, also as a quotient.
        for (power, places) in [(1, 0), (10, 1), (100, 2), (1000, 3)] {
            let halfway = ((1 << 53) + 1) * power;
            for mantissa in [halfway - 1, halfway, halfway + 1] {
                assert_eq!(quotient(mantissa, places), Some(expected(mantissa, places)));
            }
        }
    }

    #[test]
    fn zero_and_too_many_places_have_no_quotient() {
        assert_eq!(quotient(0, 3), None);
        assert_eq!(quotient(1, 20), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn a_division_is_exact(power in 0_usize..20, quotient: u64, rest: u64) {
            let divisor = &DIVISORS[power];
            let rest = rest % divisor.normal;
            // Below `normal` times 2⁶⁴, as is asked for.
            let number = u128::from(quotient) * u128::from(divisor.normal) + u128::from(rest);
            prop_assert_eq!(divisor.divide(number), (quotient, rest));
        }

        #[test]
        fn each_quotient_is_rounded_as_the_standard_library_does(
            mantissa: u64, cut in 0_u32..64, places in 0_usize..20,
        ) {
            let mantissa = (mantissa >> cut).max(1);
            prop_assert_eq!(quotient(mantissa, places).unwrap().to_bits(), expected(mantissa, places).to_bits());
        }
    }
}
