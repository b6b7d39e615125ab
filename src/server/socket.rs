//! One type for the byte streams that clients come by: TCP, Unix, TLS over TCP.
//!
//! It exists so that the connection's code is compiled once. [`Watched`] stands around it and tells
//! [`Activity`] what moves.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Version};
use super::tls;
use super::worker::Slot;
use crate::telemetry::guard::ClientCertificate;

/// A client's byte stream.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// What is left when it has been given away.
    Gone,
}

impl Socket {
    /// The certificate that the client has shown.
    pub(super) fn certificate(&self) -> Option<ClientCertificate> {
        match self {
            Self::Tls(stream) => tls::client_certificate(stream.get_ref().1),
            Self::Tcp(_) | Self::Unix(_) | Self::Gone => None,
        }
    }
}

/// Calls a method of whichever stream it is.
macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp($stream) => $call,
            Self::Unix($stream) => $call,
            Self::Tls(boxed) => {
                let $stream = &mut **boxed;
                $call
            }
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        !matches!(self, Self::Tls(_))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// A socket that reports what it reads and writes, and gives the bytes again that were read to tell
/// the protocol. While it lives, also after an upgrade, its worker waits for it.
#[derive(Debug)]
pub(super) struct Watched {
    socket: Socket,
    first: Bytes,
    /// Whether the client has sent everything.
    ended: bool,
    activity: Arc<Activity>,
    slot: Slot,
}

impl Watched {
    pub(super) const fn new(socket: Socket, first: Bytes, activity: Arc<Activity>, slot: Slot) -> Self {
        Self { socket, first, ended: false, activity, slot }
    }

    /// Notes whether a write moved on, or waits for the client.
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        match written {
            Poll::Ready(_) => self.activity.wrote(),
            Poll::Pending => self.activity.blocked(),
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gives_first = !self.first.is_empty();
        if gives_first {
            let length = self.first.len().min(buffer.remaining());
            buffer.put_slice(self.first.split_to(length).chunk());
        }
        // A head that comes in two pieces would make the reader's buffer twice as large.
        let before = buffer.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buffer) {
            Poll::Pending if gives_first => return Poll::Ready(Ok(())),
            read => ready!(read)?,
        }
        if buffer.filled().len() > before {
            self.activity.read();
        } else {
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS keeps records back and writes them here.
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.note(shut)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let lingers = !self.ended && self.activity.version() == Version::Http1 && !self.activity.is_overdue();
        if lingers && let Ok(runtime) = Handle::try_current() {
            let socket = std::mem::replace(&mut self.socket, Socket::Gone);
            runtime.spawn(linger(socket, self.slot.clone()));
        }
    }
}

/// How long, and for how many bytes, a closed connection is still read from.
const LINGER: (Duration, u64) = (Duration::from_secs(2), 1024 * 1024);

/// Closes a connection of HTTP/1.1 in two steps (RFC 9112 §9.6): bytes that come after the socket is
/// closed make the kernel reset it, and the client may lose an answer that it has not read yet.
async fn linger(mut socket: Socket, _slot: Slot) {
    let mut sink = tokio::io::sink();
    let lingering = async {
        socket.shutdown().await?;
        tokio::io::copy(&mut socket.take(LINGER.1), &mut sink).await
    };
    // However it ends, the connection is over.
    drop(tokio::time::timeout(LINGER.0, lingering).await);
}
