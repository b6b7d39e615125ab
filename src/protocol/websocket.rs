//! WebSocket (RFC 6455), over HTTP/1.1 or HTTP/2 (RFC 8441): calls of all four kinds on any route.
//!
//! Here a request becomes an upgrade or a real HTTP answer ([`handshake`]); what frames mean is
//! [`dialect`]'s, what happens on the open socket [`session`]'s. How routes are found and who may call
//! them is not known here.

mod close;
mod dialect;
mod handshake;
mod liveness;
mod relay;
mod session;
mod sides;
mod socket;
mod wire;

use std::sync::Arc;

use http::Response;
use http::header::HeaderMap;
use http::request::Parts as Head;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::rpc::{Call, Code, Messages, Metadata, Origin, Status};
use crate::telemetry::Draining;
use crate::telemetry::guard::Handover;

use super::bindings::Bindings;
use super::stream_body::PendingReply;
use super::{Body, Outcome, Target, event_id, head, headers};

use dialect::Dialect;
pub use handshake::{admit_origin, is_handshake, method_override, methods, take_cookie, take_token};
use session::Session;
use sides::Start;
use socket::Socket;
use wire::Wire;

/// Answers with the upgrade; the call goes on in a task of its own.
///
/// # Errors
/// What is wrong with the handshake or with the parameters, while there is an HTTP status to say so.
pub fn upgrade(
    mut head: Head,
    captures: &[&str],
    target: Arc<Target>,
    outcome: Arc<Outcome>,
    call: impl FnOnce(Call) -> PendingReply + Send + 'static,
) -> Result<Response<Body>, Status> {
    let upgrade = head.extensions.remove::<OnUpgrade>().ok_or_else(no_upgrade)?;
    let draining = head.extensions.remove::<Draining>().unwrap_or_else(Draining::never);
    let mut response = handshake::answer(&head)?;
    let (dialect, echo) = Dialect::choose(&head.headers);
    if let Some(echo) = echo {
        response.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, echo);
    }
    let after = event_id::after(&head, &target)?;
    let bindings = bindings(captures, head.uri.query().unwrap_or_default(), after);
    let alone = bindings.encode(&target, &[], "")?;
    let metadata = headers::from_rest(&head, &target.policy.metadata)?;
    let start = starter(head.headers, metadata, Arc::clone(&target), call);
    let handover = Handover::default();
    response.extensions_mut().insert(handover.clone());
    tokio::spawn(async move {
        // Whoever fails to upgrade has left.
        let Ok(upgraded) = upgrade.await else { return };
        let wire = Wire::new(TokioIo::new(upgraded), Arc::clone(&outcome));
        let limits = &target.policy.websocket;
        let socket = Socket::open(wire, limits.message_limit, limits.frame_limit).await;
        let session = Session::new(socket, dialect, bindings, alone, start, target, outcome);
        Box::new(session).run(draining).await;
        drop(handover);
    });
    Ok(response)
}

fn starter(
    headers: HeaderMap,
    metadata: Metadata,
    target: Arc<Target>,
    call: impl FnOnce(Call) -> PendingReply + Send + 'static,
) -> Start {
    Box::new(move |messages: Messages| Ok(call(head::call(&headers, &target, metadata, messages)?)))
}

/// What path and query say; `?method=` is no parameter of the call.
fn bindings(captures: &[&str], query: &str, after: Vec<u8>) -> Bindings {
    if method_override(query).is_none() {
        return Bindings::new(captures, query, after);
    }
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("method=")).collect();
    Bindings::new(captures, &kept.join("&"), after)
}

fn no_upgrade() -> Status {
    let message = "this connection cannot become a WebSocket";
    Status::new(Code::Unimplemented, Origin::Gateway, "NO_UPGRADE", message)
}
