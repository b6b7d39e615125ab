//! How long a stream has been without a message, either way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::rpc::Messages;

/// When the last message passed; clones are the same.
#[derive(Clone, Debug)]
struct Pulse(Arc<Mutex<Instant>>);

/// Fires when no message has passed for a time. The sleep is only moved when it fires, so a message
/// costs no work on timers.
pub struct Idle {
    time: Duration,
    pulse: Pulse,
    sleep: Pin<Box<Sleep>>,
}

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// Starts now, and sees the messages of the client as they are taken.
    pub fn new(time: Duration, messages: &mut Messages) -> Self {
        let now = Instant::now();
        let pulse = Pulse(Arc::new(Mutex::new(now)));
        if let Messages::Stream(source) = messages {
            let source_pulse = pulse.clone();
            let source = std::mem::replace(source, Box::pin(futures_util::stream::empty()));
            *messages = Messages::Stream(Box::pin(source.inspect(move |_| source_pulse.beat())));
        }
        Self { time, pulse, sleep: Box::pin(sleep_until(now + time)) }
    }

    /// Notes that a message has come from the upstream.
    pub fn alive(&self) {
        self.pulse.beat();
    }

    /// Ready once the stream has been idle for the time.
    pub fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            let until = self.pulse.last() + self.time;
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(until);
        }
        Poll::Pending
    }
}
