//! Active health: what an endpoint says of itself by `Watch` of `grpc.health.v1` (gRFC A17).
//!
//! Each worker watches the endpoints that it calls, on a connection that carries its calls, so that what
//! is known is known of the very way that calls take. Whether an endpoint is reachable is not decided
//! here, nor what becomes of the calls when few are healthy.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::Message as _;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::{Endpoint, Seat};
use crate::rpc::{Attempt, Call, CallPolicy, Code, Frame, Kind, Message, Messages, Method, Origin, Status};
use crate::upstream::backoff::{Backoff, Curve};
use crate::upstream::connection::Connection;
use crate::upstream::dispatch::Patience;
use crate::upstream::failure;
use crate::upstream::grpc::{self, Outgoing, Request};
use crate::upstream::lane::Sort;
use crate::upstream::spec::Spec;

const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// The largest answer, in bytes; a real one has two.
const ANSWER: usize = 1024;

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct CheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct CheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `HealthCheckResponse.ServingStatus.SERVING`; every other number takes no calls.
const SERVING: i32 = 1;

/// What is known of an endpoint's health, and the task that asks.
#[derive(Debug)]
pub struct Health {
    serving: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
}

impl Health {
    /// Healthy without being asked, or unknown, which counts as unhealthy, until the first answer.
    pub fn new(is_asked: bool) -> Self {
        Self { serving: AtomicBool::new(!is_asked), task: Mutex::default() }
    }

    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }

    /// Starts to ask. Must be called within the worker's runtime.
    pub fn start(&self, endpoint: &Arc<Endpoint>) {
        let asked = endpoint.around.health.subscribe();
        let task = tokio::spawn(keep(Arc::downgrade(endpoint), asked)).abort_handle();
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Asks no more: an open `Watch` would keep its connection.
    pub fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Asks about the service that the configuration names, if it names one, from one change of it to the
/// next.
async fn keep(endpoint: Weak<Endpoint>, mut asked: watch::Receiver<Option<Arc<str>>>) {
    loop {
        let service = asked.borrow_and_update().clone();
        let Some(strong) = endpoint.upgrade() else { return };
        strong.health.serving.store(service.is_none(), Ordering::Relaxed);
        // Without a service only a change is waited for, which must not keep the endpoint.
        let watched = service.map(|service| (strong, service));
        tokio::select! {
            () = follow(watched) => return,
            changed = asked.changed() => if changed.is_err() { return },
        }
    }
}

/// Watches on one connection after the other; after a failure at the pace of the backoff.
async fn follow(watched: Option<(Arc<Endpoint>, Arc<str>)>) {
    let Some((endpoint, service)) = watched else { return std::future::pending().await };
    let mut backoff = Backoff::new(Curve::HEALTH);
    loop {
        let seat = endpoint.health_seat().await;
        let connection = seat.slot.connection().clone();
        let end = tokio::select! {
            end = endpoint.watch(seat, &service, &mut backoff) => end,
            // It drains, and our stream must not be what it waits for.
            () = endpoint.closed(&connection) => continue,
        };
        match end.code {
            _ if !connection.is_open() => {}
            // A17: who knows no health checks is healthy as long as it is connected.
            Code::Unimplemented => {
                endpoint.learn(true, "it has no health service");
                endpoint.closed(&connection).await;
            }
            _ => {
                endpoint.learn(false, &end.message);
                sleep(backoff.delay(&endpoint.around.random)).await;
            }
        }
    }
}

impl Endpoint {
    /// A slot that does not count as a call; waits until there is one.
    async fn health_seat(self: &Arc<Self>) -> Seat {
        loop {
            let changed = self.around.changed.notified();
            if let Some(slot) = self.lane(Sort::Unary).offer(0).slot {
                return Seat { slot, endpoint: self.clone(), counted: false };
            }
            // What was known was known of a process that may be gone.
            if !self.is_ready() {
                self.health.serving.store(false, Ordering::Relaxed);
            }
            changed.await;
        }
    }

    /// Waits until a connection takes no more calls.
    async fn closed(&self, connection: &Connection) {
        let mut lost = self.around.lost.subscribe();
        while connection.is_open() {
            // The sender lives as long as we do.
            let _ = lost.changed().await;
        }
    }

    /// Takes over what the endpoint says until it says no more; why it does not.
    async fn watch(&self, seat: Seat, service: &str, backoff: &mut Backoff) -> Status {
        let (request, outgoing) = match question(&self.around.spec.load(), service) {
            Ok(question) => question,
            Err(status) => return status,
        };
        // The later answers come when something changes.
        let first = self.around.spec.load().timers.health;
        let patience = Patience { per_attempt: Some(first), leaves_silence: false };
        let answer = match grpc::send(seat, &request, &outgoing, patience).await {
            Ok(answer) => answer,
            Err(failure) => return failure.status,
        };
        let mut frames = answer.into_reply(&request).frames;
        let Ok(mut next) = timeout(first, frames.next()).await else { return failure::deadline_exceeded() };
        while let Some(Ok(Frame::Message(message))) = &next {
            match CheckResponse::decode(message.bytes.clone()) {
                Ok(said) if !message.compressed => self.heard(said),
                _ => return bad_answer("the health service's answer cannot be read"),
            }
            backoff.reset();
            next = frames.next().await;
        }
        match next {
            Some(Err(status)) => status,
            _ => bad_answer("the health service has ended its answers"),
        }
    }

    fn heard(&self, said: CheckResponse) {
        let word = match said.status {
            0 => "UNKNOWN",
            SERVING => "SERVING",
            2 => "NOT_SERVING",
            3 => "SERVICE_UNKNOWN",
            _ => "a status of a later version",
        };
        self.learn(said.status == SERVING, word);
    }

    fn learn(&self, serving: bool, why: &str) {
        let before = self.health.serving.swap(serving, Ordering::Relaxed);
        match (before, serving) {
            (false, true) => tracing::info!(endpoint = %self.target.place, "healthy: {why}"),
            (true, false) => tracing::warn!(endpoint = %self.target.place, "not healthy: {why}"),
            _ => tracing::debug!(endpoint = %self.target.place, serving, "health: {why}"),
        }
        self.around.changed.notify_waiters();
    }
}

fn question(spec: &Spec, service: &str) -> Result<(Request, Outgoing), Status> {
    let method = Method::new(WATCH).map_err(|error| {
        Status::new(Code::Internal, Origin::Gateway, "BAD_METHOD_PATH", error.to_string())
    })?;
    let message = Message::from(Bytes::from(CheckRequest { service: service.to_owned() }.encode_to_vec()));
    let call = Call {
        method,
        kind: Kind::ServerStreaming,
        idempotent: true,
        affinity: None,
        policy: Arc::new(CallPolicy { message_limit: ANSWER, ..CallPolicy::new(spec.name.clone()) }),
        metadata: spec.metadata.clone(),
        deadline: None,
        encoding: None,
        accept_encoding: None,
        messages: Messages::One(message.clone()),
        attempt: Attempt::default(),
    };
    Ok((Request::part(call).0, Outgoing::One(message)))
}

fn bad_answer(message: &'static str) -> Status {
    Status::new(Code::Internal, Origin::Upstream, "UPSTREAM_HEALTH_ANSWER", message)
}
