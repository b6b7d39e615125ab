//! A bucket of tokens that stops retries while most calls fail (gRFC A6, "Throttling Retry Attempts").

use std::sync::atomic::{AtomicU32, Ordering};

/// In thousandths of a token.
const FULL: u32 = 100_000;
const FAILURE: u32 = 1000;
const SUCCESS: u32 = 100;

/// The tokens of one upstream: a failure costs one, a success brings a tenth; above the half, retries
/// are allowed. The failure of a connection is one failure, however many calls were on it: that they all
/// fail says nothing of how many would.
#[derive(Debug)]
pub struct Throttle(AtomicU32);

impl Default for Throttle {
    fn default() -> Self {
        Self(AtomicU32::new(FULL))
    }
}

impl Throttle {
    /// Takes a token; whether a retry is allowed.
    pub fn failed(&self) -> bool {
        let take = |tokens: u32| Some(tokens.saturating_sub(FAILURE));
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        before.saturating_sub(FAILURE) > FULL / 2
    }

    /// Brings a tenth.
    pub fn succeeded(&self) {
        if self.0.load(Ordering::Relaxed) < FULL {
            let give = |tokens: u32| Some((tokens + SUCCESS).min(FULL));
            // It always gives.
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
        }
    }

    /// Whether retries are allowed.
    pub fn allows(&self) -> bool {
        self.0.load(Ordering::Relaxed) > FULL / 2
    }

    /// How many tokens there are, of 100.
    pub fn tokens(&self) -> u32 {
        self.0.load(Ordering::Relaxed) / 1000
    }
}
