//! The rest of an answer: messages, then trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use http::{HeaderMap, HeaderValue};

use super::exchange::Exchange;
use super::request::Request;
use crate::rpc::envelope::{Decoder, PREFIX};
use crate::rpc::{Frame, Message, Metadata, Status, trailers};
use crate::upstream::failure;

/// What an answer must keep to.
pub struct Rules {
    message_limit: usize,
    /// Exactly one message.
    single: bool,
    /// Whether messages may be compressed: the head says how, and the call allows it.
    compressed: bool,
}

impl Rules {
    /// The rules for the answer to a call, whose head names an encoding.
    pub fn new(request: &Request, encoding: Option<&HeaderValue>) -> Self {
        Self {
            message_limit: request.policy.message_limit,
            single: !request.kind.server_streams(),
            compressed: encoding.is_some_and(|encoding| accepts(request.accept_encoding.as_ref(), encoding)),
        }
    }
}

/// Whether a `grpc-accept-encoding` lists an encoding.
fn accepts(accepted: Option<&HeaderValue>, encoding: &HeaderValue) -> bool {
    let (Some(Ok(accepted)), Ok(encoding)) = (accepted.map(HeaderValue::to_str), encoding.to_str()) else {
        return false;
    };
    accepted.split(',').any(|name| name.trim() == encoding)
}

/// The messages and trailers of an answer.
pub struct Frames {
    exchange: Exchange,
    decoder: Decoder,
    rules: Rules,
    /// Bytes that the decoder was given and the upstream's window was not given back.
    held: usize,
    messages: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Body,
    Trailers,
    Done,
}

impl Frames {
    /// The rest of an exchange whose head was read.
    pub fn new(exchange: Exchange, rules: Rules) -> Self {
        let decoder = Decoder::new(rules.message_limit);
        Self { exchange, decoder, rules, held: 0, messages: 0, state: State::Body }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, Status>> {
        if let Poll::Ready(status) = self.exchange.poll_upload(cx) {
            return Poll::Ready(Err(status));
        }
        while self.state == State::Body {
            if let Some(message) = self.decoder.take().map_err(|error| failure::envelope(&error))? {
                return Poll::Ready(self.accept(message).map(Frame::Message));
            }
            match self.exchange.poll_bytes(cx) {
                Poll::Ready(Some(bytes)) => {
                    let bytes = bytes?;
                    self.held += bytes.len();
                    self.decoder.push(bytes);
                }
                Poll::Ready(None) => self.state = State::Trailers,
                Poll::Pending => {
                    // What is held is the start of a message: its rest needs room.
                    self.release(self.held);
                    return Poll::Pending;
                }
            }
        }
        let trailers = ready!(self.exchange.poll_trailers(cx))?;
        Poll::Ready(self.finish(trailers.unwrap_or_default()).map(Frame::Trailers))
    }

    /// Checks a message and makes room for the next.
    fn accept(&mut self, message: Message) -> Result<Message, Status> {
        self.release(self.held.min(PREFIX + message.bytes.len()));
        self.messages += 1;
        if self.rules.single && self.messages > 1 {
            return Err(too_many_messages());
        }
        if message.compressed && !self.rules.compressed {
            return Err(compressed());
        }
        Ok(message)
    }

    /// Checks how the call ended. An error of the service comes first: it says why the rest is missing.
    fn finish(&self, trailers: HeaderMap) -> Result<Metadata, Status> {
        let metadata = trailers::read(trailers)?;
        self.decoder.finish().map_err(|error| failure::envelope(&error))?;
        if self.rules.single && self.messages == 0 { Err(no_message()) } else { Ok(metadata) }
    }

    fn release(&mut self, bytes: usize) {
        if bytes > 0 {
            self.exchange.release(bytes);
            self.held -= bytes;
        }
    }
}

impl Stream for Frames {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state == State::Done {
            return Poll::Ready(None);
        }
        let frame = ready!(self.poll_frame(cx));
        if !matches!(frame, Ok(Frame::Message(_))) {
            self.state = State::Done;
            self.exchange.note(matches!(&frame, Err(status) if failure::counts(status)));
        }
        Poll::Ready(Some(frame))
    }
}

/// A unary call was answered without a message.
pub fn no_message() -> Status {
    Status::bad_upstream("UPSTREAM_NO_MESSAGE", "the upstream answered a unary call without a message")
}

fn too_many_messages() -> Status {
    Status::bad_upstream(
        "UPSTREAM_TOO_MANY_MESSAGES",
        "the upstream answered a unary call with more than one message",
    )
}

fn compressed() -> Status {
    Status::bad_upstream(
        "UPSTREAM_UNEXPECTED_COMPRESSION",
        "the upstream sent a compressed message that nobody asked for",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_encodings_are_accepted() {
        let value = HeaderValue::from_static;
        assert!(accepts(Some(&value("identity, gzip")), &value("gzip")));
        assert!(!accepts(Some(&value("identity,gzip")), &value("zstd")));
        assert!(!accepts(None, &value("gzip")));
    }
}
