//! An open WebSocket and its call, from the upgrade to the closed socket.
//!
//! One task does everything in turns: it writes what is queued, reads one message ahead of what the upstream
//! has taken, and asks the upstream for the next message when the last has gone. Nothing queues up.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsFrame};

use crate::protocol::bindings::Bindings;
use crate::protocol::invalid::message_too_large;
use crate::protocol::{Outcome, Target};
use crate::rpc::{Code, Message, Metadata, Origin, Status};
use crate::telemetry::Draining;

use super::close::Close;
use super::dialect::{Dialect, Fault, Said};
use super::liveness::{Due, Liveness, Signs};
use super::sides::{Answer, Inbound, Outbound, Start};
use super::socket::Socket;

enum Event {
    Received(WsFrame),
    /// The client's frames are broken.
    Broken(WsError),
    /// The client has left.
    Gone,
    Answered(Answer),
    Failed(Status),
    Due(Due),
    Drain,
}

/// How a session ends: with a last word, or without one when nobody hears it.
type End = Option<Close>;

pub(super) struct Session<T> {
    socket: Socket<T>,
    dialect: Dialect,
    bindings: Bindings,
    /// The message that path and query make alone.
    alone: Bytes,
    target: Arc<Target>,
    outcome: Arc<Outcome>,
    inbound: Inbound,
    outbound: Outbound,
    /// The message of a call with one answer: it counts when the call has ended well.
    answer: Option<WsFrame>,
    /// A message for which the upstream has no room yet, and since when. Nothing is read behind it.
    ahead: Option<(WsFrame, Instant)>,
    liveness: Liveness,
    /// Whether the drain has begun, and the call may still come to its end.
    drains: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Session<T> {
    pub(super) fn new(
        socket: Socket<T>,
        dialect: Dialect,
        bindings: Bindings,
        alone: Bytes,
        start: Start,
        target: Arc<Target>,
        outcome: Arc<Outcome>,
    ) -> Self {
        let liveness = Liveness::new(target.policy.websocket.idle_ping);
        Self {
            socket,
            dialect,
            bindings,
            alone,
            target,
            outcome,
            inbound: Inbound::First(start),
            outbound: Outbound::None,
            answer: None,
            ahead: None,
            liveness,
            drains: false,
        }
    }

    /// Serves the socket to its end.
    pub(super) async fn run(mut self, draining: Draining) {
        let end = self.exchange(&draining).await;
        if self.outcome.code().is_none() {
            self.outcome.fail(&end.as_ref().map_or_else(client_gone, Close::status));
        }
        let Self { socket, outcome, inbound, outbound, .. } = self;
        // First of all: it cancels a call that still runs.
        drop((inbound, outbound));
        let is_told = end.is_some();
        socket.close(end).await;
        if is_told {
            outcome.close();
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

    fn poll(
        &mut self,
        timer: Pin<&mut Sleep>,
        drained: Pin<&mut impl Future<Output = ()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Event> {
        if self.socket.is_sending()
            && let Poll::Ready(Err(_)) = self.socket.poll_sent(cx)
        {
            return Poll::Ready(Event::Gone);
        }
        if let Poll::Ready(event) = self.poll_received(cx) {
            return Poll::Ready(event);
        }
        if !self.socket.is_sending()
            && let Poll::Ready(answer) = self.outbound.poll_next(cx)
        {
            return Poll::Ready(answer.map_or_else(Event::Failed, Event::Answered));
        }
        if !self.drains && drained.poll(cx).is_ready() {
            return Poll::Ready(Event::Drain);
        }
        self.poll_due(timer, cx).map(Event::Due)
    }

    /// The next frame that can be acted on: control frames always, and messages while there is room for them.
    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let has_room = self.inbound.poll_room(cx).is_ready();
        if self.ahead.is_some() {
            return match self.ahead.take_if(|_| has_room) {
                Some((frame, _)) => Poll::Ready(Event::Received(frame)),
                None => Poll::Pending,
            };
        }
        match ready!(self.socket.poll_next(cx)) {
            Some(Ok(frame)) if !has_room && (frame.is_text() || frame.is_binary()) => {
                self.ahead = Some((frame, Instant::now()));
                Poll::Pending
            }
            Some(Ok(frame)) => Poll::Ready(Event::Received(frame)),
            Some(Err(error)) => Poll::Ready(Event::Broken(error)),
            None => Poll::Ready(Event::Gone),
        }
    }

    fn poll_due(&self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            let (at, due) = self.due();
            if at <= Instant::now() {
                return Poll::Ready(due);
            }
            // An alarm that rings too early costs less than one that is set anew for every frame.
            if at < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    fn due(&self) -> (Instant, Due) {
        let unread = self.ahead.as_ref().map(|(_, since)| *since);
        self.liveness.due(Signs { unread, ..self.socket.signs() })
    }

    fn on(&mut self, event: Event) -> ControlFlow<End> {
        match event {
            Event::Received(frame) => self.received(frame),
            Event::Broken(error) => ControlFlow::Break(Close::after(&error)),
            Event::Gone => ControlFlow::Break(None),
            Event::Answered(Answer::Head(metadata)) => match self.dialect.headers(&metadata, &self.target) {
                Ok(Some(frame)) => self.send(frame),
                Ok(None) => ControlFlow::Continue(()),
                Err(status) => self.failed(&status),
            },
            Event::Answered(Answer::Message(message)) => self.reply(&message),
            Event::Answered(Answer::End(trailers)) => self.ended(&trailers),
            Event::Failed(status) => self.failed(&status),
            Event::Due(Due::Ping) => {
                self.liveness.ping();
                self.send(WsFrame::Ping(Bytes::new()))
            }
            Event::Due(Due::Silent) => ControlFlow::Break(Some(Close::NO_PONG)),
            Event::Due(Due::Stalled) => ControlFlow::Break(Some(Close::SLOW)),
            Event::Drain => self.drain(),
        }
    }

    /// Streams end with the drain, as their clients come back; a call with one answer that has begun has
    /// until the end of the drain, like any other.
    fn drain(&mut self) -> ControlFlow<End> {
        self.drains = !self.inbound.is_first() && !self.target.kind.server_streams();
        if self.drains { ControlFlow::Continue(()) } else { ControlFlow::Break(Some(Close::DRAIN)) }
    }

    fn received(&mut self, frame: WsFrame) -> ControlFlow<End> {
        match frame {
            WsFrame::Text(_) | WsFrame::Binary(_) => {}
            // What has to be answered has been.
            WsFrame::Ping(_) | WsFrame::Pong(_) | WsFrame::Frame(_) => return ControlFlow::Continue(()),
            WsFrame::Close(_) => return ControlFlow::Break(None),
        }
        let raw = self.target.request.takes_raw_body();
        match self.dialect.read(frame, raw) {
            Ok(said) => match self.said(said) {
                Ok(flow) => flow,
                Err(status) => self.failed(&status),
            },
            Err(Fault::Frame(close)) => ControlFlow::Break(Some(close)),
            Err(Fault::Meaning(status)) => self.failed(&status),
        }
    }

    fn said(&mut self, said: Said) -> Result<ControlFlow<End>, Status> {
        let first = self.inbound.is_first();
        let message = match said {
            Said::End if first => return Ok(self.first(self.alone.clone(), true)),
            Said::End => {
                self.inbound.end();
                return Ok(ControlFlow::Continue(()));
            }
            Said::Encoded(bytes) => self.bind(bytes, first)?,
            Said::Body(body, kind) if first => self.bindings.encode(&self.target, &body, kind)?,
            Said::Body(body, kind) => Bindings::none().encode(&self.target, &body, kind)?,
        };
        self.outcome.message_in();
        if first {
            return Ok(self.first(message, false));
        }
        match self.inbound.put(message) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(_) => Err(one_too_many(&self.target)),
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
        match self.inbound.start(message, self.target.kind.client_streams(), ended) {
            Some(Ok(outbound)) => self.outbound = outbound,
            Some(Err(status)) => return self.failed(&status),
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn reply(&mut self, message: &Message) -> ControlFlow<End> {
        match self.dialect.message(message, &self.target) {
            Ok(frame) if self.target.kind.server_streams() => self.send_message(frame),
            Ok(frame) => match self.answer.replace(frame) {
                None => ControlFlow::Continue(()),
                Some(_) => self.failed(&one_answer_too_many()),
            },
            Err(status) => self.failed(&status),
        }
    }

    fn ended(&mut self, trailers: &Metadata) -> ControlFlow<End> {
        if !self.target.kind.server_streams() {
            match self.answer.take() {
                Some(frame) => self.send_message(frame)?,
                None => return self.failed(&no_message()),
            }
        }
        self.outcome.succeed();
        self.trailers(trailers)?;
        self.finish(None, Close::NORMAL)
    }

    fn send_message(&mut self, frame: WsFrame) -> ControlFlow<End> {
        self.outcome.message_out();
        self.send(frame)
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
        match self.socket.send(frame) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(None),
        }
    }
}

fn client_gone() -> Status {
    Status::new(Code::Cancelled, Origin::Client, "CLIENT_GONE", "the client has left")
}

fn one_too_many(target: &Target) -> Status {
    let message = format!("{} takes no more messages", target.method_name);
    Status::invalid("REQUEST_CARDINALITY", message)
}

fn one_answer_too_many() -> Status {
    Status::bad_upstream("UPSTREAM_MESSAGES", "the upstream sent more than the one message of its method")
}

fn no_message() -> Status {
    Status::bad_upstream(
        "UPSTREAM_MESSAGE_MISSING",
        "the upstream ended the call well, but without a message",
    )
}

#[cfg(test)]
mod tests;
