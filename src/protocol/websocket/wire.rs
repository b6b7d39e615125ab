//! The byte stream under the frames: it counts what passes, for the log, and knows when last something did.
//!
//! The buffer of the frames is small, as most sockets say little most of the time; where more comes than it
//! holds, the rest is read ahead in large pieces, and their memory given back when nothing more has come.
//!
//! What the bytes mean is [`super::socket`]'s; how long a pause may be [`super::liveness`]'s.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::protocol::Outcome;

/// The most that is read ahead.
const AHEAD: usize = 8 * 1024;

/// A byte stream that is watched.
#[derive(Debug)]
pub(super) struct Wire<T> {
    io: T,
    outcome: Arc<Outcome>,
    /// Room for what is read ahead; empty where nothing is.
    ahead: Vec<u8>,
    /// The part of it that has not been asked for.
    unread: Range<usize>,
    /// When bytes last came from the client.
    pub(super) heard: Instant,
    /// When the client last took bytes.
    pub(super) taken: Instant,
}

impl<T> Wire<T> {
    pub(super) fn new(io: T, outcome: Arc<Outcome>) -> Self {
        let now = Instant::now();
        Self { io, outcome, ahead: Vec::new(), unread: 0..0, heard: now, taken: now }
    }
}

impl<T: AsyncRead + Unpin> Wire<T> {
    /// Reads from the stream itself.
    fn receive(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        let length = buffer.filled().len() - before;
        self.outcome.bytes_received(length);
        self.heard = Instant::now();
        Poll::Ready(Ok(length))
    }

    /// Reads ahead. A piece that is not full is the last for now.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = std::mem::take(&mut self.ahead);
        let length = ready!(self.receive(cx, &mut ReadBuf::new(&mut room)))?;
        self.unread = 0..length;
        self.ahead = room;
        Poll::Ready(Ok(()))
    }

    /// Hands on what was read ahead, and gives its memory back behind the last of it.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.unread.len().min(buffer.remaining());
        let end = self.unread.start + length;
        buffer.put_slice(self.ahead.get(self.unread.start..end).unwrap_or_default());
        self.unread.start = end;
        if self.unread.is_empty() && end < AHEAD {
            self.ahead = Vec::new();
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            let room = buffer.remaining();
            if ready!(self.receive(cx, buffer))? == room {
                self.ahead = vec![0; AHEAD];
            }
            return Poll::Ready(Ok(()));
        }
        if self.unread.is_empty() {
            ready!(self.read_ahead(cx))?;
        }
        self.hand_on(buffer);
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::protocol::Client;

    #[tokio::test]
    async fn every_byte_comes_once_and_the_memory_is_given_back() {
        for (sent, pipe) in [(1, 64), (511, 600), (512, 600), (513, 600), (9000, 700), (100_000, 20_000)] {
            let bytes: Vec<u8> = (0..sent).map(|number: u32| number.to_le_bytes()[0]).collect();
            let (mut client, server) = duplex(pipe);
            let outcome = Arc::new(Outcome::new(Client::WebSocket));
            let mut wire = Wire::new(server, Arc::clone(&outcome));
            let (written, mut read) = (bytes.clone(), Vec::new());
            let writing = tokio::spawn(async move {
                client.write_all(&written).await.unwrap();
                client
            });
            let mut piece = [0; 512];
            while read.len() < bytes.len() {
                let length = wire.read(&mut piece).await.unwrap();
                read.extend_from_slice(&piece[..length]);
            }
            assert!(read == bytes, "{sent} by {pipe}");
            assert_eq!(outcome.bytes_in(), u64::from(sent));
            let mut client = writing.await.unwrap();
            let nothing = std::future::poll_fn(|cx| {
                Poll::Ready(Pin::new(&mut wire).poll_read(cx, &mut ReadBuf::new(&mut [0; 9])).is_pending())
            });
            assert!(nothing.await, "{sent} by {pipe}");
            assert_eq!(wire.ahead.capacity(), 0, "{sent} by {pipe}");
            client.write_all(b"more").await.unwrap();
            drop(client);
            read.clear();
            wire.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, b"more");
        }
    }
}
