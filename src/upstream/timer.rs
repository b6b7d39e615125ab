//! The one timer of a call: over queue, attempts and body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};

use super::failure;
use crate::rpc::{Code, Deadline, Status};

/// An upstream that enforces the deadline itself may reset a stream this much before our own timer.
const CLOSE: Duration = Duration::from_millis(10);

/// Whether a deadline allows to wait so long, and to do something after it.
pub fn allows(deadline: Option<Deadline>, delay: Duration) -> bool {
    deadline.is_none_or(|deadline| deadline.remaining() > delay)
}

/// Fires at the deadline of a call, if it has one.
pub struct Timer {
    deadline: Option<Deadline>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub fn new(deadline: Option<Deadline>) -> Self {
        let sleep = deadline.map(|deadline| Box::pin(sleep_until(deadline.instant().into())));
        Self { deadline, sleep }
    }

    /// Ready once the deadline has passed.
    pub fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }

    /// How long is left; `None` without a deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(Deadline::remaining)
    }

    /// What an error means: a call that the upstream cancels at its deadline has exceeded it.
    pub fn explain(&self, status: Status) -> Status {
        let late = self.remaining().is_some_and(|remaining| remaining < CLOSE);
        if late && status.code == Code::Cancelled { failure::deadline_exceeded() } else { status }
    }
}
