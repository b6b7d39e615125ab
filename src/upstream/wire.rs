//! One write per turn: what h2 writes while its connection is polled is gathered here and handed to the
//! socket once, when the turn ends.
//!
//! The `h2` crate flushes after each DATA frame that is not small, which is a system call per message.
//! [`Wire`] tells it that all is flushed; whoever drives the connection ends each turn with
//! [`Wire::poll_send`]. It also remembers when bytes last arrived, for keepalive.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// More than this is not gathered: the peer reads slower than we write.
const GATHER: usize = 256 * 1024;

/// A socket, whatever it is made of.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A socket whose writes are gathered; clones are the same socket.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Gathered>>);

struct Gathered {
    socket: Box<dyn Socket>,
    out: BytesMut,
    /// Whether h2 waits for room.
    starved: bool,
    received: u64,
    received_at: Instant,
}

impl Wire {
    /// Takes a socket.
    pub fn new(socket: Box<dyn Socket>) -> Self {
        Self(Arc::new(Mutex::new(Gathered {
            socket,
            out: BytesMut::new(),
            starved: false,
            received: 0,
            received_at: Instant::now(),
        })))
    }

    /// Sends what was gathered; ready when nothing is left.
    pub fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_send(cx)
    }

    /// How many bytes have arrived.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// When bytes last arrived; at first when the socket was taken.
    pub fn received_at(&self) -> Instant {
        self.lock().received_at
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(sent);
        }
        if std::mem::take(&mut self.starved) {
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Room to gather more, which may first need the socket to take some.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.out.len() >= GATHER {
            self.starved = true;
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(GATHER - self.out.len()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut gathered = self.lock();
        let before = buf.filled().len();
        ready!(Pin::new(&mut gathered.socket).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        if read > 0 {
            gathered.received += read as u64;
            gathered.received_at = Instant::now();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut gathered = self.lock();
        let room = ready!(gathered.poll_room(cx))?;
        let taken = bytes.get(..room).unwrap_or(bytes);
        gathered.out.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut gathered = self.lock();
        let mut room = ready!(gathered.poll_room(cx))?;
        let mut written = 0;
        for slice in slices {
            let taken = slice.get(..room).unwrap_or(slice);
            gathered.out.extend_from_slice(taken);
            room -= taken.len();
            written += taken.len();
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is flushed within a turn; [`Wire::poll_send`] ends it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathered = self.lock();
        ready!(gathered.poll_send(cx))?;
        Pin::new(&mut gathered.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_turn_is_one_write() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut wire = Wire::new(Box::new(near));
        wire.write_all(b"one").await.unwrap();
        wire.flush().await.unwrap();
        wire.write_all(b"two").await.unwrap();
        wire.flush().await.unwrap();
        let mut read = [0; 16];
        assert!(futures_util::FutureExt::now_or_never(far.read(&mut read)).is_none(), "nothing leaves early");
        std::future::poll_fn(|cx| wire.poll_send(cx)).await.unwrap();
        let length = far.read(&mut read).await.unwrap();
        assert_eq!(&read[..length], b"onetwo");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_stops_the_writer() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut wire = Wire::new(Box::new(near));
        let wanted = 3 * GATHER;
        let writer = async {
            wire.write_all(&vec![7; wanted]).await.unwrap();
            wire.shutdown().await.unwrap();
            wire
        };
        let reader = async {
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.unwrap();
            read
        };
        let (wire, read) = tokio::join!(writer, reader);
        assert_eq!(read, vec![7; wanted]);
        assert!(wire.lock().out.capacity() <= 2 * GATHER);
    }

    #[tokio::test]
    async fn arriving_bytes_are_counted() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut wire = Wire::new(Box::new(near));
        far.write_all(b"abc").await.unwrap();
        wire.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!(wire.received(), 3);
    }
}
