//! The few lines that the rest exists for: a request becomes a call, the call is made, its reply becomes
//! a response.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::middleware::access::Admitted;
use crate::protocol::{Adapter, Body, Client, Outcome, Target, websocket};
use crate::rpc::{Caller, Status};
use crate::telemetry::guard::Draining;

use super::resume;

/// Serves a call.
///
/// # Errors
/// What went wrong before the status line went out.
pub(super) async fn exchange<B>(
    client: Client,
    (head, body): (Parts, B),
    captures: &[&str],
    target: Arc<Target>,
    admitted: Admitted,
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
    admitted.apply(&mut call.metadata);
    target.set_metadata(&mut call.metadata);
    let reply = resume::send(caller, call, &target);
    adapter.encode(reply, target, outcome, draining).await
}

/// Opens a WebSocket; its call is made there.
///
/// # Errors
/// What went wrong before the upgrade.
pub(super) fn upgrade(
    head: Parts,
    captures: &[&str],
    target: Arc<Target>,
    admitted: Admitted,
    outcome: Arc<Outcome>,
    caller: impl Caller,
) -> Result<Response<Body>, Status> {
    let target = target.selecting(head.uri.query().unwrap_or_default())?;
    websocket::upgrade(head, captures, Arc::clone(&target), outcome, move |mut call| {
        admitted.apply(&mut call.metadata);
        target.set_metadata(&mut call.metadata);
        resume::send(caller, call, &target)
    })
}
