//! The few lines that the rest exists for: a request becomes a call, the call is made, its reply becomes
//! a response.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tower::Service;

use crate::middleware::expiry;
use crate::middleware::routed::{Routed, Writes};
use crate::protocol::body::Received;
use crate::protocol::{Adapter, Body, Client, Outcome, Target, websocket};
use crate::route::Captures;
use crate::rpc::{Call, Caller, Status};
use crate::telemetry::guard::Draining;
use crate::upstream::Pool;

use super::resume;

/// A request that a call is to be made for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) target: Arc<Target>,
    /// Of the path; none where the path is the method's own.
    pub(super) captures: Option<Captures>,
    pub(super) asked: Asked,
    pub(super) body: Received<AxumBody>,
}

/// What is wanted of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Answer,
    /// Its head only.
    Head,
}

/// What the route ring stands around: it makes the call.
#[derive(Clone)]
pub(super) struct Exchange {
    pool: Pool,
}

impl Exchange {
    /// Calls go by this pool.
    pub(super) const fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

impl Service<Routed<Found>> for Exchange {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Routed<Found>) -> Self::Future {
        let pool = self.pool.clone();
        Box::pin(async move {
            let refusal = request.refusal.clone();
            // A call that failed is an answer too: the layers around see its head.
            Ok(answer(request, pool).await.unwrap_or_else(|status| refusal.answer(&status)))
        })
    }
}

async fn answer(request: Routed<Found>, pool: Pool) -> Result<Response<Body>, Status> {
    let (client, outcome) = (request.client(), Arc::clone(request.outcome()));
    let (head, writes, Found { target, captures, asked, body }) = request.pass();
    let captures: Vec<&str> = captures.iter().flat_map(Captures::iter).collect();
    if client == Client::WebSocket {
        return upgrade(head, &captures, target, writes, outcome, pool);
    }
    // A stream's headers are known without calling anybody.
    if asked == Asked::Head
        && let Some(response) = Adapter::choose(client, &head, &target)?.headers_only()
    {
        return Ok(response);
    }
    exchange(client, (head, body), &captures, target, writes, outcome, pool).await
}

/// Serves a call.
///
/// # Errors
/// What went wrong before the status line went out.
async fn exchange<B>(
    client: Client,
    (head, body): (Parts, B),
    captures: &[&str],
    target: Arc<Target>,
    writes: Writes,
    outcome: Arc<Outcome>,
    caller: impl Caller,
) -> Result<Response<Body>, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display> + Send + 'static,
{
    let target = match client {
        Client::Rest | Client::EventSource | Client::WebSocket => {
            target.selecting(head.uri.query().unwrap_or_default())?
        }
        Client::Grpc => target,
    };
    let adapter = Adapter::choose(client, &head, &target)?;
    if let Some(response) = adapter.stop(&head) {
        outcome.succeed();
        return Ok(response);
    }
    let draining = head.extensions.get().cloned().unwrap_or_else(Draining::never);
    let mut call = adapter.decode(head, captures, body, &target, &outcome).await?;
    prepare(&mut call, &writes, &target);
    let expiry = writes.expiry(call.kind);
    let reply = expiry::limit(resume::send(caller, call, &target), expiry);
    adapter.encode(reply, target, outcome, draining).await
}

/// Turns the metadata of a client into those of its call, and finds out what it belongs together with. Edits
/// come last: they are what the nearest level says.
fn prepare(call: &mut Call, writes: &Writes, target: &Target) {
    writes.identify(&mut call.metadata);
    target.set_metadata(&mut call.metadata);
    writes.edit(&mut call.metadata);
    call.affinity = call.affinity.or_else(|| target.affinity(call));
}

/// Opens a WebSocket; its call is made there.
///
/// # Errors
/// What went wrong before the upgrade.
fn upgrade(
    head: Parts,
    captures: &[&str],
    target: Arc<Target>,
    writes: Writes,
    outcome: Arc<Outcome>,
    caller: impl Caller,
) -> Result<Response<Body>, Status> {
    let target = target.selecting(head.uri.query().unwrap_or_default())?;
    websocket::upgrade(head, captures, Arc::clone(&target), outcome, move |mut call| {
        prepare(&mut call, &writes, &target);
        let expiry = writes.expiry(call.kind);
        expiry::limit(resume::send(caller, call, &target), expiry)
    })
}
