//! The end of a stream whose caller's identity ends: one place for all clients' protocols, around the
//! reply that every adapter reads from.
//!
//! An identity ends by the wall's clock, and a timer runs by another: so a timer never runs for long before
//! the clock is looked at again. A clock that jumps ahead ends streams a little later, one that jumps back
//! ends none too early. Which calls end so is not known here.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep};

use super::clock::{self, Clock};
use crate::rpc::{Code, Frame, Origin, Reply, ReplyStream, Status};

/// The longest that a timer runs before the clock is looked at again.
const STEP: Duration = Duration::from_secs(30);

/// When an identity ends, and by which clock.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// Seconds since 1970.
    at: u64,
    clock: Clock,
}

impl Expiry {
    /// At so many seconds since 1970.
    #[must_use]
    pub const fn at(at: u64) -> Self {
        Self { at, clock: clock::now }
    }

    fn left(self) -> Duration {
        Duration::from_secs(self.at.saturating_sub((self.clock)()))
    }
}

/// A reply to come.
type Pending = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

/// Ends a reply when the identity of its caller has ended, also before it has begun; `None`: it goes on.
#[must_use]
pub fn limit(reply: Pending, expiry: Option<Expiry>) -> Pending {
    match expiry {
        Some(expiry) => Box::pin(limited(reply, expiry)),
        None => reply,
    }
}

async fn limited(reply: Pending, expiry: Expiry) -> Result<Reply, Status> {
    let mut alarm = Alarm::new(expiry);
    let reply = tokio::select! {
        biased;
        () = &mut alarm => return Err(expired()),
        reply = reply => reply?,
    };
    Ok(Reply { frames: Box::pin(Frames { frames: Some(reply.frames), alarm }), ..reply })
}

/// Rings when an identity has ended.
struct Alarm {
    expiry: Expiry,
    timer: Pin<Box<Sleep>>,
}

impl Alarm {
    fn new(expiry: Expiry) -> Self {
        Self { expiry, timer: Box::pin(sleep(expiry.left().min(STEP))) }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let left = self.expiry.left();
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(Instant::now() + left.min(STEP));
        }
    }
}

/// The frames of a reply until the alarm; then the call is cancelled by dropping them.
struct Frames {
    frames: Option<ReplyStream>,
    alarm: Alarm,
}

impl Stream for Frames {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(frames) = &mut this.frames else { return Poll::Ready(None) };
        // The alarm goes first: a source that always has a frame would outlast it.
        if Pin::new(&mut this.alarm).poll(cx).is_pending() {
            return frames.as_mut().poll_next(cx);
        }
        this.frames = None;
        Poll::Ready(Some(Err(expired())))
    }
}

fn expired() -> Status {
    let message = "the caller's credentials have expired: come again with new ones";
    Status::new(Code::Unauthenticated, Origin::Client, "CREDENTIALS_EXPIRED", message)
}

#[cfg(test)]
mod tests;
