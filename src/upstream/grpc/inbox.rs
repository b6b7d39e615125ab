//! The body of an answer, read at once and kept until somebody wants it.
//!
//! h2 bounds what it holds of small DATA frames and ends the whole connection beyond that, so frames are
//! never left with it: a task moves their bytes here as they arrive. The stream's window still bounds
//! them, because it is given back only as messages are delivered.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use h2::RecvStream;
use http::HeaderMap;

/// How a body ended: with trailers, without, or broken.
pub type End = Result<Option<HeaderMap>, h2::Error>;

/// What has arrived.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    reader: AtomicWaker,
}

#[derive(Default)]
struct State {
    /// The first chunk as it came: when the reader keeps up, nothing is copied.
    first: Bytes,
    rest: BytesMut,
    end: Option<End>,
}

impl Inbox {
    /// All bytes that have arrived; `None` at the end, which [`Inbox::end`] then tells.
    pub fn poll_bytes(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        self.reader.register(cx.waker());
        let mut state = self.lock();
        let bytes = state.take();
        if !bytes.is_empty() {
            return Poll::Ready(Some(bytes));
        }
        if state.end.is_some() { Poll::Ready(None) } else { Poll::Pending }
    }

    /// How the body ended; only once.
    pub fn end(&self) -> Option<End> {
        self.lock().end.take()
    }

    fn put(&self, bytes: Bytes) {
        let mut state = self.lock();
        if state.first.is_empty() && state.rest.is_empty() {
            state.first = bytes;
        } else {
            state.rest.extend_from_slice(&bytes);
        }
        drop(state);
        self.reader.wake();
    }

    fn finish(&self, end: End) {
        self.lock().end = Some(end);
        self.reader.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first chunk, then everything after it.
    fn take(&mut self) -> Bytes {
        if self.first.is_empty() { self.rest.split().freeze() } else { std::mem::take(&mut self.first) }
    }
}

/// Moves a body into an inbox until it ends.
pub async fn fill(mut body: RecvStream, inbox: Arc<Inbox>) {
    while let Some(chunk) = body.data().await {
        match chunk {
            Ok(bytes) => inbox.put(bytes),
            Err(error) => return inbox.finish(Err(error)),
        }
    }
    inbox.finish(poll_fn(|cx| body.poll_trailers(cx)).await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn next(inbox: &Inbox) -> Poll<Option<Bytes>> {
        poll_fn(|cx| Poll::Ready(inbox.poll_bytes(cx))).now_or_never().unwrap()
    }

    #[test]
    fn bytes_come_out_in_order_and_then_the_end() {
        let inbox = Inbox::default();
        assert_eq!(next(&inbox), Poll::Pending);
        for part in ["a", "b", "c"] {
            inbox.put(Bytes::from(part));
        }
        assert_eq!(next(&inbox), Poll::Ready(Some("a".into())));
        inbox.put(Bytes::from("d"));
        inbox.finish(Ok(None));
        assert_eq!(next(&inbox), Poll::Ready(Some("bcd".into())));
        assert_eq!(next(&inbox), Poll::Ready(None));
        assert!(inbox.end().unwrap().unwrap().is_none());
    }

    #[test]
    fn a_reader_that_keeps_up_gets_what_came_without_a_copy() {
        let inbox = Inbox::default();
        let chunk = Bytes::from(vec![1; 1000]);
        inbox.put(chunk.clone());
        let Poll::Ready(Some(read)) = next(&inbox) else { panic!("bytes have arrived") };
        assert_eq!(read.as_ptr(), chunk.as_ptr());
    }
}
