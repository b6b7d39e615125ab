//! Chance for balancing and jitter: fast, seeded by the system, and of no use to cryptography.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// A generator that can be shared (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug)]
pub struct Random(AtomicU64);

impl Random {
    /// A generator with a seed of its own.
    pub fn new() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one(0_u8)))
    }

    /// Any number.
    pub fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mix(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A number below `bound`; zero when the bound is zero.
    pub fn below(&self, bound: usize) -> usize {
        // The high half of the product is uniform enough for bounds far below 2^64.
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).unwrap_or_default()
    }

    /// A number of `low..high`.
    pub fn between(&self, low: f64, high: f64) -> f64 {
        // 32 bits are exact in a double, and enough for jitter.
        let part = u32::try_from(self.next() >> 32).unwrap_or_default();
        low + (high - low) * f64::from(part) / 4_294_967_296.0
    }
}

/// The finalizer of SplitMix64: spreads numbers that lie close together over all 64 bits.
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_the_bound_comes_up() {
        let random = Random::new();
        let mut seen = [0_u32; 7];
        for _ in 0..7000 {
            seen[random.below(7)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 700), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn numbers_between_stay_between() {
        let random = Random::new();
        assert!((0..1000).map(|_| random.between(0.8, 1.2)).all(|number| (0.8..1.2).contains(&number)));
    }
}
