//! One call to a scripted upstream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::sync::{mpsc, watch};
use transom::rpc::envelope::{self, Decoder};
use transom::rpc::{Message, trailers};

use super::{Command, Ended, Seen, State};
use crate::support::script::{Step, headers, response};

/// Records a call and plays its script.
pub(super) async fn run(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    connection: usize,
    state: Arc<State>,
) {
    let (head, body) = request.into_parts();
    let seen = Arc::new(Seen {
        path: head.uri.path().to_owned(),
        authority: head.uri.authority().map(ToString::to_string).unwrap_or_default(),
        headers: head.headers,
        connection,
        messages: Mutex::default(),
        ended: watch::Sender::new(None),
    });
    let script = (state.scripts)(&seen);
    let (arrived, messages) = mpsc::unbounded_channel();
    let is_deaf = script.steps.iter().any(|step| matches!(step, Step::Deaf));
    // Held, and so neither read nor dropped.
    let _unread = if is_deaf {
        Some((body, arrived))
    } else {
        tokio::spawn(read(body, seen.clone(), arrived));
        None
    };
    state.seen.send_modify(|calls| calls.push(seen.clone()));
    let mut player = Player { respond, body: None, seen: seen.clone(), messages, state };
    let mut steps = VecDeque::from(script.steps);
    while let Some(step) = steps.pop_front() {
        let choice = if let Step::Asked(choice) = &step { Some(choice.clone()) } else { None };
        if player.play(step).await.is_none() {
            break;
        }
        for step in choice.into_iter().flat_map(|choice| (choice.0)(&seen).steps).rev() {
            steps.push_front(step);
        }
    }
}

/// Reads the client's messages as they arrive.
async fn read(mut body: RecvStream, seen: Arc<Seen>, arrived: mpsc::UnboundedSender<Message>) {
    let mut decoder = Decoder::new(usize::MAX);
    let ended = loop {
        match body.data().await {
            Some(Ok(bytes)) => {
                // Released only once the task above no longer needs it; a closed stream needs no room.
                let _ = body.flow_control().release_capacity(bytes.len());
                decoder.push(bytes);
                while let Some(message) = decoder.take().expect("the client frames its messages") {
                    seen.messages.lock().unwrap().push(message.bytes.clone());
                    // The script may have ended.
                    let _ = arrived.send(message);
                }
            }
            None => break Ended::Well,
            Some(Err(error)) => break of_error(&error),
        }
    };
    // A reset that is seen by the sending half is never overwritten.
    seen.ended.send_if_modified(|known| {
        let new = !matches!(known, Some(Ended::Reset(_)));
        if new {
            *known = Some(ended);
        }
        new
    });
}

fn of_error(error: &h2::Error) -> Ended {
    if error.is_reset() { Ended::Reset(error.reason().unwrap()) } else { Ended::Broken }
}

struct Player {
    respond: SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
    seen: Arc<Seen>,
    messages: mpsc::UnboundedReceiver<Message>,
    state: Arc<State>,
}

impl Player {
    /// Plays a step; `None` when the call is over.
    async fn play(&mut self, step: Step) -> Option<()> {
        match step {
            Step::Sleep(time) => self.unless_reset(tokio::time::sleep(time)).await,
            Step::Request | Step::Asked(_) => {
                let mut ended = self.seen.ended.subscribe();
                self.unless_reset(async move { drop(ended.wait_for(Option::is_some).await) }).await
            }
            Step::Head(status, headers) => {
                self.body = self.respond.send_response(response(status, headers), false).ok();
                self.body.as_ref().map(|_| ())
            }
            Step::Data(bytes) => self.send(bytes).await,
            Step::Echo => self.echo().await,
            Step::Trailers(trailers) => self.finish(trailers),
            Step::End => self.body.as_mut()?.send_data(Bytes::new(), true).ok(),
            Step::Reset(reason) => {
                self.respond.send_reset(reason);
                None
            }
            Step::GoAway => self.command(Command::GoAway),
            Step::Abort(reason) => self.command(Command::Abort(reason)),
            Step::HangUp => self.command(Command::HangUp),
            Step::Deaf => Some(()),
            Step::Stall => self.unless_reset(std::future::pending()).await,
        }
    }

    fn command(&self, command: Command) -> Option<()> {
        self.state.command.send(command).ok().map(drop)
    }

    fn finish(&mut self, trailers: HeaderMap) -> Option<()> {
        if let Some(body) = &mut self.body {
            return body.send_trailers(trailers).ok();
        }
        let mut head = headers(&[("content-type", "application/grpc")]);
        head.extend(trailers);
        debug_assert!(head.contains_key(trailers::GRPC_STATUS) || head.len() == 1);
        self.respond.send_response(response(200, head), true).ok().map(drop)
    }

    async fn echo(&mut self) -> Option<()> {
        loop {
            let messages = &mut self.messages;
            let body = self.body.as_mut()?;
            let next = tokio::select! {
                biased;
                reason = poll_fn(|cx| body.poll_reset(cx)) => return self.note(reason),
                next = messages.recv() => next,
            };
            match next {
                Some(message) => self.send(envelope::encode(&message)).await?,
                None => return Some(()),
            }
        }
    }

    /// Sends bytes as the client's window allows.
    async fn send(&mut self, mut bytes: Bytes) -> Option<()> {
        let body = self.body.as_mut()?;
        if bytes.is_empty() {
            return body.send_data(bytes, false).ok();
        }
        while !bytes.is_empty() {
            body.reserve_capacity(bytes.len());
            let Some(Ok(capacity)) = poll_fn(|cx| body.poll_capacity(cx)).await else {
                let reason = poll_fn(|cx| body.poll_reset(cx)).await;
                return self.note(reason);
            };
            body.send_data(bytes.split_to(capacity.min(bytes.len())), false).ok()?;
        }
        Some(())
    }

    /// Waits, but not longer than the client does.
    async fn unless_reset(&mut self, wait: impl Future<Output = ()>) -> Option<()> {
        let (respond, body) = (&mut self.respond, &mut self.body);
        let reset = poll_fn(|cx| match body.as_mut() {
            Some(body) => body.poll_reset(cx),
            None => respond.poll_reset(cx),
        });
        tokio::select! {
            biased;
            reason = reset => self.note(reason),
            () = wait => Some(()),
        }
    }

    fn note(&self, reason: Result<Reason, h2::Error>) -> Option<()> {
        self.seen.ended.send_replace(Some(reason.map_or(Ended::Broken, Ended::Reset)));
        None
    }
}
