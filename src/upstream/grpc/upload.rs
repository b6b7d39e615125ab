//! The messages of a client that streams, on their way to the upstream: one at a time, as fast as the
//! upstream's window allows, whether or not the answer is being read.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::task::AtomicWaker;
use h2::{Reason, SendStream};

use crate::rpc::{Message, Status, envelope};

/// The messages of a client.
pub type Source = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;

/// A client's stream of messages, which an attempt borrows: when the upstream has not looked at the call
/// and nothing was taken from it, the next attempt can have it.
pub struct Upload {
    state: Mutex<State>,
    /// Whoever waits for the answer and must hear of a failure here.
    reader: AtomicWaker,
}

struct State {
    source: Source,
    /// Whether a message was taken from the client.
    begun: bool,
    failed: Option<Status>,
}

impl Upload {
    pub fn new(source: Source) -> Arc<Self> {
        let state = State { source, begun: false, failed: None };
        Arc::new(Self { state: Mutex::new(state), reader: AtomicWaker::new() })
    }

    /// Whether nothing was taken from the client yet.
    pub fn is_untouched(&self) -> bool {
        !self.lock().begun
    }

    /// Ready with the error that ended the client's stream, if one did.
    pub fn poll_failure(&self, cx: &Context<'_>) -> Poll<Status> {
        self.reader.register(cx.waker());
        self.lock().failed.take().map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Status>>> {
        let mut state = self.lock();
        let next = state.source.as_mut().poll_next(cx);
        state.begun |= next.is_ready();
        next
    }

    fn fail(&self, status: Status) {
        self.lock().failed = Some(status);
        self.reader.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending half of a stream, shared by the task that sends and by whoever may have to reset it.
pub type Sending = Arc<Mutex<SendStream<Bytes>>>;

/// Sends all messages; ends early when the upstream wants no more of them, or the client fails.
pub async fn send(upload: Arc<Upload>, sending: Sending) {
    loop {
        let next = tokio::select! {
            biased;
            () = reset(&sending) => return,
            next = poll_fn(|cx| upload.poll_next(cx)) => next,
        };
        match next {
            Some(Ok(message)) => {
                if send_all(&sending, envelope::encode(&message)).await.is_err() {
                    return;
                }
            }
            Some(Err(status)) => return upload.fail(status),
            None => {
                // When this fails, the stream has ended, and its reader knows why.
                let _ = lock(&sending).send_data(Bytes::new(), true);
                return;
            }
        }
    }
}

/// Waits until the upstream resets the stream.
async fn reset(sending: &Sending) {
    let _: Result<Reason, h2::Error> = poll_fn(|cx| lock(sending).poll_reset(cx)).await;
}

/// Hands bytes over as the window opens.
async fn send_all(sending: &Sending, mut bytes: Bytes) -> Result<(), Ended> {
    while !bytes.is_empty() {
        lock(sending).reserve_capacity(bytes.len());
        let capacity = poll_fn(|cx| lock(sending).poll_capacity(cx)).await;
        let capacity = capacity.ok_or(Ended)?.map_err(|_| Ended)?;
        let part = bytes.split_to(capacity.min(bytes.len()));
        lock(sending).send_data(part, false).map_err(|_| Ended)?;
    }
    Ok(())
}

/// The stream has ended; its reading half knows why.
struct Ended;

fn lock(sending: &Sending) -> MutexGuard<'_, SendStream<Bytes>> {
    sending.lock().unwrap_or_else(PoisonError::into_inner)
}
