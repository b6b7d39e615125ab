//! Client streams over HTTP and JSON: a request body of NDJSON, of one JSON array or of raw bytes becomes the
//! messages of a call, each as soon as it is there.
//!
//! A body is read when the upstream has taken the message before, and no further than to the next one: a slow
//! upstream slows its client. Path and query go into the first message. What becomes of the answer is the
//! business of other adapters; both go on at the same time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::request::Parts;

use crate::rpc::{Call, Message, Messages, Status};
use crate::transcode::elements::{Elements, Form};

use super::bindings::Bindings;
use super::body::next_chunk;
use super::invalid::invalid_elements;
use super::{Outcome, Target, content_type, event_id, head, headers};

/// The most bytes of a raw body that one message carries.
const PIECE: usize = 1024 * 1024;

/// More than the tags and lengths around the bytes in a message of a raw body.
const AROUND: usize = 128;

/// Turns a request into a call whose messages are still to come.
///
/// # Errors
/// What is wrong with the head; nothing of the body has been read then.
pub(super) fn decode<B>(
    head: &Parts,
    captures: &[&str],
    body: B,
    target: &Arc<Target>,
    outcome: &Arc<Outcome>,
) -> Result<Call, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display> + Send + 'static,
{
    let after = event_id::after(head, target)?;
    let bindings = Bindings::new(captures, head.uri.query().unwrap_or_default(), after);
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let alone = bindings.encode(target, &[], media_type)?;
    let limit = target.policy.message_limit;
    let cutter = if target.request.takes_raw_body() {
        Cutter::Raw { chunk: Bytes::new(), piece: limit.saturating_sub(alone.len() + AROUND).clamp(1, PIECE) }
    } else {
        // Nothing may be called anything.
        let form = if body.is_end_stream() { Form::Json } else { content_type::elements(&head.headers)? };
        Cutter::Elements(Elements::new(form, limit))
    };
    let upload = Upload {
        body: Some(Box::pin(body)),
        cutter,
        first: Some(First { bindings, alone, media_type: media_type.to_owned() }),
        target: Arc::clone(target),
        outcome: Arc::clone(outcome),
    };
    let messages = Messages::Stream(Box::pin(upload.into_stream()));
    head::call(&head.headers, target, headers::from_rest(head, &target.policy.metadata)?, messages)
}

/// Cuts a body into what makes a message each.
enum Cutter {
    /// JSON.
    Elements(Elements),
    /// Bytes as they come, in pieces of limited size.
    Raw { chunk: Bytes, piece: usize },
}

impl Cutter {
    fn push(&mut self, bytes: Bytes) {
        match self {
            Self::Elements(elements) => elements.push(bytes),
            Self::Raw { chunk, .. } => *chunk = bytes,
        }
    }

    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        match self {
            Self::Elements(elements) => elements.take().map_err(invalid_elements),
            Self::Raw { chunk, piece } => {
                Ok((!chunk.is_empty()).then(|| chunk.split_to(chunk.len().min(*piece))))
            }
        }
    }

    fn finish(&mut self) -> Result<Option<Bytes>, Status> {
        match self {
            Self::Elements(elements) => elements.finish().map_err(invalid_elements),
            Self::Raw { .. } => Ok(None),
        }
    }
}

/// What goes into the first message.
struct First {
    bindings: Bindings,
    /// The message that it makes without a body.
    alone: Bytes,
    /// The `Content-Type`, for raw bodies.
    media_type: String,
}

/// A body on its way.
struct Upload<B> {
    /// `None` when it has ended.
    body: Option<Pin<Box<B>>>,
    cutter: Cutter,
    /// `None` when the first message has gone.
    first: Option<First>,
    target: Arc<Target>,
    outcome: Arc<Outcome>,
}

impl<B> Upload<B>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display> + Send + 'static,
{
    fn into_stream(self) -> impl futures_core::Stream<Item = Result<Message, Status>> + Send {
        stream::try_unfold(self, |mut upload| async move {
            let message = upload.next().await?;
            Ok(message.map(|bytes| {
                upload.outcome.message_in();
                (Message::from(bytes), upload)
            }))
        })
        .fuse()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(part) = self.cutter.take()? {
                return self.message(&part).map(Some);
            }
            let Some(body) = &mut self.body else { return Ok(None) };
            if let Some(chunk) = next_chunk(&mut body.as_mut()).await? {
                self.cutter.push(chunk);
                continue;
            }
            self.body = None;
            if let Some(part) = self.cutter.finish()? {
                return self.message(&part).map(Some);
            }
            // "A body without elements": what path and query say is a message, and nothing is none.
            return Ok(self.first.take().map(|first| first.alone).filter(|alone| !alone.is_empty()));
        }
    }

    fn message(&mut self, part: &[u8]) -> Result<Bytes, Status> {
        let first = self.first.take();
        let (bindings, media_type) = first
            .map_or_else(|| (Bindings::none(), String::new()), |first| (first.bindings, first.media_type));
        match &self.cutter {
            Cutter::Elements(elements) => bindings.encode_element(&self.target, part, elements.number()),
            Cutter::Raw { .. } => bindings.encode(&self.target, part, &media_type),
        }
    }
}
