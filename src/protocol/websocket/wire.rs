//! The byte stream under the frames: it counts what passes, for the log, and knows when last something did.
//!
//! What the bytes mean is [`super::socket`]'s; how long a pause may be [`super::liveness`]'s.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::protocol::Outcome;

/// A byte stream that is watched.
#[derive(Debug)]
pub(super) struct Wire<T> {
    io: T,
    outcome: Arc<Outcome>,
    /// When bytes last came from the client.
    pub(super) heard: Instant,
    /// When the client last took bytes.
    pub(super) taken: Instant,
}

impl<T> Wire<T> {
    pub(super) fn new(io: T, outcome: Arc<Outcome>) -> Self {
        let now = Instant::now();
        Self { io, outcome, heard: now, taken: now }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.outcome.bytes_received(buffer.filled().len() - before);
        self.heard = Instant::now();
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.outcome.bytes_sent(written);
        self.taken = Instant::now();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
