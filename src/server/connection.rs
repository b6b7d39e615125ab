//! Serves one connection: tells which HTTP it speaks, runs hyper with every limit set, and ends it when
//! its time is up or the process drains.
//!
//! hyper-util's automatic builder would wait for ever for the bytes that tell the protocol, so that is
//! done here. What a request may contain is [`super::admit`]'s, what is overdue [`super::activity`]'s.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::activity::{Activity, Overdue, Version};
use super::front::Front;
use super::limits::Limits;
use super::socket::{Socket, Watched};
use super::worker::Slot;
use crate::telemetry::guard::Draining;

/// What a client of HTTP/2 sends first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves a connection until its end.
pub(super) async fn serve(mut socket: Socket, front: Front, limits: Arc<Limits>, slot: Slot) {
    let draining = front.draining().clone();
    let Some((version, first)) = Box::pin(detect(&mut socket, &limits, &draining)).await else { return };
    let activity = Activity::new(version);
    let io = TokioIo::new(Watched::new(socket, first, Arc::clone(&activity), slot));
    let front = front.on(Arc::clone(&activity));
    // Boxed by version: a future is as large as its largest branch, and HTTP/1.1 is the small one.
    match version {
        Version::Http1 => {
            let connection = http1(&limits).serve_connection(io, front).with_upgrades();
            Box::pin(run(connection, &activity, &limits, &draining)).await;
        }
        Version::Http2 => {
            let connection = http2(&limits).serve_connection(io, front);
            Box::pin(run(connection, &activity, &limits, &draining)).await;
        }
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The timer is ours; the parser's limit on header lines is 100 unless set, and faster unset.
    builder.header_read_timeout(None);
    // Heads up to twice the limit are read, so that the refusal can say what is wrong.
    builder.max_header_size(limits.head as usize * 2);
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        // WebSocket over HTTP/2 (RFC 8441 §3).
        .enable_connect_protocol()
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.pong)
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_header_list_size(limits.head)
        .max_send_buf_size(limits.send_buffer)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_local_error_reset_streams(limits.local_resets);
    builder
}

/// Reads the first bytes: HTTP/2's preface or anything else. `None` when none came in time.
async fn detect(
    socket: &mut (impl AsyncRead + Unpin),
    limits: &Limits,
    draining: &Draining,
) -> Option<(Version, Bytes)> {
    let mut first = [0; PREFACE.len()];
    let mut length = 0;
    let reading = async {
        loop {
            let read = socket.read(first.get_mut(length..)?).await.ok().filter(|read| *read > 0)?;
            length += read;
            let seen = first.get(..length)?;
            if seen == PREFACE {
                return Some((Version::Http2, Bytes::copy_from_slice(seen)));
            }
            if !PREFACE.starts_with(seen) {
                return Some((Version::Http1, Bytes::copy_from_slice(seen)));
            }
        }
    };
    let hurried = async {
        draining.drained().await;
        tokio::time::sleep(limits.first_bytes_draining).await;
    };
    tokio::select! {
        biased;
        detected = timeout_at(Instant::now() + limits.first_bytes, reading) => detected.ok().flatten(),
        () = hurried => None,
    }
}

/// What hyper's two kinds of connection have in common.
trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no new request, and ends after those that run.
    fn finish(self: Pin<&mut Self>);
}

impl Connection for http1::UpgradeableConnection<TokioIo<Watched>, Front> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl Connection for http2::Connection<TokioIo<Watched>, Front, TokioExecutor> {
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection until it ends, or its time is up.
async fn run(connection: impl Connection, activity: &Activity, limits: &Limits, draining: &Draining) {
    let mut connection = pin!(connection);
    let mut alarm = pin!(sleep_until(Instant::now() + limits.idle_http1));
    let mut drained = pin!(draining.drained());
    let mut finishing = false;
    poll_fn(|cx| {
        loop {
            // First of all, so that a request that came before the drain is still taken.
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return Poll::Ready(());
            }
            let finish = !finishing && drained.as_mut().poll(cx).is_ready();
            match overdue(activity, limits, alarm.as_mut(), cx) {
                Some(Overdue::Idle) if !finishing && activity.version() == Version::Http2 => {}
                Some(why) => {
                    tracing::debug!(?why, "connection closed");
                    activity.close_overdue();
                    return Poll::Ready(());
                }
                None if finish => {}
                None => return Poll::Pending,
            }
            finishing = true;
            connection.as_mut().finish();
        }
    })
    .await;
}

/// What is overdue now; when nothing is, the task will be woken when something may be.
fn overdue(
    activity: &Activity,
    limits: &Limits,
    mut alarm: Pin<&mut tokio::time::Sleep>,
    cx: &mut Context<'_>,
) -> Option<Overdue> {
    loop {
        let (due, why) = activity.due(limits)?;
        if due <= Instant::now() {
            return Some(why);
        }
        // An alarm that rings too early costs less than one that is set anew for every request.
        if due < alarm.deadline() || alarm.is_elapsed() {
            alarm.as_mut().reset(due);
        }
        if alarm.as_mut().poll(cx).is_pending() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests;
