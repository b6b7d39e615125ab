//! The adapter of a request: chosen by the client's language, the route and what the client accepts.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, Version};

use crate::rpc::{Call, Code, Origin, Status};
use crate::telemetry::guard::Draining;
use crate::transcode::Codec;

use super::rest_stream::{Array, Ndjson, Raw};
use super::sse::{self, Sse};
use super::stream_body::{self, PendingReply};
use super::target::{MetadataPolicy, StreamFraming};
use super::{Body, Client, Outcome, Target, accept, grpc, json_error, rest};

/// How one request is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// One message in, one message out, in JSON or raw.
    Rest,
    /// One message in, a stream of JSON out.
    Stream(StreamFraming),
    /// One message in, a stream of raw bytes out.
    RawStream,
    /// gRPC.
    Grpc,
}

/// Media types of unary answers; a client that asks for events or lines gets one of them.
const UNARY: [(&str, Adapter); 3] = [
    ("application/json", Adapter::Rest),
    ("text/event-stream", Adapter::Stream(StreamFraming::Sse)),
    ("application/x-ndjson", Adapter::Stream(StreamFraming::Ndjson)),
];

/// Media types of server streams.
const STREAM: [(&str, Adapter); 3] = [
    ("application/json", Adapter::Stream(StreamFraming::Array)),
    ("application/x-ndjson", Adapter::Stream(StreamFraming::Ndjson)),
    ("text/event-stream", Adapter::Stream(StreamFraming::Sse)),
];

impl Adapter {
    /// Chooses for a request.
    ///
    /// # Errors
    /// 406 when the client accepts nothing that the route can give; 505 for gRPC over HTTP/1.
    pub fn choose(client: Client, head: &Parts, target: &Target) -> Result<Self, Status> {
        match client {
            Client::Grpc if head.version < Version::HTTP_2 => Err(grpc_needs_http2()),
            Client::Grpc => Ok(Self::Grpc),
            // Raw bytes have a content type of their own, which only the answer knows.
            _ if target.response.is_raw() && target.kind.server_streams() => Ok(Self::RawStream),
            _ if target.response.is_raw() => Ok(Self::Rest),
            Client::Rest | Client::EventSource | Client::WebSocket => {
                if let (true, Some(framing)) = (target.kind.server_streams(), target.policy.stream) {
                    return Ok(Self::Stream(framing));
                }
                let offers = if target.kind.server_streams() { &STREAM } else { &UNARY };
                accept::choose(&head.headers, offers).ok_or_else(|| not_acceptable(offers))
            }
        }
    }

    /// The answer to a client that has had everything already, and only needs to be told to stop.
    #[must_use]
    pub fn stop(self, head: &Parts) -> Option<Response<Body>> {
        (self == Self::Stream(StreamFraming::Sse)).then(|| sse::stop(head)).flatten()
    }

    /// Turns a request into a call.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub async fn decode<B>(
        self,
        head: Parts,
        captures: &[&str],
        body: B,
        target: &Target,
        outcome: &Arc<Outcome>,
    ) -> Result<Call, Status>
    where
        B: http_body::Body<Data = Bytes, Error: fmt::Display> + Send + 'static,
    {
        match self {
            Self::Grpc => grpc::decode(head, body, target, outcome).await,
            Self::Rest | Self::Stream(_) | Self::RawStream => {
                let call = rest::decode(&head, captures, body, target).await?;
                outcome.message_in();
                Ok(call)
            }
        }
    }

    /// Turns the reply of a call into a response.
    ///
    /// # Errors
    /// The failure of the call, while the response can still say so in its status line.
    pub async fn encode(
        self,
        reply: PendingReply,
        target: Arc<Target>,
        outcome: Arc<Outcome>,
        draining: Draining,
    ) -> Result<Response<Body>, Status> {
        match self {
            Self::Grpc => Ok(grpc::encode(reply.await?, outcome)),
            Self::Rest => {
                let response = rest::encode(reply.await?, &target).await?;
                outcome.succeed();
                outcome.message_out();
                Ok(response)
            }
            Self::RawStream => stream_body::answer(Raw, reply, target, outcome, draining).await,
            Self::Stream(StreamFraming::Array) => {
                stream_body::answer(Array::default(), reply, target, outcome, draining).await
            }
            Self::Stream(StreamFraming::Ndjson) => {
                stream_body::answer(Ndjson, reply, target, outcome, draining).await
            }
            Self::Stream(StreamFraming::Sse) => {
                let framing = Sse::new(target.policy.sse.clone());
                stream_body::answer(framing, reply, target, outcome, draining).await
            }
        }
    }

    /// The headers of a stream that nobody calls for: the answer to `HEAD`.
    #[must_use]
    pub fn headers_only(self) -> Option<Response<Body>> {
        let content_type = match self {
            Self::Stream(StreamFraming::Array) => "application/json",
            Self::Stream(StreamFraming::Ndjson) => "application/x-ndjson",
            Self::Stream(StreamFraming::Sse) => "text/event-stream",
            Self::RawStream => "application/octet-stream",
            Self::Rest | Self::Grpc => return None,
        };
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Some(response)
    }
}

/// How a failure of one request is told, whoever finds it: to its client in the client's language, and
/// to whoever logs.
#[derive(Clone, Debug)]
pub struct Refusal {
    client: Client,
    method: Method,
    version: Version,
    codec: Arc<Codec>,
    outcome: Arc<Outcome>,
}

impl Refusal {
    /// Of a request with this head.
    #[must_use]
    pub fn of(head: &Parts, outcome: &Arc<Outcome>, codec: &Arc<Codec>) -> Self {
        Self {
            client: outcome.client(),
            method: head.method.clone(),
            version: head.version,
            codec: Arc::clone(codec),
            outcome: Arc::clone(outcome),
        }
    }

    /// Of a request in a test, where there is no schema.
    #[cfg(test)]
    pub fn bare(head: &Parts, outcome: &Arc<Outcome>) -> Self {
        Self::of(head, outcome, Codec::standard())
    }

    /// The answer, with what happened noted.
    #[must_use]
    pub fn answer(&self, status: &Status) -> Response<Body> {
        self.outcome.fail(status);
        let target = self.outcome.target().map(Arc::as_ref);
        refuse(self.client, &self.method, self.version, status, target, &self.codec)
    }

    /// The notes of the request.
    #[must_use]
    pub const fn outcome(&self) -> &Arc<Outcome> {
        &self.outcome
    }
}

/// Answers a request that failed, in the language of its client; `target` is what it was for, where that is known.
fn refuse(
    client: Client,
    method: &Method,
    version: Version,
    status: &Status,
    target: Option<&Target>,
    codec: &Codec,
) -> Response<Body> {
    match client {
        Client::Grpc if version >= Version::HTTP_2 => grpc::refuse(status),
        Client::EventSource if status.code == Code::Unavailable => sse::come_back(status, target),
        Client::Grpc | Client::Rest | Client::EventSource | Client::WebSocket => {
            let policy = target.map(|target| &target.policy.metadata);
            let mut response = json_error::response(status, codec, policy.unwrap_or(&MetadataPolicy::PLAIN));
            if method == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
            response
        }
    }
}

/// Answers a request of which nothing else is known, not even a schema.
#[must_use]
pub fn refuse_bare(client: Client, method: &Method, version: Version, status: &Status) -> Response<Body> {
    refuse(client, method, version, status, None, Codec::standard())
}

fn not_acceptable(offers: &[(&str, Adapter)]) -> Status {
    let names: Vec<_> = offers.iter().map(|(name, _)| *name).collect();
    let message = format!("`Accept` allows none of what this route answers with: {}", names.join(", "));
    Status::new(Code::InvalidArgument, Origin::Client, "NOT_ACCEPTABLE", message).with_http_status(406)
}

fn grpc_needs_http2() -> Status {
    let message = "gRPC needs HTTP/2 (h2c with prior knowledge, or TLS with ALPN)";
    Status::new(Code::Unimplemented, Origin::Client, "GRPC_NEEDS_HTTP2", message).with_http_status(505)
}
