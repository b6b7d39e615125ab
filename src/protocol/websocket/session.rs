//! An open WebSocket and its call, from the upgrade to the closed socket.
//!
//! One task does everything in turns: it writes what is queued, reads while the upstream takes what was
//! read, and asks the upstream for the next message when the last has gone. Nothing queues up.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsFrame};

use crate::protocol::bindings::Bindings;
use crate::protocol::invalid::message_too_large;
use crate::protocol::stream_body::PendingReply;
use crate::protocol::{Outcome, Target};
use crate::rpc::{Code, Frame, Message, Messages, Metadata, Origin, Reply, ReplyStream, Status};
use crate::telemetry::Draining;

use super::close::Close;
use super::dialect::{Dialect, Said};
use super::relay::{Sender, relay};

/// Makes the call.
pub(super) type Start = Box<dyn FnOnce(Messages) -> Result<PendingReply, Status> + Send>;

/// How long what is written may wait for a client that does not read.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// How long a client has to answer a close frame.
const CLOSING: Duration = Duration::from_secs(5);

/// The client's side of the call.
enum Inbound {
    /// The first message is to come.
    First(Start),
    /// Any number of messages.
    Open(Sender),
    /// There is nothing more to say.
    Ended,
}

/// The upstream's side of the call.
enum Outbound {
    /// There is no call yet, or no longer.
    None,
    Calling(PendingReply),
    Open(ReplyStream),
}

enum Event {
    Received(Result<WsFrame, WsError>),
    /// The client has left.
    Gone,
    Opened(Reply),
    Replied(Frame),
    Failed(Status),
    Due(Due),
    Drain,
}

/// What a timer is for.
#[derive(Clone, Copy)]
enum Due {
    Ping,
    Pong,
    Stalled,
}

/// How a session ends: with a last word, or without one when nobody hears it.
type End = Option<Close>;

pub(super) struct Session {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    dialect: Dialect,
    bindings: Bindings,
    /// The message that path and query make alone.
    alone: Bytes,
    target: Arc<Target>,
    outcome: Arc<Outcome>,
    inbound: Inbound,
    outbound: Outbound,
    /// Whether messages have come for the client: a unary call needs one.
    replied: bool,
    /// Since when something waits to be written.
    unsent: Option<Instant>,
    /// When the client last gave a sign of life.
    heard: Instant,
    pinged: bool,
}

impl Session {
    pub(super) fn new(
        socket: WebSocketStream<TokioIo<Upgraded>>,
        dialect: Dialect,
        bindings: Bindings,
        alone: Bytes,
        start: Start,
        target: Arc<Target>,
        outcome: Arc<Outcome>,
    ) -> Self {
        Self {
            socket,
            dialect,
            bindings,
            alone,
            target,
            outcome,
            inbound: Inbound::First(start),
            outbound: Outbound::None,
            replied: false,
            unsent: None,
            heard: Instant::now(),
            pinged: false,
        }
    }

    /// Serves the socket to its end.
    pub(super) async fn run(mut self, draining: Draining) {
        let end = self.exchange(&draining).await;
        if let (Some(close), None) = (&end, self.outcome.code()) {
            let code = close.status_code();
            self.outcome.fail(&Status::new(code, Origin::Client, close.name(), close.reason().to_owned()));
        } else if self.outcome.code().is_none() {
            let gone = Status::new(Code::Cancelled, Origin::Client, "CLIENT_GONE", "the client has left");
            self.outcome.fail(&gone);
        }
        // First of all: it cancels a call that still runs.
        self.outbound = Outbound::None;
        self.inbound = Inbound::Ended;
        if let Some(close) = end {
            drop(timeout(CLOSING, self.close(&close)).await);
        } else {
            drop(timeout(CLOSING, self.socket.flush()).await);
        }
    }

    async fn exchange(&mut self, draining: &Draining) -> End {
        let mut drained = pin!(draining.drained());
        let mut timer = pin!(sleep_until(self.due().0));
        if !self.target.request.takes_body() && !self.target.kind.client_streams() {
            let alone = self.alone.clone();
            if let ControlFlow::Break(end) = self.first(alone, true) {
                return end;
            }
        }
        loop {
            let event = poll_fn(|cx| self.poll(timer.as_mut(), drained.as_mut(), cx)).await;
            if let ControlFlow::Break(end) = self.on(event) {
                return end;
            }
        }
    }

    /// Says the last word, and waits for the client's.
    async fn close(&mut self, close: &Close) {
        let frame = WsFrame::Close(Some(close.frame()));
        if self.socket.send(frame).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
        // The stream of HTTP/2 ends well, and is not reset.
        drop(tokio::io::AsyncWriteExt::shutdown(self.socket.get_mut()).await);
    }

    fn poll(
        &mut self,
        mut timer: Pin<&mut Sleep>,
        drained: Pin<&mut impl Future<Output = ()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Event> {
        if self.unsent.is_some() {
            match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unsent = None,
                Poll::Ready(Err(_)) => return Poll::Ready(Event::Gone),
                Poll::Pending => {}
            }
        }
        if self.has_room(cx)
            && let Poll::Ready(frame) = Pin::new(&mut self.socket).poll_next(cx)
        {
            return Poll::Ready(frame.map_or(Event::Gone, Event::Received));
        }
        if self.unsent.is_none()
            && let Poll::Ready(event) = self.outbound.poll(cx)
        {
            return Poll::Ready(event);
        }
        if drained.poll(cx).is_ready() {
            return Poll::Ready(Event::Drain);
        }
        loop {
            let (at, due) = self.due();
            if at <= Instant::now() {
                return Poll::Ready(Event::Due(due));
            }
            // An alarm that rings too early costs less than one that is set anew for every frame.
            if at < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Whether what is read now would have a place. While it has none, silence is not the client's fault.
    fn has_room(&mut self, cx: &Context<'_>) -> bool {
        let room = match &self.inbound {
            Inbound::Open(sender) => sender.poll_room(cx).is_ready(),
            Inbound::First(_) | Inbound::Ended => true,
        };
        if !room {
            self.heard = Instant::now();
            self.pinged = false;
        }
        room
    }

    fn due(&self) -> (Instant, Due) {
        let silence = self.target.policy.websocket.idle_ping;
        let ping = if self.pinged {
            (self.heard + silence * 2, Due::Pong)
        } else {
            (self.heard + silence, Due::Ping)
        };
        // A ping would only queue up behind what is not read.
        match self.unsent.map(|since| since + WRITE_STALL) {
            Some(stalled) if !self.pinged || stalled < ping.0 => (stalled, Due::Stalled),
            _ => ping,
        }
    }

    fn on(&mut self, event: Event) -> ControlFlow<End> {
        match event {
            Event::Received(Ok(frame)) => {
                self.heard = Instant::now();
                self.pinged = false;
                self.received(frame)
            }
            Event::Received(Err(error)) => ControlFlow::Break(Close::after(&error)),
            Event::Gone => ControlFlow::Break(None),
            Event::Opened(reply) => {
                self.outbound = Outbound::Open(reply.frames);
                match self.dialect.headers(&reply.metadata, &self.target) {
                    Ok(Some(frame)) => self.send(frame),
                    Ok(None) => ControlFlow::Continue(()),
                    Err(status) => self.failed(&status),
                }
            }
            Event::Replied(Frame::Message(message)) => self.reply(&message),
            Event::Replied(Frame::Trailers(trailers)) => self.ended(&trailers),
            Event::Failed(status) => self.failed(&status),
            Event::Due(Due::Ping) => {
                self.pinged = true;
                self.send(WsFrame::Ping(Bytes::new()))
            }
            Event::Due(Due::Pong) => ControlFlow::Break(Some(Close::NO_PONG)),
            Event::Due(Due::Stalled) => ControlFlow::Break(Some(Close::SLOW)),
            Event::Drain => ControlFlow::Break(Some(Close::DRAIN)),
        }
    }

    fn received(&mut self, frame: WsFrame) -> ControlFlow<End> {
        match frame {
            WsFrame::Text(_) | WsFrame::Binary(_) => {}
            // Its answer has been queued.
            WsFrame::Ping(_) => {
                self.unsent.get_or_insert_with(Instant::now);
                return ControlFlow::Continue(());
            }
            WsFrame::Close(_) => return ControlFlow::Break(None),
            WsFrame::Pong(_) | WsFrame::Frame(_) => return ControlFlow::Continue(()),
        }
        let content_type =
            if frame.is_text() { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        let raw = self.target.request.takes_raw_body();
        match self.dialect.read(frame, raw) {
            Ok(said) => match self.said(said, content_type) {
                Ok(flow) => flow,
                Err(status) => self.failed(&status),
            },
            Err(close) => ControlFlow::Break(Some(close)),
        }
    }

    fn said(&mut self, said: Said, content_type: &str) -> Result<ControlFlow<End>, Status> {
        let first = matches!(self.inbound, Inbound::First(_));
        let message = match said {
            Said::End if first => return Ok(self.first(self.alone.clone(), true)),
            Said::End => {
                if let Inbound::Open(sender) = std::mem::replace(&mut self.inbound, Inbound::Ended) {
                    sender.finish();
                }
                return Ok(ControlFlow::Continue(()));
            }
            Said::Encoded(bytes) => self.bind(bytes, first)?,
            Said::Body(body) if first => self.bindings.encode(&self.target, &body, content_type)?,
            Said::Body(body) => Bindings::none().encode(&self.target, &body, content_type)?,
        };
        self.outcome.message_in();
        match &self.inbound {
            Inbound::First(_) => Ok(self.first(message, false)),
            Inbound::Open(sender) => {
                sender.put(message.into());
                Ok(ControlFlow::Continue(()))
            }
            Inbound::Ended => Err(one_too_many(&self.target)),
        }
    }

    /// Fields of path and query behind those of an encoded message: of a field that is there twice the
    /// last counts (protobuf encoding, "Last One Wins").
    fn bind(&self, bytes: Bytes, first: bool) -> Result<Bytes, Status> {
        let bound = if first { &self.alone[..] } else { &[] };
        let limit = self.target.policy.message_limit;
        if bytes.len() + bound.len() > limit {
            return Err(message_too_large(limit));
        }
        Ok(if bound.is_empty() { bytes } else { [&bytes[..], bound].concat().into() })
    }

    /// Makes the call with its first message.
    fn first(&mut self, message: Bytes, ended: bool) -> ControlFlow<End> {
        let Inbound::First(start) = std::mem::replace(&mut self.inbound, Inbound::Ended) else {
            return ControlFlow::Continue(());
        };
        let messages = if self.target.kind.client_streams() {
            let (sender, receiver) = relay();
            sender.put(message.into());
            if ended {
                sender.finish();
            } else {
                self.inbound = Inbound::Open(sender);
            }
            Messages::Stream(Box::pin(receiver))
        } else {
            Messages::One(Message::from(message))
        };
        match start(messages) {
            Ok(reply) => {
                self.outbound = Outbound::Calling(reply);
                ControlFlow::Continue(())
            }
            Err(status) => self.failed(&status),
        }
    }

    fn reply(&mut self, message: &Message) -> ControlFlow<End> {
        match self.dialect.message(message, &self.target) {
            Ok(frame) => {
                self.replied = true;
                self.outcome.message_out();
                self.send(frame)
            }
            Err(status) => self.failed(&status),
        }
    }

    fn ended(&mut self, trailers: &Metadata) -> ControlFlow<End> {
        if !self.replied && !self.target.kind.server_streams() {
            return self.failed(&no_message());
        }
        self.outcome.succeed();
        self.trailers(trailers)?;
        self.finish(None, Close::NORMAL)
    }

    fn failed(&mut self, status: &Status) -> ControlFlow<End> {
        self.outcome.fail(status);
        if let Some(metadata) = status.metadata.as_ref().filter(|_| status.origin == Origin::Upstream) {
            self.trailers(metadata)?;
        }
        self.finish(Some(status), Close::of(status))
    }

    fn trailers(&mut self, metadata: &Metadata) -> ControlFlow<End> {
        match self.dialect.trailers(metadata, &self.target) {
            Ok(Some(frame)) => self.send(frame),
            // What cannot be shown is no reason to keep the end back.
            Ok(None) | Err(_) => ControlFlow::Continue(()),
        }
    }

    fn finish(&mut self, status: Option<&Status>, close: Close) -> ControlFlow<End> {
        if let Some(frame) = self.dialect.status(status, &self.target.codec) {
            self.send(frame)?;
        }
        ControlFlow::Break(Some(close))
    }

    /// Queues a frame; the next message waits until it has gone.
    fn send(&mut self, frame: WsFrame) -> ControlFlow<End> {
        self.unsent.get_or_insert_with(Instant::now);
        match Pin::new(&mut self.socket).start_send(frame) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(None),
        }
    }
}

impl Outbound {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let event = match self {
            Self::None => return Poll::Pending,
            Self::Calling(reply) => match std::task::ready!(reply.as_mut().poll(cx)) {
                Ok(reply) => Event::Opened(reply),
                Err(status) => Event::Failed(status),
            },
            Self::Open(frames) => match std::task::ready!(frames.as_mut().poll_next(cx)) {
                Some(Ok(frame)) => Event::Replied(frame),
                Some(Err(status)) => Event::Failed(status),
                None => Event::Replied(Frame::Trailers(Metadata::new())),
            },
        };
        Poll::Ready(event)
    }
}

fn one_too_many(target: &Target) -> Status {
    let message = format!("{} takes no more messages", target.method_name);
    Status::invalid("REQUEST_CARDINALITY", message)
}

fn no_message() -> Status {
    Status::bad_upstream(
        "UPSTREAM_MESSAGE_MISSING",
        "the upstream ended the call well, but without a message",
    )
}
