//! The wall's clock: what tokens and certificates mean by a time. It can jump; nothing is timed by it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(super) type Clock = fn() -> u64;

/// What the machine's clock shows; a clock before 1970 shows 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
