//! [`CallPolicy`]: what the back must know of the route that a call came by.
//!
//! Look here for what the pool obeys call by call. Where the values come from is not known here.

use std::sync::Arc;
use std::time::Duration;

use super::{Algorithm, Code};

/// What holds for the calls of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPolicy {
    /// The upstream that answers.
    pub upstream: Arc<str>,
    /// The largest message accepted from the upstream, in bytes.
    pub message_limit: usize,
    /// A unary call is refused while its upstream has so many in flight (gRFC A32).
    pub in_flight: usize,
    /// A streaming call is refused while its upstream has so many in flight.
    pub streams: usize,
    /// A streaming call without a message for so long, either way, is ended.
    pub idle: Option<Duration>,
    /// A streaming call that is so old is ended.
    pub age: Option<Duration>,
    /// How calls that do no harm twice are retried; `None`: not at all.
    pub retry: Option<Retry>,
    /// How slow calls that do no harm twice are hedged; `None`: not at all.
    pub hedge: Option<Hedge>,
    /// How messages are compressed whose client does not say so itself.
    pub compression: Compression,
}

/// How messages are compressed whose client does not say so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Whether the upstream is offered to compress its answers.
    pub answers: bool,
    /// How messages to the upstream are compressed; `None`: not at all.
    pub requests: Option<Algorithm>,
}

/// How calls that do no harm twice are retried (gRFC A6).
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How often a call is sent at most; 5 is the most that counts.
    pub attempts: u32,
    /// The codes that are worth another attempt.
    pub codes: Vec<Code>,
    /// The delay before the second attempt; each further one is twice as long, ±20 %.
    pub backoff: Duration,
    /// The longest delay.
    pub max_backoff: Duration,
    /// How long one attempt may take to bring the head of an answer.
    pub per_attempt: Option<Duration>,
}

/// How slow calls that do no harm twice are hedged (gRFC A6).
#[derive(Clone, Debug, PartialEq)]
pub struct Hedge {
    /// After how long without an answer a further copy is sent.
    pub delay: Duration,
    /// How many copies are sent at most, the first counted; 5 is the most that counts.
    pub attempts: u32,
    /// The codes after which another copy may still succeed; any other ends the call.
    pub codes: Vec<Code>,
}

impl CallPolicy {
    /// The defaults for calls to an upstream.
    #[must_use]
    pub fn new(upstream: impl Into<Arc<str>>) -> Self {
        Self {
            upstream: upstream.into(),
            message_limit: 4 << 20,
            in_flight: 1024,
            streams: 10_000,
            idle: None,
            age: None,
            retry: Some(Retry::default()),
            hedge: None,
            compression: Compression::default(),
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self { answers: true, requests: None }
    }
}

impl Default for Hedge {
    fn default() -> Self {
        Self { delay: Duration::from_millis(50), attempts: 2, codes: vec![Code::Unavailable] }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            codes: vec![Code::Unavailable],
            backoff: Duration::from_millis(25),
            max_backoff: Duration::from_millis(250),
            per_attempt: None,
        }
    }
}
