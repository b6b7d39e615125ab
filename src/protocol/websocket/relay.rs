//! One place between the socket and the messages of a call: the next frame is read when the upstream
//! has taken the last. A queue would hide a slow upstream from the client.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::rpc::{Code, Message, Origin, Status};

/// Both ends of a place for one message.
pub(super) fn relay() -> (Sender, Receiver) {
    let place = Arc::new(Mutex::new(Place::default()));
    (Sender(Arc::clone(&place)), Receiver(place))
}

#[derive(Default)]
struct Place {
    message: Option<Message>,
    end: Option<Result<(), Status>>,
    /// Nobody takes messages any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Place {
    fn end(&mut self, end: Result<(), Status>) {
        self.end.get_or_insert(end);
        wake(&mut self.reader);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Whoever dies with a lock has left the place as good as it was.
fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The client's side. Dropped before [`Sender::finish`], it cancels the stream.
pub(super) struct Sender(Arc<Mutex<Place>>);

impl Sender {
    /// Waits until there is room.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut place = lock(&self.0);
        if place.message.is_none() || place.abandoned {
            return Poll::Ready(());
        }
        place.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Puts a message where there is room; it is dropped when nobody takes any more.
    pub(super) fn put(&self, message: Message) {
        let mut place = lock(&self.0);
        if !place.abandoned {
            place.message = Some(message);
            wake(&mut place.reader);
        }
    }

    /// Nothing follows.
    pub(super) fn finish(self) {
        lock(&self.0).end(Ok(()));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let status = Status::new(Code::Cancelled, Origin::Client, "CLIENT_GONE", "the client has left");
        lock(&self.0).end(Err(status));
    }
}

/// The call's side.
pub(super) struct Receiver(Arc<Mutex<Place>>);

impl Stream for Receiver {
    type Item = Result<Message, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut place = lock(&self.0);
        if let Some(message) = place.message.take() {
            wake(&mut place.writer);
            return Poll::Ready(Some(Ok(message)));
        }
        match place.end.clone() {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(status)) => {
                place.end = Some(Ok(()));
                Poll::Ready(Some(Err(status)))
            }
            None => {
                place.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut place = lock(&self.0);
        place.abandoned = true;
        wake(&mut place.writer);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    fn message() -> Message {
        Message::from(Bytes::from_static(b"x"))
    }

    fn has_room(sender: &Sender) -> bool {
        sender.poll_room(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn there_is_room_for_one() {
        let (sender, mut receiver) = relay();
        assert!(has_room(&sender));
        sender.put(message());
        assert!(!has_room(&sender));
        assert_eq!(receiver.next().now_or_never().unwrap().unwrap().unwrap(), message());
        assert!(has_room(&sender));
        assert!(receiver.next().now_or_never().is_none());
        sender.put(message());
        sender.finish();
        assert!(receiver.next().now_or_never().unwrap().unwrap().is_ok());
        assert!(receiver.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_client_that_leaves_has_not_finished() {
        let (sender, mut receiver) = relay();
        drop(sender);
        let status = receiver.next().now_or_never().unwrap().unwrap().unwrap_err();
        assert_eq!(status.code, Code::Cancelled);
        assert!(receiver.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn what_nobody_takes_does_not_block() {
        let (sender, receiver) = relay();
        sender.put(message());
        drop(receiver);
        assert!(has_room(&sender));
    }
}
