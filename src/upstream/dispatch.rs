//! [`Dispatch`]: one attempt at a call, on the best endpoint and its emptiest connection.
//!
//! What certainly no server has looked at is sent again here, at once and elsewhere: that is no further
//! attempt (gRFC A6, "Transparent Retries"). All else is told to whoever asked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tower::Service;

use super::channel::{Ask, Channel};
use super::failure::Cause;
use super::grpc::{self, Outgoing, Request, Upload};
use super::lane::Sort;
use crate::rpc::{Call, Messages, Reply, Status};

/// How often a call that no server has looked at is sent again. A6 allows one; a rolling restart can refuse
/// a call once on each endpoint.
const TRANSPARENT: usize = 3;

/// How long an attempt waits for the head of an answer, beside the deadline of the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    pub per_attempt: Option<Duration>,
    /// Whether it leaves a peer that has fallen silent.
    pub leaves_silence: bool,
}

/// Sends calls to the endpoints of one upstream.
#[derive(Clone)]
pub struct Dispatch {
    channel: Arc<Channel>,
}

impl Dispatch {
    /// Sends to the endpoints of a channel.
    pub const fn new(channel: Arc<Channel>) -> Self {
        Self { channel }
    }
}

impl Service<Call> for Dispatch {
    type Response = Reply;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

    /// Always ready: a call waits for a connection, or is refused, in its own time.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(send(Arc::clone(&self.channel), call))
    }
}

async fn send(channel: Arc<Channel>, call: Call) -> Result<Reply, Status> {
    let (request, messages) = Request::part(call);
    let outgoing = match messages {
        Messages::One(message) => Outgoing::One(message),
        Messages::Stream(source) => Outgoing::Stream(Upload::new(source)),
    };
    let ask = Ask { sort: Sort::of(request.kind), affinity: request.affinity };
    let mut tried = request.attempt.tried.so_far();
    let mut refusal: Option<Status> = None;
    let mut transparent = 0;
    loop {
        let seat = match channel.seat(ask, &tried).await {
            Ok(seat) => seat,
            // What a server said tells more than that nobody is left to ask.
            Err(status) => return Err(refusal.unwrap_or(status)),
        };
        let (endpoint, connection) = (seat.endpoint.clone(), seat.slot.connection().clone());
        request.attempt.tried.add(endpoint.number());
        let patience = Patience {
            per_attempt: request.attempt.time,
            leaves_silence: request.attempt.may_leave && channel.is_ready_beside(&endpoint),
        };
        let mut failure = match grpc::send(seat, &request, &outgoing, patience).await {
            Ok(answer) => return Ok(answer.into_reply(&request)),
            Err(failure) => failure,
        };
        endpoint.note(failure.counts());
        let unseen = failure.cause == Cause::Unprocessed && outgoing.can_repeat();
        if !unseen || transparent == TRANSPARENT {
            // Blame is for a call that fails by it, not for one that is sent again for nothing.
            failure.status.is_paid =
                failure.of_connection && request.attempt.tried.is_shared() && !connection.takes_blame();
            return Err(failure.status);
        }
        transparent += 1;
        tried.push(endpoint.number());
        refusal = Some(failure.status);
    }
}
