//! Whether a call that failed is sent again, and when: gRFC A6 as a pure state machine.
//!
//! It knows neither clocks nor sockets.

use std::time::Duration;

use super::MOST;
use super::throttle::Throttle;
use crate::rpc::{Again, Retry, Status};
use crate::upstream::backoff::{Backoff, Curve};
use crate::upstream::random::Random;

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt after a delay.
    After(Duration),
    /// The client is told.
    Fail,
}

/// The attempts at one call.
#[derive(Debug)]
pub struct Attempts<'a> {
    policy: &'a Retry,
    made: u32,
    backoff: Backoff,
}

impl<'a> Attempts<'a> {
    /// No attempt yet.
    pub const fn new(policy: &'a Retry) -> Self {
        let curve = Curve { initial: policy.backoff, multiplier: 2.0, max: policy.max_backoff };
        Self { policy, made: 0, backoff: Backoff::new(curve) }
    }

    /// How many attempts have failed.
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// Whether another attempt is allowed, should this one fail in a way that is worth it.
    pub fn may_repeat(&self) -> bool {
        self.made + 1 < self.policy.attempts.min(MOST)
    }

    /// Decides what follows a failure.
    pub fn failed(&mut self, status: &Status, tokens: &Throttle, random: &Random) -> Next {
        let may_repeat = self.may_repeat();
        self.made += 1;
        let worth = match status.again {
            Again::Left | Again::Never => true,
            Again::ByCode | Again::After(_) => self.policy.codes.contains(&status.code),
            Again::Unsent => false,
        };
        // A failure that counts costs a token, whatever follows it.
        let pay = || if status.is_paid { tokens.allows() } else { tokens.failed() };
        if !worth || !pay() || !may_repeat || status.again == Again::Never {
            return Next::Fail;
        }
        if let Again::After(delay) = status.again {
            self.backoff.reset();
            return Next::After(delay);
        }
        Next::After(self.backoff.delay(random))
    }
}

#[cfg(test)]
mod tests;
