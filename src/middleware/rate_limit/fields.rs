//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): what a client is told of a
//! limit that it is counted by.
//!
//! The quota is the burst, and the window the time in which a spent burst is free again. `t` is when there
//! is one call more than `r`: where nothing is left, the instant that `Retry-After` names too (§4.3).

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::gcra::Limit;

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The policy of a name: a word of ours, without quotes in it.
pub(super) fn policy(name: &str, limit: Limit) -> HeaderValue {
    field(format!("\"{name}\";q={};w={}", limit.burst(), seconds(limit.window())))
}

/// How many calls are left, until there is one more.
pub(super) fn state(name: &str, left: u64, next: Duration) -> HeaderValue {
    field(format!("\"{name}\";r={left};t={}", seconds(next)))
}

/// Whole seconds, rounded up: who waits for so long is not too early. At least one.
pub(super) fn seconds(duration: Duration) -> u64 {
    let whole = duration.as_secs();
    whole.saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}

fn field(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_the_draft_writes_them() {
        let limit = Limit::new(100, Duration::from_secs(1), 250);
        assert_eq!(policy("identity", limit), "\"identity\";q=250;w=3");
        assert_eq!(state("identity", 7, Duration::from_millis(10)), "\"identity\";r=7;t=1");
        assert_eq!(state("route", 0, Duration::from_millis(1001)), "\"route\";r=0;t=2");
        assert_eq!(state("route", 0, Duration::from_secs(60)), "\"route\";r=0;t=60");
    }
}
