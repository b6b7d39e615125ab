//! What a request is for: the method that a route leads to, and everything decided about it when the
//! routes were loaded.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::rpc::{
    Algorithm, Call, CallPolicy, FieldViolation, Kind, Message, Messages, Metadata, Method, Status,
};
use crate::transcode::field_text::FieldText;
use crate::transcode::http_body::HttpBody;
use crate::transcode::query::{self, QueryOptions};
use crate::transcode::request::RequestPlan;
use crate::transcode::response::ResponsePlan;
use crate::transcode::resume::ResumePlan;
use crate::transcode::{Codec, ReadOptions, WireError, WriteOptions};

use super::success::SuccessPolicy;
use super::{head, headers, json_error};

/// A route, resolved and compiled.
#[derive(Clone, Debug)]
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
    /// What answers say that went well, to clients that speak HTTP and JSON.
    pub success: SuccessPolicy,
    /// How a stream goes on after its upstream died, where the route says so.
    pub resume: Option<Arc<ResumePlan>>,
    /// What names an event.
    pub event: Option<Arc<FieldText>>,
    /// The field of requests by whose value calls stay together on one endpoint.
    pub affinity: Option<Arc<FieldText>>,
}

impl Target {
    /// Appends a message of the upstream as JSON; on an error `out` is left as it was.
    ///
    /// # Errors
    /// When it is none of the method's output type: the upstream's fault.
    pub(super) fn write_json(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Status> {
        let wire = plain(message)?;
        let (start, options) = (out.len(), &self.policy.write);
        let enveloped = self.policy.envelope && self.kind.server_streams();
        if enveloped {
            out.extend_from_slice(b"{\"result\":");
        }
        self.response.write_json(&self.codec, wire, options, out).map_err(|error| {
            out.truncate(start);
            undecodable(&error)
        })?;
        if enveloped {
            out.push(b'}');
        }
        Ok(())
    }

    /// Appends a failure behind messages of a stream.
    pub(super) fn write_failure(&self, status: &Status, out: &mut Vec<u8>) {
        let failure = json_error::body(status, &self.codec);
        if self.policy.envelope {
            write_error(&failure, out);
        } else {
            out.extend_from_slice(&failure);
        }
    }

    /// This target for one request of a client that speaks JSON: the same, unless the route allows a
    /// selection of fields and the query makes one.
    ///
    /// # Errors
    /// 400 for what selects nothing of the answer.
    pub fn selecting(self: Arc<Self>, query: &str) -> Result<Arc<Self>, Status> {
        if !self.policy.fields {
            return Ok(self);
        }
        let mut selections = query::pairs(query).flatten().filter(|(name, _)| name == FIELDS);
        let Some((_, text)) = selections.next() else { return Ok(self) };
        if selections.next().is_some() {
            return Err(invalid_selection(
                "the parameter is given twice: separate names by commas".to_owned(),
            ));
        }
        let response = self.response.selecting(&self.codec, &text);
        let response = response.map_err(|error| invalid_selection(error.0))?;
        Ok(Arc::new(Self { response, ..Self::clone(&self) }))
    }

    /// The cursor of a message of the upstream, where the route resumes and the message has one.
    ///
    /// # Errors
    /// When it is none of the method's output type: the upstream's fault.
    pub fn cursor(&self, message: &Message) -> Result<Option<String>, Status> {
        let Some(plan) = &self.resume else { return Ok(None) };
        plain(message)?;
        plan.cursor(&self.codec, &message.bytes).map_err(|error| undecodable(&error))
    }

    /// A request that starts after a cursor.
    ///
    /// # Errors
    /// When the cursor is none that the request can take: the upstream's fault, which sent it.
    pub fn after(&self, request: &Message, cursor: &str) -> Result<Message, Status> {
        let mut bytes = request.bytes.to_vec();
        if let Some(plan) = &self.resume {
            plan.write(&self.codec, cursor, &mut bytes).map_err(|error| {
                let text =
                    format!("the upstream sent a cursor that no request can take: {}", error.description);
                Status::bad_upstream("UPSTREAM_CURSOR_INVALID", text)
            })?;
        }
        Ok(Message::from(Bytes::from(bytes)))
    }

    /// What a message says that its event is called.
    ///
    /// # Errors
    /// When it is none of the method's output type: the upstream's fault.
    pub(super) fn label(&self, message: &Message) -> Result<Option<String>, Status> {
        let Some(field) = &self.event else { return Ok(None) };
        plain(message)?;
        field.read(&self.codec, &message.bytes, &self.policy.write).map_err(|error| undecodable(&error))
    }

    /// What keeps a call together with those that have the same value in a field, where the route has such a
    /// field and the call one message.
    #[must_use]
    pub fn affinity(&self, call: &Call) -> Option<u64> {
        let (Some(field), Messages::One(message)) = (&self.affinity, &call.messages) else { return None };
        let bytes = if message.compressed {
            let algorithm = Algorithm::from_name(call.encoding.as_ref()?.as_bytes())?;
            algorithm.decompress(&message.bytes, self.policy.message_limit).ok()?
        } else {
            message.bytes.clone()
        };
        // What is none of the input type is the upstream's to refuse; each of its endpoints would.
        let text = field.read(&self.codec, &bytes, &WriteOptions::default()).ok()??;
        Some(head::affinity(text.as_bytes()))
    }

    /// Gives a call what the configuration says; it comes last, so no client can forge it.
    pub fn set_metadata(&self, metadata: &mut Metadata) {
        headers::set_fixed(metadata, &self.policy.metadata);
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

/// Appends a failure so that it can be told from a message.
pub(super) fn write_error(failure: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"error\":");
    out.extend_from_slice(failure);
    out.push(b'}');
}

/// The query parameter that selects fields, where a route allows it.
pub const FIELDS: &str = "$fields";

fn invalid_selection(description: String) -> Status {
    let message = format!("a parameter is invalid: {FIELDS}: {description}");
    let violation = FieldViolation { field: FIELDS.to_owned(), description };
    Status::invalid("INVALID_PARAMETER", message).with_violations(&[violation])
}

/// The bytes of a message: nobody asked the upstream to compress what is to be transcoded.
pub(super) fn plain(message: &Message) -> Result<&[u8], Status> {
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
#[cfg_attr(test, derive(Default))]
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
    pub websocket: WebSocketPolicy,
    pub metadata: MetadataPolicy,
    /// The request header by whose value calls stay together on one endpoint.
    pub affinity: Option<HeaderName>,
    pub read: ReadOptions,
    pub write: WriteOptions,
    pub query: QueryOptions,
    /// Whether messages of streams are wrapped as `{"result": …}`.
    pub envelope: bool,
    /// Whether bodies may be HTML forms.
    pub forms: bool,
    /// Whether `?$fields=` selects fields of the answer.
    pub fields: bool,
}

/// What passes between headers and metadata.
#[derive(Clone, Debug, Default)]
pub struct MetadataPolicy {
    /// Request headers that pass beside the built-in ones.
    pub request: Vec<HeaderName>,
    /// Metadata of answers that pass beside the built-in ones.
    pub response: Vec<HeaderName>,
    /// What every call is given.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Whether the names of grpc-gateway hold, too.
    pub grpc_gateway: bool,
}

impl MetadataPolicy {
    /// Nothing beside what is built in.
    pub const PLAIN: Self =
        Self { request: Vec::new(), response: Vec::new(), set: Vec::new(), grpc_gateway: false };
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
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(Default))]
pub struct SsePolicy {
    /// After how much silence a comment is sent.
    pub heartbeat: Duration,
    /// How long a browser waits before it connects again.
    pub retry: Duration,
    /// What events that carry a message are called, if anything.
    pub event: Option<Arc<str>>,
}

/// What a WebSocket needs to know.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(Default))]
pub struct WebSocketPolicy {
    /// The largest message of a client, in bytes.
    pub message_limit: usize,
    /// The largest frame of a client, in bytes.
    pub frame_limit: usize,
    /// After how much silence a client is pinged, and how long it has to answer.
    pub idle_ping: Duration,
    /// The cookie whose value counts as the caller's token.
    pub cookie: Option<Arc<str>>,
}
