//! The two sides of a call that is made over a socket: what the client says goes into [`Inbound`], what the
//! upstream answers comes out of [`Outbound`].
//!
//! What frames mean and when the next may come is decided by [`super::session`].

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::protocol::stream_body::PendingReply;
use crate::rpc::{Frame, Message, Messages, Metadata, Reply, ReplyStream, Status};

use super::relay::{Sender, relay};

/// Makes the call.
pub(super) type Start = Box<dyn FnOnce(Messages) -> Result<PendingReply, Status> + Send>;

/// The client's side.
pub(super) enum Inbound {
    /// The first message is to come.
    First(Start),
    /// Any number of messages.
    Open(Sender),
    /// There is nothing more to say.
    Ended,
}

impl Inbound {
    /// Whether the first message is still to come.
    pub(super) const fn is_first(&self) -> bool {
        matches!(self, Self::First(_))
    }

    /// Waits until what is read now would have a place.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        match self {
            Self::Open(sender) => sender.poll_room(cx),
            Self::First(_) | Self::Ended => Poll::Ready(()),
        }
    }

    /// Makes the call with its first message. `None` when it is made already.
    pub(super) fn start(
        &mut self,
        message: Bytes,
        streams: bool,
        ended: bool,
    ) -> Option<Result<Outbound, Status>> {
        let Self::First(start) = std::mem::replace(self, Self::Ended) else { return None };
        let messages = if streams {
            let (sender, receiver) = relay();
            sender.put(message.into());
            *self = Self::Open(sender);
            if ended {
                self.end();
            }
            Messages::Stream(Box::pin(receiver))
        } else {
            Messages::One(Message::from(message))
        };
        Some(start(messages).map(Outbound::Calling))
    }

    /// Hands on a message behind the first; it comes back where none can follow.
    pub(super) fn put(&self, message: Bytes) -> Result<(), Bytes> {
        let Self::Open(sender) = self else { return Err(message) };
        sender.put(message.into());
        Ok(())
    }

    /// The client half-closes.
    pub(super) fn end(&mut self) {
        if let Self::Open(sender) = std::mem::replace(self, Self::Ended) {
            sender.finish();
        }
    }
}

/// The upstream's side.
pub(super) enum Outbound {
    /// There is no call yet, or no longer.
    None,
    Calling(PendingReply),
    Open(ReplyStream),
}

/// What the upstream says.
pub(super) enum Answer {
    /// The head has come, with the metadata.
    Head(Metadata),
    Message(Message),
    /// The call has ended well, with the trailers.
    End(Metadata),
}

impl Outbound {
    /// Waits for what the upstream says next.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, Status>> {
        Poll::Ready(match self {
            Self::None => return Poll::Pending,
            Self::Calling(reply) => {
                let reply = ready!(reply.as_mut().poll(cx));
                reply.map(|Reply { metadata, frames, .. }| {
                    *self = Self::Open(frames);
                    Answer::Head(metadata)
                })
            }
            Self::Open(frames) => match ready!(frames.as_mut().poll_next(cx)) {
                Some(Ok(Frame::Message(message))) => Ok(Answer::Message(message)),
                Some(Ok(Frame::Trailers(trailers))) => Ok(Answer::End(trailers)),
                None => Ok(Answer::End(Metadata::new())),
                Some(Err(status)) => Err(status),
            },
        })
    }
}
