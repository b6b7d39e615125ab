//! HTTP and JSON: one request is one message, one message is one response.
//!
//! Requests of one message are decoded here, whatever the response is; responses of server streams and
//! requests of client streams are other adapters'.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response};

use crate::rpc::{Call, Frame, Message, Messages, Metadata, Reply, Status};
use crate::transcode::form::Form;
use crate::transcode::request;

use super::invalid::{invalid, message_too_large};
use super::{Body, Target, body, content_type, event_id, form, head, headers, success};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Turns a request into a call.
pub(super) async fn decode<B>(
    head: &Parts,
    captures: &[&str],
    body: B,
    target: &Target,
) -> Result<Call, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    let content = read_body(head, body, target).await?;
    let parts = request::Parts {
        captures,
        query: head.uri.query().unwrap_or_default(),
        body: content.bytes(),
        content_type: text(&head.headers, &CONTENT_TYPE),
    };
    let policy = &target.policy;
    let (codec, read, query) = (&target.codec, &policy.read, &policy.query);
    let message = match &content {
        Content::Bytes(_) => target.request.encode(codec, parts, read, query),
        Content::Form(form) => target.request.encode_form(codec, parts, form, read, query),
    };
    let mut message = message.map_err(|error| invalid(error, target.request.body_name()))?;
    message.extend(event_id::after(head, target)?);
    if message.len() > policy.message_limit {
        return Err(message_too_large(policy.message_limit));
    }
    let messages = Messages::One(Message::from(Bytes::from(message)));
    head::call(&head.headers, target, headers::from_rest(head, &policy.metadata)?, messages)
}

/// The body of a request.
enum Content {
    Bytes(Bytes),
    Form(Form),
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Form(_) => &[],
        }
    }
}

async fn read_body<B>(head: &Parts, body: B, target: &Target) -> Result<Content, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display>,
{
    let limit = target.policy.body_limit;
    let forms = target.policy.forms && target.request.takes_form(&target.codec);
    if forms && let Some(media) = content_type::form(&head.headers)? {
        let form = form::read(&head.headers, body, limit, media).await?;
        return Ok(form.map_or(Content::Bytes(Bytes::new()), Content::Form));
    }
    let bytes = body::read(&head.headers, body, limit).await?;
    if bytes.is_empty() || target.request.takes_raw_body() {
        return Ok(Content::Bytes(bytes));
    }
    if !target.request.takes_body() {
        // RFC 9110 §9.3.1: content in a GET "has no generally defined semantics"; it is left alone.
        return Ok(Content::Bytes(Bytes::new()));
    }
    content_type::check_json(&head.headers, forms)?;
    Ok(Content::Bytes(bytes))
}

/// Turns the reply of a unary call into a response.
pub(super) async fn encode(reply: Reply, target: &Target) -> Result<Response<Body>, Status> {
    let Reply { metadata, mut frames, .. } = reply;
    let mut message = None;
    let mut trailers = Metadata::new();
    while let Some(frame) = frames.next().await {
        match frame? {
            Frame::Message(next) => message = Some(next),
            Frame::Trailers(last) => {
                trailers = last;
                break;
            }
        }
    }
    let message = message.ok_or_else(|| {
        Status::bad_upstream(
            "UPSTREAM_MESSAGE_MISSING",
            "the upstream ended a unary call well, but without a message",
        )
    })?;
    let mut response = Response::new(Body::empty());
    for metadata in [&metadata, &trailers] {
        headers::to_rest(metadata, &target.policy.metadata, response.headers_mut());
    }
    if target.response.is_raw() {
        let raw = target.raw(&message)?;
        let content_type = HeaderValue::try_from(raw.content_type).ok().filter(|value| !value.is_empty());
        response.headers_mut().insert(CONTENT_TYPE, content_type.unwrap_or(BYTES));
        *response.body_mut() = raw.data.into();
    } else {
        let mut json = Vec::with_capacity(message.bytes.len() * 2 + 64);
        target.write_json(&message, &mut json)?;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        *response.body_mut() = json.into();
    }
    success::say(target, &message, &mut response);
    Ok(response)
}

fn text<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
