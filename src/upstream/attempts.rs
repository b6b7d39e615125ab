//! The attempts at one call: to the best endpoint, and after a failure perhaps to the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::channel::{Ask, Channel};
use super::endpoint::Endpoint;
use super::grpc::{self, Answer, Outgoing, Request};
use super::lane::Sort;
use super::retry::{Attempts, Next, REPLAY};
use super::timer;
use crate::rpc::{Messages, Retry, Status};
use crate::upstream::grpc::Upload;

/// How long an attempt waits for the head of an answer, beside the deadline of the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    pub per_attempt: Option<Duration>,
    /// Whether it leaves a peer that has fallen silent.
    pub leaves_silence: bool,
}

/// Sends a call until there is an answer, or an error that is not worth another attempt.
pub async fn send(channel: &Channel, request: &Request, messages: Messages) -> Result<Answer, Status> {
    let outgoing = match messages {
        Messages::One(message) => Outgoing::One(message),
        Messages::Stream(source) => Outgoing::Stream(Upload::new(source)),
    };
    let policy = request.policy.retry.as_ref().filter(|_| request.idempotent && is_small(&outgoing));
    let ask = Ask { sort: Sort::of(request.kind), affinity: request.affinity };
    let mut attempts = Attempts::new(policy);
    let mut tried: Vec<Arc<Endpoint>> = Vec::new();
    let mut last = None;
    loop {
        let seat = match (channel.seat(ask, &tried).await, last.take()) {
            (Ok(seat), _) => seat,
            // What an upstream said tells more than that nobody is left to ask.
            (Err(_), Some(last)) => return Err(last),
            (Err(status), None) => return Err(status),
        };
        let (endpoint, connection) = (seat.endpoint.clone(), seat.slot.connection().clone());
        let patience = patience(policy, attempts.may_repeat() && channel.is_ready_beside(&endpoint));
        let failure = match grpc::send(seat, request, &outgoing, attempts.made(), patience).await {
            Ok(answer) => {
                channel.throttle().succeeded();
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        endpoint.note(failure.counts());
        let next = if outgoing.can_repeat() {
            let paid_for = policy.is_some() && failure.of_connection && !connection.takes_blame();
            attempts.failed(&failure, !paid_for, channel.throttle(), channel.random())
        } else {
            Next::Fail
        };
        match next {
            Next::Now => {}
            Next::After(delay) if timer::allows(request.deadline, delay) => sleep(delay).await,
            Next::After(_) | Next::Fail => return Err(failure.status),
        }
        tried.push(endpoint);
        last = Some(failure.status);
    }
}

fn is_small(outgoing: &Outgoing) -> bool {
    matches!(outgoing, Outgoing::One(message) if message.bytes.len() <= REPLAY)
}

fn patience(policy: Option<&Retry>, leaves_silence: bool) -> Patience {
    Patience { per_attempt: policy.and_then(|policy| policy.per_attempt), leaves_silence }
}
