//! When a further copy of a call is sent, and when its failure is final: a pure state machine that knows
//! neither clocks nor sockets.

use std::time::Duration;

use crate::rpc::{Again, Hedge, Status};
use crate::upstream::retry::{MOST, Throttle};

/// What follows the failure of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The client is told; other copies would fail, too.
    Fail,
    /// The next copy is sent after a delay: none, unless the server asks for it.
    After(Duration),
    /// The other copies decide, and no more is sent.
    Wait,
}

/// The copies of one call.
#[derive(Debug)]
pub struct Plan<'a> {
    policy: &'a Hedge,
    sent: u32,
    /// A server wants no more of them.
    stopped: bool,
}

impl<'a> Plan<'a> {
    /// No copy yet.
    pub const fn new(policy: &'a Hedge) -> Self {
        Self { policy, sent: 0, stopped: false }
    }

    /// How many copies were sent.
    pub const fn sent(&self) -> u32 {
        self.sent
    }

    /// Notes that a copy is sent.
    pub const fn send(&mut self) {
        self.sent += 1;
    }

    /// Whether another copy may follow the one that is sent now.
    pub fn has_more(&self) -> bool {
        !self.stopped && self.sent + 1 < self.policy.attempts.min(MOST)
    }

    /// Whether another copy may be sent: the first always, others only while most calls succeed.
    pub fn may_send(&self, tokens: &Throttle) -> bool {
        self.sent == 0 || !self.stopped && self.sent < self.policy.attempts.min(MOST) && tokens.allows()
    }

    /// No more copies are sent.
    pub const fn stop(&mut self) {
        self.stopped = true;
    }

    /// Decides what follows the failure of a copy.
    pub fn failed(&mut self, status: &Status, tokens: &Throttle) -> Next {
        let may_differ = match status.again {
            Again::Left | Again::Unsent => true,
            Again::ByCode | Again::After(_) | Again::Never => self.policy.codes.contains(&status.code),
        };
        // Where nothing was sent no server has failed, and the failure of a connection is paid once.
        let costs = status.again == Again::Never || may_differ && status.again != Again::Unsent;
        if costs && !status.is_paid {
            tokens.failed();
        }
        if !may_differ {
            return Next::Fail;
        }
        // No server was asked and asking again at once would find none either; or one wants no more.
        if matches!(status.again, Again::Unsent | Again::Never) {
            self.stop();
        }
        match status.again {
            _ if !self.may_send(tokens) => Next::Wait,
            Again::After(delay) => Next::After(delay),
            _ => Next::After(Duration::ZERO),
        }
    }
}
