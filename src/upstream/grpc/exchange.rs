//! Both halves of one stream. Dropped before its end, an exchange cancels the call.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{FlowControl, Reason, RecvStream};
use http::{HeaderMap, response};
use tokio::task::JoinHandle;

use super::inbox::{self, Inbox};
use super::upload::{self, Sending, Upload};
use crate::rpc::{Message, Status, envelope};
use crate::upstream::connection::Cancel;
use crate::upstream::endpoint::Seat;
use crate::upstream::failure::{self, Failure};

/// What one attempt sends.
pub enum Outgoing {
    One(Message),
    Stream(Arc<Upload>),
}

impl Outgoing {
    /// Whether all that was sent can be sent again.
    pub fn can_repeat(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Stream(upload) => upload.is_untouched(),
        }
    }
}

/// An open stream.
pub struct Exchange {
    /// Taken when it is dropped.
    parts: Option<Parts>,
    upload: Option<Arc<Upload>>,
    /// Whether the body is read even while nobody asks for it.
    reads_ahead: bool,
    /// Whether the answer has ended.
    ended: bool,
}

/// A stream and its place on the connection.
struct Parts {
    sending: Sending,
    receiving: Receiving,
    /// The task that sends a client's stream.
    sender: Option<Task>,
    seat: Seat,
}

enum Receiving {
    Head(ResponseFuture),
    Body(RecvStream),
    Ahead { inbox: Arc<Inbox>, window: FlowControl, _reader: Task },
}

/// A task that ends with its handle.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Exchange {
    /// Sends a request, and its messages as the upstream takes them.
    pub fn open(
        seat: Seat,
        request: http::Request<()>,
        outgoing: &Outgoing,
        reads_ahead: bool,
    ) -> Result<Self, Failure> {
        let (head, mut sending) =
            seat.slot.open(request, false).map_err(|error| Failure::not_sent(error.as_ref()))?;
        if let Outgoing::One(message) = outgoing {
            sending.send_data(envelope::encode(message), true).map_err(|error| Failure::of(&error))?;
        }
        let sending = Arc::new(Mutex::new(sending));
        let upload = match outgoing {
            Outgoing::One(_) => None,
            Outgoing::Stream(upload) => Some(Arc::clone(upload)),
        };
        let sender = upload.clone().map(|upload| Task(tokio::spawn(upload::send(upload, sending.clone()))));
        let parts = Parts { sending, receiving: Receiving::Head(head), sender, seat };
        Ok(Self { parts: Some(parts), upload, reads_ahead, ended: false })
    }

    /// The head of the answer, and whether the answer has ended with it.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(response::Parts, bool), Failure>> {
        if let Poll::Ready(status) = self.poll_upload(cx) {
            return Poll::Ready(Err(status.into()));
        }
        let Some(parts) = &mut self.parts else { return Poll::Pending };
        let Receiving::Head(head) = &mut parts.receiving else { return Poll::Pending };
        let (response, body) = match ready!(Pin::new(head).poll(cx)) {
            Ok(response) => response.into_parts(),
            Err(error) => {
                self.ended = true;
                return Poll::Ready(Err(Failure::of(&error)));
            }
        };
        self.ended = body.is_end_stream();
        parts.receiving = if self.reads_ahead { Receiving::ahead(body) } else { Receiving::Body(body) };
        parts.seat.slot.answered();
        Poll::Ready(Ok((response, self.ended)))
    }

    /// Ready when the client's stream of messages has failed, which fails the call.
    pub fn poll_upload(&self, cx: &Context<'_>) -> Poll<Status> {
        self.upload.as_ref().map_or(Poll::Pending, |upload| upload.poll_failure(cx))
    }

    /// The next bytes of the body; `None` at its end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(parts) = &mut self.parts else { return Poll::Ready(None) };
        let bytes = match &mut parts.receiving {
            Receiving::Head(_) => Ok(None),
            Receiving::Body(body) => ready!(body.poll_data(cx)).transpose(),
            Receiving::Ahead { inbox, .. } => Ok(ready!(inbox.poll_bytes(cx))),
        };
        match bytes {
            Ok(None) => Poll::Ready(None),
            Ok(Some(bytes)) => {
                parts.seat.slot.answered();
                Poll::Ready(Some(Ok(bytes)))
            }
            Err(error) => {
                self.ended = true;
                Poll::Ready(Some(Err(failure::status(&error))))
            }
        }
    }

    /// The trailers, after the last bytes.
    pub fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<HeaderMap>, Status>> {
        let Some(parts) = &mut self.parts else { return Poll::Ready(Ok(None)) };
        let end = match &mut parts.receiving {
            Receiving::Head(_) => Ok(None),
            Receiving::Body(body) => ready!(body.poll_trailers(cx)),
            Receiving::Ahead { inbox, .. } => inbox.end().unwrap_or(Ok(None)),
        };
        self.ended = true;
        Poll::Ready(end.map_err(|error| failure::status(&error)))
    }

    /// Notes how the call ended, for the endpoint's record.
    pub fn note(&self, failed: bool) {
        if let Some(parts) = &self.parts {
            parts.seat.endpoint.note(failed);
        }
    }

    /// Gives the upstream room for as many bytes again.
    pub fn release(&mut self, bytes: usize) {
        // This fails only for a stream that is closed, which needs no room.
        let _ = match self.parts.as_mut().map(|parts| &mut parts.receiving) {
            Some(Receiving::Body(body)) => body.flow_control().release_capacity(bytes),
            Some(Receiving::Ahead { window, .. }) => window.release_capacity(bytes),
            Some(Receiving::Head(_)) | None => Ok(()),
        };
    }
}

impl Receiving {
    /// Lets a task read the body.
    fn ahead(mut body: RecvStream) -> Self {
        let window = body.flow_control().clone();
        let inbox = Arc::<Inbox>::default();
        let reader = Task(tokio::spawn(inbox::fill(body, inbox.clone())));
        Self::Ahead { inbox, window, _reader: reader }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        // A client that still sends after the answer has ended must be told to stop, too.
        let sends = parts.sender.as_ref().is_some_and(|sender| !sender.0.is_finished());
        if !self.ended || sends {
            let connection = parts.seat.slot.connection().clone();
            connection.abandon(parts);
        }
    }
}

impl Cancel for Parts {
    fn cancel(&mut self) {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner).send_reset(Reason::CANCEL);
    }
}
