//! What a request is for: the method that a route leads to, and everything decided about it when the
//! routes were loaded.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::rpc::{CallPolicy, Kind, Message, Method, Status};
use crate::transcode::http_body::HttpBody;
use crate::transcode::query::QueryOptions;
use crate::transcode::request::RequestPlan;
use crate::transcode::response::ResponsePlan;
use crate::transcode::{Codec, ReadOptions, WireError, WriteOptions};

/// A route, resolved and compiled.
#[derive(Debug)]
pub struct Target {
    pub method: Method,
    /// The full name, such as `shop.v1.Shop.GetItem`.
    pub method_name: Arc<str>,
    pub kind: Kind,
    pub idempotent: bool,
    pub call_policy: Arc<CallPolicy>,
    pub policy: Arc<TargetPolicy>,
    pub codec: Arc<Codec>,
    pub request: RequestPlan,
    pub response: ResponsePlan,
}

impl Target {
    /// Appends a message of the upstream as JSON.
    ///
    /// # Errors
    /// When it is none of the method's output type: the upstream's fault.
    pub(super) fn write_json(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Status> {
        let wire = plain(message)?;
        self.response
            .write_json(&self.codec, wire, &self.policy.write, out)
            .map_err(|error| undecodable(&error))
    }

    /// The raw body in a message of the upstream.
    ///
    /// # Errors
    /// When it is none of the method's output type: the upstream's fault.
    pub(super) fn raw(&self, message: &Message) -> Result<HttpBody, Status> {
        plain(message)?;
        self.response.raw(message.bytes.clone()).map_err(|error| undecodable(&error))
    }
}

/// Nobody asked the upstream to compress what is to be transcoded.
fn plain(message: &Message) -> Result<&[u8], Status> {
    if message.compressed {
        let text = "the upstream sent a compressed message, though none was asked for";
        return Err(Status::bad_upstream("UPSTREAM_COMPRESSED", text));
    }
    Ok(&message.bytes)
}

fn undecodable(error: &WireError) -> Status {
    let place = if error.path.is_empty() { "a message" } else { &error.path };
    let text = format!("the upstream sent a message that cannot be decoded: {place}: {}", error.description);
    Status::bad_upstream("UPSTREAM_MESSAGE_INVALID", text)
}

/// The policy of a route, as far as adapters act on it.
#[derive(Clone, Debug)]
pub struct TargetPolicy {
    /// The longest that the whole call may take; `None` is no limit.
    pub timeout: Option<Duration>,
    /// The largest body of a request that is not streamed, in bytes.
    pub body_limit: usize,
    /// The largest message, in bytes, both ways.
    pub message_limit: usize,
    /// How long the status line of a stream waits for the first message.
    pub stream_headers_after: Duration,
    /// The framing of streams, where the route fixes it.
    pub stream: Option<StreamFraming>,
    pub sse: SsePolicy,
    /// The request header by whose value calls stay together on one endpoint.
    pub affinity: Option<HeaderName>,
    pub read: ReadOptions,
    pub write: WriteOptions,
    pub query: QueryOptions,
}

/// How the messages of a server stream are put into one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFraming {
    /// `text/event-stream`.
    Sse,
    /// `application/x-ndjson`: one message a line.
    Ndjson,
    /// `application/json`: one array.
    Array,
}

/// What server-sent events need to know.
#[derive(Clone, Copy, Debug)]
pub struct SsePolicy {
    /// After how much silence a comment is sent.
    pub heartbeat: Duration,
    /// How long a browser waits before it connects again.
    pub retry: Duration,
}
