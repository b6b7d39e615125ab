//! Whether a call that failed is sent again, and when: gRFC A6 as a pure state machine.
//!
//! It knows neither clocks nor sockets; `attempts` asks it after each failure. A call is committed when
//! the head of an answer has arrived, so whatever comes here has brought nothing to the client.

mod throttle;

use std::time::Duration;

use http::HeaderMap;

use super::backoff::{Backoff, Curve};
use super::failure::{Cause, Failure};
use super::random::Random;
use crate::rpc::Retry;
pub use throttle::Throttle;

/// More attempts than this are never made (gRFC A6).
const MOST: u32 = 5;

/// How often a call that no upstream has looked at is sent again, beside the attempts. A6 allows one; a
/// rolling restart can refuse a call once on each endpoint.
const TRANSPARENT: u32 = 3;

/// Messages that are larger are sent once: they would have to be kept. All calls that an upstream may
/// have in flight keep 64 MiB at most.
pub const REPLAY: usize = 64 * 1024;

/// What a server says of retrying in `grpc-retry-pushback-ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushback {
    /// Exactly so late.
    After(Duration),
    /// Not at all; so is everything that cannot be read.
    Never,
}

impl Pushback {
    /// Reads trailers.
    pub fn read(trailers: &HeaderMap) -> Option<Self> {
        let value = trailers.get("grpc-retry-pushback-ms")?;
        let delay = value.to_str().ok().and_then(|text| text.parse::<i32>().ok());
        Some(match delay.and_then(|delay| u64::try_from(delay).ok()) {
            Some(delay) => Self::After(Duration::from_millis(delay)),
            None => Self::Never,
        })
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt at once, which does not count.
    Now,
    /// Another attempt after a delay.
    After(Duration),
    /// The client is told.
    Fail,
}

/// The attempts at one call.
#[derive(Debug)]
pub struct Attempts<'a> {
    policy: Option<&'a Retry>,
    made: u32,
    transparent: u32,
    backoff: Backoff,
}

impl<'a> Attempts<'a> {
    /// No attempt yet. Without a policy only what no upstream has looked at is sent again.
    pub fn new(policy: Option<&'a Retry>) -> Self {
        let curve = policy.map_or(Curve::CONNECT, curve);
        Self { policy, made: 0, transparent: 0, backoff: Backoff::new(curve) }
    }

    /// How many attempts have failed, those aside that no upstream has looked at.
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// Whether another attempt is allowed, should this one fail in a way that is worth it.
    pub fn may_repeat(&self) -> bool {
        self.policy.is_some_and(|policy| self.made + 1 < policy.attempts.min(MOST))
    }

    /// Decides what follows a failure; `is_new`: no other call has paid for the same failure.
    pub fn failed(&mut self, failure: &Failure, is_new: bool, throttle: &Throttle, random: &Random) -> Next {
        if failure.cause == Cause::Unprocessed && self.transparent < TRANSPARENT {
            self.transparent += 1;
            return Next::Now;
        }
        let may_repeat = self.may_repeat();
        self.made += 1;
        let Some(policy) = self.policy else {
            return Next::Fail;
        };
        let worth = failure.cause == Cause::Left || policy.codes.contains(&failure.status.code);
        let refused = failure.pushback == Some(Pushback::Never);
        if !worth && !refused {
            return Next::Fail;
        }
        let allowed = if is_new { throttle.failed() } else { throttle.allows() };
        if refused || !may_repeat || !allowed {
            return Next::Fail;
        }
        if let Some(Pushback::After(delay)) = failure.pushback {
            self.backoff.reset();
            return Next::After(delay);
        }
        Next::After(self.backoff.delay(random))
    }
}

const fn curve(policy: &Retry) -> Curve {
    Curve { initial: policy.backoff, multiplier: 2.0, max: policy.max_backoff }
}

#[cfg(test)]
mod tests;
