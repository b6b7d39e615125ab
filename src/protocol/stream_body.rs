//! A reply of many messages as one response body, whatever its framing.
//!
//! The status line waits for the first message, the end, or `stream_headers_after`, whichever is first:
//! a failure until then has its real HTTP status, a later one is told in the body. One message at a time
//! goes from the upstream to the socket; nothing is buffered but what is ready at that moment.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, Response};
use http_body::Frame as BodyFrame;

use crate::rpc::{Code, Frame, Message, Metadata, Origin, Reply, ReplyStream, Status};
use crate::telemetry::guard::Draining;

use super::body::{Aborted, BodyStream};
use super::{Body, Outcome, Target, headers};

/// A call under way.
pub type PendingReply = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

/// How much is gathered of what is ready before it is handed to the socket.
const GATHER: usize = 8 * 1024;

/// How long the last bytes have to reach the socket before an abort discards what is still queued.
const LAST_BYTES: Duration = Duration::from_millis(20);

/// How messages are put into a body. Every method appends to `out`.
pub(super) trait Framing: Send + 'static {
    /// Sets the headers; the first message is at hand unless the stream is slow or empty.
    fn head(&self, first: Option<&Message>, target: &Target, headers: &mut HeaderMap);
    /// What stands before the first message, and goes out with the head.
    fn open(&mut self, out: &mut Vec<u8>);
    /// A message.
    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status>;
    /// What stands behind the last message of a stream that ended well.
    fn close(&mut self, out: &mut Vec<u8>);
    /// What stands behind the last message of a stream that failed.
    fn fail(&mut self, status: &Status, target: &Target, out: &mut Vec<u8>) -> Ending;
    /// What is sent after how much silence, if anything.
    fn heartbeat(&self) -> Option<(Duration, &'static [u8])> {
        None
    }
    /// Whether a stream ends as soon as the process drains, and says why: what may last for ever is not waited
    /// for. What must not break, and cannot say why, has until the end of the drain.
    fn leaves_early(&self) -> bool {
        true
    }
}

/// How the body of a failed stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As if all were well: the failure is plain from the content.
    Clean,
    /// Visibly broken.
    Abort,
}

/// Answers with a stream.
///
/// # Errors
/// The failure of a call that failed before its status line went out.
pub(super) async fn answer(
    framing: impl Framing,
    reply: PendingReply,
    target: Arc<Target>,
    outcome: Arc<Outcome>,
    draining: Draining,
) -> Result<Response<Body>, Status> {
    let mut source = Source::Waiting(reply);
    let mut metadata = Metadata::new();
    // One message is no stream to come back to: it is waited for.
    let draining = (framing.leaves_early() && target.kind.server_streams()).then_some(draining);
    let first = or_drain(source.first(&mut metadata), draining.as_ref());
    let first = match tokio::time::timeout(target.policy.stream_headers_after, first).await {
        Ok(first) => Some(first?),
        Err(_elapsed) => None,
    };
    let mut response = Response::new(Body::empty());
    let message = first.as_ref().and_then(Option::as_ref);
    headers::to_rest(&metadata, &target.policy.metadata, response.headers_mut());
    headers::announce_trailers(&target.policy.metadata, response.headers_mut());
    framing.head(message, &target, response.headers_mut());
    let next = first.map(Ok);
    let stream = MessageStream { source, next, framing, target, outcome, draining, phase: Phase::Head };
    *response.body_mut() = Body::Stream(stream.into_body());
    Ok(response)
}

/// Where messages come from.
enum Source {
    Waiting(PendingReply),
    Open(ReplyStream),
    /// All have come, and these behind them.
    Ended(Metadata),
}

impl Source {
    /// The first message; the metadata of the answer are set on the way. Dropping the future loses
    /// nothing.
    async fn first(&mut self, metadata: &mut Metadata) -> Result<Option<Message>, Status> {
        if let Self::Waiting(reply) = self {
            let reply = reply.as_mut().await?;
            *metadata = reply.metadata;
            *self = Self::Open(reply.frames);
        }
        self.next().await
    }

    /// The next message, or `None` when the call has ended well.
    async fn next(&mut self) -> Result<Option<Message>, Status> {
        loop {
            match self {
                Self::Waiting(reply) => *self = Self::Open(reply.as_mut().await?.frames),
                Self::Open(frames) => {
                    let trailers = match frames.next().await {
                        Some(Ok(Frame::Message(message))) => return Ok(Some(message)),
                        Some(Err(status)) => return Err(status),
                        Some(Ok(Frame::Trailers(trailers))) => trailers,
                        None => Metadata::new(),
                    };
                    *self = Self::Ended(trailers);
                }
                Self::Ended(_) => return Ok(None),
            }
        }
    }
}

enum Phase {
    Head,
    Messages,
    Trailers(HeaderMap),
    Abort,
    Done,
}

struct MessageStream<F> {
    source: Source,
    /// What has come from the source and is not in the body yet.
    next: Option<Result<Option<Message>, Status>>,
    framing: F,
    target: Arc<Target>,
    outcome: Arc<Outcome>,
    /// The drain that ends the stream early, if one does.
    draining: Option<Draining>,
    phase: Phase,
}

impl<F: Framing> MessageStream<F> {
    fn into_body(self) -> BodyStream {
        Box::pin(stream::unfold(self, Self::piece).fuse())
    }

    async fn piece(mut self) -> Option<(Result<BodyFrame<Bytes>, Aborted>, Self)> {
        let mut out = Vec::new();
        loop {
            match &mut self.phase {
                Phase::Head => {
                    self.framing.open(&mut out);
                    self.phase = Phase::Messages;
                    if self.next.is_none() && !out.is_empty() {
                        break;
                    }
                }
                Phase::Messages => {
                    self.messages(&mut out).await;
                    if !out.is_empty() {
                        break;
                    }
                }
                Phase::Trailers(trailers) => {
                    let trailers = BodyFrame::trailers(std::mem::take(trailers));
                    self.phase = Phase::Done;
                    return Some((Ok(trailers), self));
                }
                Phase::Abort => {
                    tokio::time::sleep(LAST_BYTES).await;
                    self.phase = Phase::Done;
                    return Some((Err(Aborted), self));
                }
                Phase::Done => return None,
            }
        }
        Some((Ok(BodyFrame::data(out.into())), self))
    }

    /// Appends the next message and all that are ready behind it, or the end.
    async fn messages(&mut self, out: &mut Vec<u8>) {
        let mut next = match self.next.take() {
            Some(next) => next,
            None => match self.wait().await {
                Some(next) => next,
                None => return self.beat(out),
            },
        };
        loop {
            let written = next.and_then(|message| match message {
                Some(message) => self.framing.message(&message, &self.target, out).map(|()| true),
                None => Ok(false),
            });
            match written {
                Ok(true) => self.outcome.message_out(),
                Ok(false) => return self.finish(out),
                Err(status) => return self.fail(&status, out),
            }
            if out.len() >= GATHER {
                return;
            }
            match self.source.next().now_or_never() {
                Some(ready) => next = ready,
                None => return,
            }
        }
    }

    /// The next message; `None` when there was silence for the length of a heartbeat.
    async fn wait(&mut self) -> Option<Result<Option<Message>, Status>> {
        let next = or_drain(self.source.next(), self.draining.as_ref());
        match self.framing.heartbeat() {
            Some((silence, _)) => tokio::time::timeout(silence, next).await.ok(),
            None => Some(next.await),
        }
    }

    fn beat(&self, out: &mut Vec<u8>) {
        if let Some((_, beat)) = self.framing.heartbeat() {
            out.extend_from_slice(beat);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.outcome.succeed();
        self.framing.close(out);
        self.phase = self.trailers().map_or(Phase::Done, Phase::Trailers);
    }

    fn trailers(&self) -> Option<HeaderMap> {
        let Source::Ended(metadata) = &self.source else { return None };
        Some(headers::to_trailers(metadata, &self.target.policy.metadata)).filter(|map| !map.is_empty())
    }

    fn fail(&mut self, status: &Status, out: &mut Vec<u8>) {
        self.outcome.fail(status);
        self.phase = match self.framing.fail(status, &self.target, out) {
            Ending::Clean => Phase::Done,
            Ending::Abort => Phase::Abort,
        };
    }
}

/// The next message, or the failure that a drain is. The drain goes first: a source that always has a
/// message would outlast it.
async fn or_drain(
    next: impl Future<Output = Result<Option<Message>, Status>>,
    draining: Option<&Draining>,
) -> Result<Option<Message>, Status> {
    let Some(draining) = draining else { return next.await };
    tokio::select! {
        biased;
        () = draining.drained() => {
            let message = "the gateway is about to end: connect again";
            Err(Status::new(Code::Unavailable, Origin::Gateway, "DRAINING", message))
        }
        next = next => next,
    }
}
