//! One attempt at a call: a gRPC exchange on one HTTP/2 stream (gRPC PROTOCOL-HTTP2).
//!
//! [`send`] sends a call and waits for the head of the answer; [`Answer::into_reply`] goes on with the
//! rest. It does not know how the connection was found, and never sends anything twice.

mod exchange;
mod frames;
mod head;
mod inbox;
mod request;
mod upload;

use std::future::poll_fn;

use http::HeaderValue;

use self::exchange::Exchange;
pub use self::exchange::Outgoing;
use self::frames::{Frames, Rules, no_message};
use self::head::Head;
pub use self::request::Request;
pub use self::upload::Upload;
use super::dispatch::Patience;
use super::endpoint::Seat;
use super::failure::Failure;
use crate::rpc::{Frame, Metadata, Reply};

/// An answer whose head has arrived.
pub enum Answer {
    Ended(Metadata),
    Messages { metadata: Metadata, encoding: Option<HeaderValue>, exchange: Exchange },
}

/// Sends a call and waits for the head of the answer.
///
/// # Errors
/// When there is no answer, or the answer is an error.
pub async fn send(
    seat: Seat,
    request: &Request,
    outgoing: &Outgoing,
    patience: Patience,
) -> Result<Answer, Failure> {
    let head = request.head(&seat.endpoint)?;
    let connection = seat.slot.connection().clone();
    let mut exchange = Exchange::open(seat, head, outgoing, request.kind.server_streams())?;
    let (head, ended) = tokio::select! {
        biased;
        head = poll_fn(|cx| exchange.poll_head(cx)) => head?,
        () = connection.silence(), if patience.leaves_silence => return Err(Failure::silent()),
        () = too_long(patience) => return Err(Failure::slow()),
    };
    match head::read(head, ended)? {
        Head::Ended(_) if !request.kind.server_streams() => Err(no_message().into()),
        Head::Ended(trailers) => Ok(Answer::Ended(trailers)),
        Head::Messages { metadata, encoding } => Ok(Answer::Messages { metadata, encoding, exchange }),
    }
}

/// Waits until an attempt has taken too long.
async fn too_long(patience: Patience) {
    match patience.per_attempt {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

impl Answer {
    /// The reply to a call.
    pub fn into_reply(self, request: &Request) -> Reply {
        match self {
            Self::Ended(trailers) => {
                let end = futures_util::stream::iter([Ok(Frame::Trailers(trailers))]);
                Reply { metadata: Metadata::new(), encoding: None, frames: Box::pin(end) }
            }
            Self::Messages { metadata, encoding, exchange } => {
                let rules = Rules::new(request, encoding.as_ref());
                let frames = Box::pin(Frames::new(exchange, rules));
                Reply { metadata, encoding, frames }
            }
        }
    }
}
