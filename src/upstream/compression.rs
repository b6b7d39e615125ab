//! [`CompressionLayer`]: compresses what goes to the upstream and decompresses what comes from it, for clients
//! that do not do so themselves (gRPC compression.md).
//!
//! A gRPC client says itself what it accepts, and its messages pass as they are. For all others the layer
//! offers what it can read, where the policy allows it, and nobody in front of it sees a compressed message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt as _;
use http::HeaderValue;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::failure;
use crate::rpc::{Algorithm, Call, Frame, Message, Messages, Reply, ReplyStream, Status};

/// What is offered, the best first.
const OFFER: HeaderValue = HeaderValue::from_static("zstd,gzip");

/// Messages that are smaller are sent as they are: they would gain nothing.
const SMALL: usize = 1024;

/// See the module.
#[derive(Clone, Copy)]
pub struct CompressionLayer;

impl<S> Layer<S> for CompressionLayer {
    type Service = Compression<S>;

    fn layer(&self, inner: S) -> Compression<S> {
        Compression { inner }
    }
}

/// A service that compresses the messages of calls to another.
#[derive(Clone)]
pub struct Compression<S> {
    inner: S,
}

impl<S> Service<Call> for Compression<S>
where
    S: Service<Call, Response = Reply, Error = Status>,
{
    type Response = Reply;
    type Error = Status;
    type Future = Decompressed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        let mut limit = None;
        if call.accept_encoding.is_none() && call.encoding.is_none() {
            if call.policy.compression.answers {
                call.accept_encoding = Some(OFFER);
                limit = Some(call.policy.message_limit);
            }
            if let Some(algorithm) = call.policy.compression.requests {
                call.encoding = Some(HeaderValue::from_static(algorithm.name()));
                call.messages = compressed(call.messages, algorithm);
            }
        }
        Decompressed { reply: self.inner.call(call), limit }
    }
}

fn compressed(messages: Messages, algorithm: Algorithm) -> Messages {
    match messages {
        Messages::One(message) => Messages::One(compress(message, algorithm)),
        Messages::Stream(messages) => Messages::Stream(Box::pin(
            messages.map(move |message| message.map(|message| compress(message, algorithm))),
        )),
    }
}

fn compress(message: Message, algorithm: Algorithm) -> Message {
    if message.compressed || message.bytes.len() < SMALL {
        return message;
    }
    match algorithm.compress(&message.bytes) {
        Some(bytes) => Message { bytes, compressed: true },
        None => message,
    }
}

pin_project! {
    /// The reply to a call, in messages that are not compressed.
    pub struct Decompressed<F> {
        #[pin]
        reply: F,
        // The largest message; `None` where messages pass as they are.
        limit: Option<usize>,
    }
}

impl<F: Future<Output = Result<Reply, Status>>> Future for Decompressed<F> {
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut reply = ready!(this.reply.poll(cx))?;
        let Some(limit) = *this.limit else { return Poll::Ready(Ok(reply)) };
        // Another encoding was not offered: whoever reads the frames refuses its messages.
        if let Some(algorithm) = reply.encoding.take().and_then(|name| Algorithm::from_name(name.as_bytes()))
        {
            let frames = reply.frames;
            reply.frames = Box::pin(Plain { frames: Some(frames), algorithm, limit });
        }
        Poll::Ready(Ok(reply))
    }
}

/// The frames of an answer, each message decompressed when it is asked for.
struct Plain {
    /// Dropped when a message is none, which cancels the call.
    frames: Option<ReplyStream>,
    algorithm: Algorithm,
    limit: usize,
}

impl Plain {
    fn decompress(&self, message: Message) -> Result<Message, Status> {
        if !message.compressed {
            return Ok(message);
        }
        let bytes = self.algorithm.decompress(&message.bytes, self.limit);
        bytes.map(Message::from).map_err(|error| failure::compression(&error))
    }
}

impl Stream for Plain {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(frames) = &mut self.frames else { return Poll::Ready(None) };
        let frame = match ready!(frames.as_mut().poll_next(cx)) {
            Some(Ok(Frame::Message(message))) => self.decompress(message).map(Frame::Message),
            other => return Poll::Ready(other),
        };
        if frame.is_err() {
            self.frames = None;
        }
        Poll::Ready(Some(frame))
    }
}
