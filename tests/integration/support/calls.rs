//! Short ways to make calls through a pool and to read replies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tower::ServiceExt as _;
use transom::config::model::Address;
use transom::rpc::{
    Attempt, Call, CallPolicy, Caller, Deadline, Frame, Kind, Message, Messages, Metadata, Method, Reply,
    Status,
};
use transom::upstream::{Pool, Spec};

use super::upstream::{PATIENCE, Upstream};

/// The name of the upstream in specifications made here.
pub const NAME: &str = "shop";

/// The address of an upstream in a specification.
pub fn address(upstream: &Upstream) -> Address {
    Address::Http { host: upstream.address.ip().to_string(), port: upstream.address.port() }
}

/// A specification with default settings.
pub fn spec(upstreams: &[&Upstream]) -> Spec {
    Spec::new(NAME, upstreams.iter().map(|upstream| address(upstream)))
}

/// A pool with one upstream.
pub fn pool(spec: Spec) -> Pool {
    let pool = Pool::new();
    pool.reconcile(&[Arc::new(spec)]);
    pool
}

/// A call of a kind, without messages yet.
pub fn call(kind: Kind) -> Call {
    Call {
        method: Method::new("/shop.Shop/Do").unwrap(),
        kind,
        idempotent: false,
        affinity: None,
        policy: Arc::new(CallPolicy::new(NAME)),
        metadata: Metadata::new(),
        deadline: Deadline::after(PATIENCE),
        encoding: None,
        accept_encoding: None,
        messages: Messages::One(Message::default()),
        attempt: Attempt::default(),
    }
}

/// A unary call with a message.
pub fn unary(message: impl Into<Bytes>) -> Call {
    Call { messages: one(message), ..call(Kind::Unary) }
}

/// A unary call that does no harm twice.
pub fn idempotent(message: impl Into<Bytes>) -> Call {
    Call { idempotent: true, ..unary(message) }
}

/// A server-streaming call with a message.
pub fn server_streaming(message: impl Into<Bytes>) -> Call {
    Call { messages: one(message), ..call(Kind::ServerStreaming) }
}

/// A bidirectional call whose messages come from the sender.
pub fn bidi() -> (tokio::sync::mpsc::UnboundedSender<Result<Message, Status>>, Call) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let messages = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    (sender, Call { messages: Messages::Stream(Box::pin(messages)), ..call(Kind::Bidi) })
}

/// One message.
pub fn one(message: impl Into<Bytes>) -> Messages {
    Messages::One(Message::from(message.into()))
}

/// The same call by a route with another policy.
pub fn with(call: Call, policy: CallPolicy) -> Call {
    Call { policy: Arc::new(policy), ..call }
}

/// The same call with a deadline so far ahead.
pub fn within(time: Duration, call: Call) -> Call {
    Call { deadline: Deadline::after(time), ..call }
}

/// Sends a call; waits for the head of its reply.
pub async fn send(caller: &impl Caller, call: Call) -> Result<Reply, Status> {
    let answer = caller.clone().oneshot(call);
    tokio::time::timeout(2 * PATIENCE, answer).await.expect("every call ends")
}

/// A whole reply: its messages and trailers.
pub async fn whole(caller: &impl Caller, call: Call) -> Result<(Vec<Bytes>, Metadata), Status> {
    let mut reply = send(caller, call).await?;
    let mut messages = Vec::new();
    while let Some(frame) = next(&mut reply).await {
        match frame? {
            Frame::Message(message) => messages.push(message.bytes),
            Frame::Trailers(trailers) => {
                assert!(next(&mut reply).await.is_none(), "nothing follows the trailers");
                return Ok((messages, trailers));
            }
        }
    }
    panic!("a reply ends with trailers or an error");
}

/// The next frame of a reply.
pub async fn next(reply: &mut Reply) -> Option<Result<Frame, Status>> {
    tokio::time::timeout(2 * PATIENCE, reply.frames.next()).await.expect("every reply goes on")
}

/// The next frame, which is a message.
pub async fn message(reply: &mut Reply) -> Bytes {
    match next(reply).await {
        Some(Ok(Frame::Message(message))) => message.bytes,
        other => panic!("expected a message, not {other:?}"),
    }
}

/// The code, reason and origin of an error.
pub fn told<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (transom::rpc::Code, String, &'static str) {
    let status = outcome.expect_err("the call fails");
    (status.code, status.reason().unwrap_or_default(), status.origin.name())
}
