//! Which fields and oneofs of one object have come.

/// A set of small numbers; up to 256 of them without allocation.
#[derive(Debug, Default)]
pub(super) struct Seen {
    low: [u64; Self::WORDS],
    high: Vec<u64>,
}

impl Seen {
    const WORDS: usize = 4;

    /// Whether it was not there before.
    #[inline]
    pub(super) fn insert(&mut self, number: usize) -> bool {
        let bit = 1 << (number % 64);
        let word = match self.low.get_mut(number / 64) {
            Some(word) => word,
            None => match self.high_word(number / 64 - Self::WORDS) {
                Some(word) => word,
                None => return false,
            },
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn high_word(&mut self, index: usize) -> Option<&mut u64> {
        if self.high.len() <= index {
            self.high.resize(index + 1, 0);
        }
        self.high.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let mut seen = Seen::default();
        for number in [0, 63, 64, 255, 256, 1000, 5000] {
            assert!(seen.insert(number));
            assert!(!seen.insert(number));
        }
        assert!(seen.insert(1));
    }
}
