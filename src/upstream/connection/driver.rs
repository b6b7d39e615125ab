//! The task of one connection: moves frames, asks a silent peer, resets abandoned streams at a pace that
//! no peer takes for an attack, notices GOAWAY.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong, Reason};
use tokio::time::{Instant, Sleep, sleep_until};

use super::pulse::{Beat, Pulse, View};
use super::{Cancel, Connection, lock};
use crate::upstream::spec::Timers;
use crate::upstream::wire::Wire;

/// How many streams are reset before the peer must have answered a PING: h2 and others end a connection
/// on which 20 resets are pending.
const RESETS: u32 = 16;

/// A frame's head: whoever has sent as much has sent its SETTINGS (RFC 9113 §3.4), or h2 has failed.
const FRAME_HEAD: u64 = 9;

/// Drives a connection; a future that is ready when the connection has ended.
pub struct Driver {
    connection: Arc<Connection>,
    http: h2::client::Connection<Wire, Bytes>,
    wire: Wire,
    pulse: Pulse,
    ping_pong: Option<PingPong>,
    timer: Pin<Box<Sleep>>,
    /// How many streams may be reset before the next PING.
    resets: u32,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum End {
    /// Its streams had ended, and no more were wanted.
    Drained,
    /// An error of HTTP/2, or of the socket while reading.
    Failed(h2::Error),
    /// An error of the socket while writing.
    Broken(io::Error),
    /// The peer did not answer a PING.
    Silent,
}

impl End {
    /// Whether the peer complains of PINGs (gRFC A8): its GOAWAY says so in a text, which h2 shows only
    /// as part of the error's.
    pub fn is_too_many_pings(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        error.reason() == Some(Reason::ENHANCE_YOUR_CALM) && error.to_string().contains("too_many_pings")
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("it was closed"),
            Self::Failed(error) => error.fmt(f),
            Self::Broken(error) => error.fmt(f),
            Self::Silent => f.write_str("the peer did not answer a PING"),
        }
    }
}

impl Driver {
    pub(super) fn new(
        connection: Arc<Connection>,
        mut http: h2::client::Connection<Wire, Bytes>,
        wire: Wire,
        timers: Timers,
    ) -> Self {
        let ping_pong = http.ping_pong();
        let timer = Box::pin(sleep_until(Instant::now() + timers.keepalive));
        Self { connection, http, wire, pulse: Pulse::new(timers), ping_pong, timer, resets: RESETS }
    }

    /// Waits for the peer's SETTINGS.
    pub(super) async fn settled(&mut self) -> Result<(), End> {
        poll_fn(|cx| match Pin::new(&mut *self).poll(cx) {
            Poll::Ready(end) => Poll::Ready(Err(end)),
            Poll::Pending if self.wire.received() >= FRAME_HEAD => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// A turn: frames in and out, then what they made necessary, until nothing is left to do.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Poll::Ready(end) = Pin::new(&mut self.http).poll(cx) {
                return Poll::Ready(end.map_or_else(End::Failed, |()| End::Drained));
            }
            self.notice_goaway(cx);
            let busy = self.poll_pong(cx) | self.cancel_abandoned();
            let Some(pinged) = self.keep_alive(cx) else {
                return Poll::Ready(End::Silent);
            };
            if !busy && !pinged {
                break;
            }
        }
        match self.wire.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(End::Broken(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// After GOAWAY, `poll_ready` fails: no new streams then, while those in flight go on (RFC 9113 §6.8).
    fn notice_goaway(&self, cx: &mut Context<'_>) {
        let refused = |sender: &mut SendRequest<Bytes>| matches!(sender.poll_ready(cx), Poll::Ready(Err(_)));
        let gone = lock(&self.connection.sender).as_mut().is_some_and(refused);
        if gone {
            self.connection.drain();
        }
    }

    /// Whether an answer has arrived.
    fn poll_pong(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(ping_pong) = self.ping_pong.as_mut().filter(|_| self.pulse.is_asking()) else {
            return false;
        };
        let ponged = ping_pong.poll_pong(cx).is_ready();
        if ponged {
            self.pulse.ponged();
            self.resets = RESETS;
        }
        ponged
    }

    /// Whether streams were reset, or a PING was sent that lets more of them be.
    ///
    /// h2 writes a PING ahead of all frames of streams, so it is sent in the turn after the resets that
    /// its answer must follow.
    fn cancel_abandoned(&mut self) -> bool {
        if self.resets == 0 {
            return !lock(&self.connection.abandoned).streams.is_empty() && self.ping();
        }
        let mut busy = false;
        while let Some(mut stream) = self.next_abandoned() {
            stream.cancel();
            // Dropped outside the lock: it holds a slot.
            drop(stream);
            busy = true;
        }
        busy
    }

    /// The next stream to reset, if there is one and its turn has come.
    fn next_abandoned(&mut self) -> Option<Box<dyn Cancel>> {
        if self.resets == 0 {
            return None;
        }
        let stream = lock(&self.connection.abandoned).streams.pop_front()?;
        self.resets -= 1;
        Some(stream)
    }

    fn ping(&mut self) -> bool {
        let free = !self.pulse.is_asking();
        let sent =
            free && self.ping_pong.as_mut().is_some_and(|pings| pings.send_ping(Ping::opaque()).is_ok());
        if sent {
            self.pulse.pinged(Instant::now());
        }
        sent
    }

    /// Whether a PING was sent; `None` when the peer is gone.
    fn keep_alive(&mut self, cx: &mut Context<'_>) -> Option<bool> {
        loop {
            let view = self.view();
            let beat = self.pulse.beat(view);
            self.connection.set_silent(self.pulse.is_silent(view));
            match beat {
                Beat::Rest => return Some(false),
                Beat::Ping => return Some(self.ping()),
                Beat::Dead => return None,
                Beat::Wait(until) => {
                    // While calls come and go the timer is not moved: it looks again when it fires.
                    if self.timer.deadline() > until || self.timer.is_elapsed() {
                        self.timer.as_mut().reset(until);
                    }
                    if self.timer.as_mut().poll(cx).is_pending() {
                        return Some(false);
                    }
                }
            }
        }
    }

    fn view(&self) -> View {
        View {
            now: Instant::now(),
            received_at: self.wire.received_at(),
            owes: self.connection.in_flight() > 0,
            answers: self.connection.answers.load(Ordering::Relaxed),
        }
    }
}

impl Future for Driver {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        self.connection.driver.register(cx.waker());
        self.turn(cx)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.connection.end();
    }
}
