//! The frames of an open socket: what is sent goes out in its order and in pieces, what came is handed on.
//!
//! Little is ever buffered: of a message only a fragment is copied for the wire, so pings and their answers
//! need not wait for its end (RFC 6455 §5.4). When a message may be sent, and what frames mean, is not known
//! here.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink as _, SinkExt as _, Stream as _, StreamExt as _, future::poll_fn};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsFrame};

use super::close::Close;
use super::liveness::{Signs, WRITE_STALL};
use super::wire::Wire;

/// axum's and tungstenite's default would cost every socket 128 KiB.
const READ_BUFFER: usize = 4 * 1024;

/// The most that waits for the wire in one buffer. Nothing comes near it.
const BUFFER_LIMIT: usize = 1024 * 1024;

/// How many pings of a client are answered before it takes the answers.
const UNANSWERED: u32 = 16;

/// The largest piece of a message that goes out at once.
const FRAGMENT: usize = 16 * 1024;

/// How long a client has to answer a close frame.
const CLOSING: Duration = Duration::from_secs(5);

/// How long a client that took nothing has to take what was on its way, and with it why it is closed.
const CLOSING_SLOW: Duration = WRITE_STALL;

/// An open socket.
pub(super) struct Socket<T> {
    frames: WebSocketStream<Wire<T>>,
    /// Messages that have not gone, the first of them in part.
    queue: VecDeque<Outgoing>,
    /// Since when something waits to be written.
    unsent: Option<Instant>,
    /// Pings whose answers wait to be written.
    pings: u32,
    /// Nothing more can be read: the client has broken the protocol, or its connection has.
    broken: bool,
}

/// What has not gone of a message.
struct Outgoing {
    opcode: OpCode,
    rest: Bytes,
}

/// What became of what was to be sent.
enum Sent {
    All,
    /// The client takes nothing.
    Stalled,
    Gone,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket<T> {
    /// A socket after its handshake, with the largest message and frame of its client.
    pub(super) async fn open(wire: Wire<T>, message: usize, frame: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            // Each message is written when it comes, and the next is not asked for before it has gone.
            .write_buffer_size(0)
            .max_write_buffer_size(BUFFER_LIMIT)
            .max_message_size(Some(message))
            .max_frame_size(Some(frame));
        let frames = WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)).await;
        Self { frames, queue: VecDeque::new(), unsent: None, pings: 0, broken: false }
    }

    /// The next frame of the client; control frames have been answered. Before it is asked for, what waits
    /// to be written must have been tried to send.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<WsFrame, WsError>>> {
        if self.pings >= UNANSWERED || self.broken {
            return Poll::Pending;
        }
        let frame = ready!(Pin::new(&mut self.frames).poll_next(cx));
        self.broken = matches!(frame, Some(Err(_)));
        if matches!(frame, Some(Ok(WsFrame::Ping(_)))) {
            self.unsent.get_or_insert_with(Instant::now);
            self.pings += 1;
        }
        Poll::Ready(frame)
    }

    /// Whether something waits to be written.
    pub(super) const fn is_sending(&self) -> bool {
        self.unsent.is_some()
    }

    /// What is known of the client, but for whether it is read from.
    pub(super) fn signs(&self) -> Signs {
        let wire = self.frames.get_ref();
        Signs { heard: wire.heard, taken: wire.taken, unsent: self.unsent, unread: None }
    }

    /// Queues a frame behind those that have not gone; pings go between the pieces of a message.
    pub(super) fn send(&mut self, frame: WsFrame) -> Result<(), WsError> {
        self.unsent.get_or_insert_with(Instant::now);
        let (kind, rest) = match frame {
            WsFrame::Text(text) => (Data::Text, Bytes::from(text)),
            WsFrame::Binary(bytes) => (Data::Binary, bytes),
            control => return Pin::new(&mut self.frames).start_send(control),
        };
        self.queue.push_back(Outgoing { opcode: OpCode::Data(kind), rest });
        // Most fit into one piece, and that need not be waited for.
        if self.queue.len() == 1 { self.send_piece() } else { Ok(()) }
    }

    /// Puts the next piece of the first message on the wire.
    fn send_piece(&mut self) -> Result<(), WsError> {
        let Some(first) = self.queue.front_mut() else { return Ok(()) };
        let piece = first.rest.split_to(first.rest.len().min(FRAGMENT));
        let opcode = std::mem::replace(&mut first.opcode, OpCode::Data(Data::Continue));
        let is_last = first.rest.is_empty();
        if is_last {
            self.queue.pop_front();
        }
        Pin::new(&mut self.frames).start_send(WsFrame::Frame(Frame::message(piece, opcode, is_last)))
    }

    /// Waits until everything has gone.
    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        loop {
            ready!(Pin::new(&mut self.frames).poll_flush(cx))?;
            self.pings = 0;
            if self.queue.is_empty() {
                self.unsent = None;
                return Poll::Ready(Ok(()));
            }
            self.send_piece()?;
        }
    }

    /// Says the last word when all that stands before it has gone, and waits for the client's. Without a
    /// word, the client has said its own, or has left.
    pub(super) async fn close(mut self, close: Option<Close>) {
        let Some(mut close) = close else {
            drop(timeout(CLOSING, self.frames.flush()).await);
            return;
        };
        if !close.is_urgent() {
            match self.sent().await {
                Sent::All => {}
                Sent::Stalled => close = Close::SLOW,
                Sent::Gone => return,
            }
        }
        let patience = if close == Close::SLOW { CLOSING_SLOW } else { CLOSING };
        let frame = WsFrame::Close(Some(close.frame()));
        let goodbye = async {
            if self.frames.send(frame).await.is_ok() {
                while let Some(Ok(_)) = self.frames.next().await {}
            }
            // The stream of HTTP/2 ends well, and is not reset.
            self.frames.get_mut().shutdown().await
        };
        drop(timeout(patience, goodbye).await);
    }

    /// Sends what has not gone to a client that still takes it; what the client sends goes unheard.
    async fn sent(&mut self) -> Sent {
        let mut timer = pin!(sleep_until(Instant::now() + WRITE_STALL));
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(sent) = self.poll_sent(cx) {
                    return Poll::Ready(sent.map_or(Sent::Gone, |()| Sent::All));
                }
                match self.poll_next(cx) {
                    // What cannot be read of a client does not keep it from hearing what is wrong.
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => return Poll::Ready(Sent::Gone),
                    Poll::Pending => break,
                }
            }
            while timer.as_mut().poll(cx).is_ready() {
                let stalled = self.signs().taken + WRITE_STALL;
                if stalled <= Instant::now() {
                    return Poll::Ready(Sent::Stalled);
                }
                timer.as_mut().reset(stalled);
            }
            Poll::Pending
        })
        .await
    }
}
