//! A reply that goes on after its upstream died: who reads it notices nothing.
//!
//! Where a route says `resume`, the stream is opened again from the cursor of the last message that was
//! handed on. A message is handed on when whoever writes to the client takes it, and what was taken is
//! written before anything that follows; so a client gets each message once, in whatever way it is
//! written. Where that could not be promised, the failure is passed on instead, and clients come back with the
//! last id that they have seen.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use tower::ServiceExt as _;

use crate::protocol::Target;
use crate::protocol::stream_body::PendingReply;
use crate::rpc::{
    self, Attempt, Call, CallPolicy, Caller, Code, Deadline, Frame, Kind, Message, Messages, Metadata,
    Method, Reply, ReplyStream, Status,
};

/// How often a stream is opened again without a message of progress in between.
const TRIES: u32 = 5;

/// The delay before the first try, ±50 %; each further one is three times as long.
const BACKOFF: Duration = Duration::from_millis(50);

/// The longest that a server may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest delay, before the jitter.
const MAX_BACKOFF: Duration = Duration::from_secs(3);

/// Makes a call, by a route that may resume its stream.
pub(super) fn send(caller: impl Caller, call: Call, target: &Arc<Target>) -> PendingReply {
    match Again::of(&call, target) {
        Some(again) => Box::pin(open(caller, call, again)),
        None => Box::pin(caller.oneshot(call)),
    }
}

async fn open(caller: impl Caller, mut call: Call, again: Again) -> Result<Reply, Status> {
    // A cursor can only be read in what is not compressed.
    call.accept_encoding = None;
    let mut resumed = Resumed {
        caller: caller.clone(),
        again,
        frames: Box::pin(stream::empty()),
        place: Place::Start,
        repeats: 0,
        tries: 0,
        opened: Instant::now(),
    };
    let (metadata, encoding) = match caller.oneshot(call).await {
        Ok(reply) => {
            resumed.frames = reply.frames;
            (reply.metadata, reply.encoding)
        }
        // The client has its head already, or is told of the failure.
        Err(status) => {
            resumed.reopen(status).await?;
            (Metadata::new(), None)
        }
    };
    Ok(Reply { metadata, encoding, frames: Box::pin(stream::unfold(resumed, Resumed::next)) })
}

/// What it takes to make the call again.
struct Again {
    target: Arc<Target>,
    method: Method,
    kind: Kind,
    idempotent: bool,
    affinity: Option<u64>,
    policy: Arc<CallPolicy>,
    metadata: Metadata,
    deadline: Option<Deadline>,
    message: Message,
}

impl Again {
    /// Nothing where the route does not resume, or the request cannot be told where to go on.
    fn of(call: &Call, target: &Arc<Target>) -> Option<Self> {
        target.resume.as_ref()?;
        let Messages::One(message) = &call.messages else { return None };
        (!message.compressed).then(|| Self {
            target: Arc::clone(target),
            method: call.method.clone(),
            kind: call.kind,
            idempotent: call.idempotent,
            affinity: call.affinity,
            policy: Arc::clone(&call.policy),
            metadata: call.metadata.clone(),
            deadline: call.deadline,
            message: message.clone(),
        })
    }

    /// The call that starts after a cursor, of a stream that was opened so long ago.
    fn call(&self, cursor: Option<&str>, since: Duration) -> Result<Call, Status> {
        Ok(Call {
            method: self.method.clone(),
            kind: self.kind,
            idempotent: self.idempotent,
            affinity: self.affinity,
            policy: self.policy(since),
            metadata: self.metadata.clone(),
            deadline: self.deadline,
            encoding: None,
            accept_encoding: None,
            messages: Messages::One(match cursor {
                Some(cursor) => self.target.after(&self.message, cursor)?,
                None => self.message.clone(),
            }),
            attempt: Attempt::default(),
        })
    }

    /// A stream that is opened again is no younger for it.
    fn policy(&self, since: Duration) -> Arc<CallPolicy> {
        let Some(age) = self.policy.age else { return Arc::clone(&self.policy) };
        let age = Some(age.saturating_sub(since).max(Duration::from_millis(1)));
        Arc::new(CallPolicy { age, ..CallPolicy::clone(&self.policy) })
    }
}

/// How far a stream has come.
#[derive(Debug)]
enum Place {
    /// No message was handed on.
    Start,
    /// The last message that was handed on had this cursor, and so had all of the last `count`.
    At { cursor: String, count: u32 },
    /// The last message had none: it could not be found again.
    Unknown,
}

/// The messages of a stream, and of those that follow it.
struct Resumed<C> {
    caller: C,
    again: Again,
    frames: ReplyStream,
    place: Place,
    /// How many messages of the last cursor may still come from an upstream that takes it as inclusive.
    repeats: u32,
    /// How often it was opened again since the last message.
    tries: u32,
    opened: Instant,
}

impl<C: Caller> Resumed<C> {
    async fn next(mut self) -> Option<(Result<Frame, Status>, Self)> {
        loop {
            match self.frames.next().await? {
                Ok(Frame::Message(message)) => {
                    if self.hand_on(&message) {
                        return Some((Ok(Frame::Message(message)), self));
                    }
                }
                Ok(trailers) => return Some((Ok(trailers), self)),
                Err(status) => {
                    if let Err(status) = self.reopen(status).await {
                        self.frames = Box::pin(stream::empty());
                        return Some((Err(status), self));
                    }
                }
            }
        }
    }

    /// Notes the place of a message; false for one that the client has already.
    fn hand_on(&mut self, message: &Message) -> bool {
        // What cannot be read is told by whoever reads it for the client.
        let cursor = self.again.target.cursor(message).ok().flatten();
        let same = matches!(&self.place, Place::At { cursor: last, .. } if Some(last) == cursor.as_ref());
        if same && self.repeats > 0 {
            self.repeats -= 1;
            return false;
        }
        self.repeats = 0;
        self.tries = 0;
        self.place = match (std::mem::replace(&mut self.place, Place::Unknown), cursor) {
            (Place::At { cursor, count }, Some(_)) if same => {
                Place::At { cursor, count: count.saturating_add(1) }
            }
            (_, Some(cursor)) => Place::At { cursor, count: 1 },
            (_, None) => Place::Unknown,
        };
        true
    }

    /// Opens the stream again where it broke.
    ///
    /// # Errors
    /// The failure, when it is none that another stream would mend, or all tries have failed.
    async fn reopen(&mut self, mut status: Status) -> Result<(), Status> {
        // The upstream's side of what has failed goes first.
        self.frames = Box::pin(stream::empty());
        while self.tries < TRIES && is_interruption(&status) {
            let (cursor, count) = match &self.place {
                Place::At { cursor, count } => (Some(cursor.as_str()), *count),
                // Earlier, the failure still has an HTTP status of its own.
                Place::Start if self.opened.elapsed() >= self.again.target.policy.stream_headers_after => {
                    (None, 0)
                }
                Place::Start | Place::Unknown => break,
            };
            let Some(delay) = pause(&status, self.tries) else { break };
            if self.again.deadline.is_some_and(|deadline| deadline.remaining() <= delay) {
                break;
            }
            self.tries += 1;
            tokio::time::sleep(delay).await;
            let call = self.again.call(cursor, self.opened.elapsed())?;
            match self.caller.clone().oneshot(call).await {
                Ok(reply) => {
                    (self.frames, self.repeats) = (reply.frames, count);
                    return Ok(());
                }
                Err(next) => status = next,
            }
        }
        Err(status)
    }
}

/// Whether a stream was cut off, rather than ended: its upstream went away, or the way there broke. What the
/// gateway ends for its age is to end.
fn is_interruption(status: &Status) -> bool {
    match status.code {
        Code::Unavailable => status.reason().as_deref() != Some("STREAM_TOO_OLD"),
        Code::Internal | Code::Cancelled | Code::Unknown => {
            status.reason().as_deref() == Some("UPSTREAM_RESET")
        }
        _ => false,
    }
}

/// How long to wait before a try, at least as long as the server asks for; `None` where it wants none, or none for
/// longer than a client should look at a stream that stands still.
fn pause(status: &Status, tries: u32) -> Option<Duration> {
    match status.again {
        rpc::Again::Never => None,
        rpc::Again::After(asked) => (asked <= LONGEST_PAUSE).then(|| delay(tries).max(asked)),
        _ => Some(delay(tries)),
    }
}

/// The delay before a try, from 0: those who were cut off together do not come back together.
fn delay(tries: u32) -> Duration {
    let backoff = BACKOFF.saturating_mul(3_u32.saturating_pow(tries)).min(MAX_BACKOFF);
    let share = u32::try_from(RandomState::new().hash_one(tries) % 1024).unwrap_or_default();
    backoff / 2 + backoff * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Origin;

    #[test]
    fn delays_grow_to_a_limit_and_vary() {
        let mut least = BACKOFF;
        for tries in 0..40 {
            let delays: Vec<_> = (0..50).map(|_| delay(tries)).collect();
            assert!(delays.iter().all(|delay| (least / 2..least * 3 / 2).contains(delay)), "{delays:?}");
            assert!(delays.iter().any(|delay| *delay != delays[0]));
            least = (least * 3).min(MAX_BACKOFF);
        }
    }

    #[test]
    fn servers_are_asked_again_when_they_say_so() {
        let status = |again| Status { again, ..Status::new(Code::Unavailable, Origin::Upstream, "X", "") };
        let seconds = |count| rpc::Again::After(Duration::from_secs(count));
        assert_eq!(pause(&status(rpc::Again::Never), 0), None);
        assert_eq!(pause(&status(seconds(20)), 0), Some(Duration::from_secs(20)));
        assert_eq!(pause(&status(seconds(60)), 0), None);
        assert!(pause(&status(rpc::Again::ByCode), 0).unwrap() < BACKOFF * 2);
    }

    #[test]
    fn only_what_was_cut_off_goes_on() {
        let upstream = |code, reason| Status::new(code, Origin::Upstream, reason, "");
        for code in Code::ALL.into_iter().skip(1) {
            let resets = matches!(code, Code::Unavailable | Code::Internal | Code::Cancelled | Code::Unknown);
            assert_eq!(is_interruption(&upstream(code, "UPSTREAM_RESET")), resets, "{code}");
            assert_eq!(is_interruption(&upstream(code, "OTHER")), code == Code::Unavailable, "{code}");
        }
        assert!(!is_interruption(&Status::new(Code::Unavailable, Origin::Gateway, "STREAM_TOO_OLD", "")));
    }
}
