//! The one timer of a call: over queue, attempts and body.

mod idle;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::failure;
use crate::rpc::{Code, Deadline, Messages, Status};
use idle::Idle;

/// An upstream that enforces the deadline itself may reset a stream this much before our own timer.
const CLOSE: Duration = Duration::from_millis(10);

/// Whether a deadline allows to wait so long, and to do something after it.
pub fn allows(deadline: Option<Deadline>, delay: Duration) -> bool {
    deadline.is_none_or(|deadline| deadline.remaining() > delay)
}

/// Fires at the deadline of a call, if it has one, and where a stream is too old or idle.
pub struct Timer {
    deadline: Option<Deadline>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether `sleep` is for the age of a stream, which comes before its deadline.
    by_age: bool,
    idle: Option<Idle>,
}

impl Timer {
    pub fn new(deadline: Option<Deadline>) -> Self {
        let sleep = deadline.map(|deadline| Box::pin(sleep_until(deadline.instant().into())));
        Self { deadline, sleep, by_age: false, idle: None }
    }

    /// Ends a stream that is so old, or that has had no message for so long; those of the client are
    /// seen as they pass.
    pub fn limit(&mut self, age: Option<Duration>, idle: Option<Duration>, messages: &mut Messages) {
        let old = age.map(|age| Instant::now() + age);
        let deadline = self.deadline.map(|deadline| Instant::from(deadline.instant()));
        if let Some(old) = old.filter(|old| deadline.is_none_or(|deadline| *old < deadline)) {
            self.sleep = Some(Box::pin(sleep_until(old)));
            self.by_age = true;
        }
        self.idle = idle.map(|time| Idle::new(time, messages));
    }

    /// Whether it can fire at all.
    pub const fn is_set(&self) -> bool {
        self.sleep.is_some() || self.idle.is_some()
    }

    /// Notes that a message has come.
    pub fn alive(&self) {
        if let Some(idle) = &self.idle {
            idle.alive();
        }
    }

    /// Ready with what the client is told, once the time is over.
    pub fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if let Some(sleep) = &mut self.sleep
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(if self.by_age { failure::too_old() } else { failure::deadline_exceeded() });
        }
        match &mut self.idle {
            Some(idle) => idle.poll_passed(cx).map(|()| failure::idle()),
            None => Poll::Pending,
        }
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
