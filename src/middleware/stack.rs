//! The rings, in order. Policy is data that a layer reads from the target, never a stack per route.

use std::sync::Arc;

use http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tower::ServiceBuilder;
use tower_http::set_header::{SetResponseHeader, SetResponseHeaderLayer};

use crate::telemetry::access_log::AccessLog;

use super::access::layer::{Authorize, AuthorizeLayer};
use super::access_log::{AccessLogLayer, Logged};
use super::cors::layer::{Share, ShareLayer};
use super::forwarded::{Believe, ForwardedLayer, Trusted};
use super::headers::{EditAnswer, HeadersLayer};
use super::proof::{Proof, ProofLayer};
use super::rate_limit::buckets::Buckets;
use super::rate_limit::{Count, RateLimitLayer, Turn};
use super::render::{Render, RenderLayer};
use super::request_id::{RequestId, RequestIdLayer};
use super::rescue::{Rescue, RescueLayer};

/// The edge ring around a service.
pub type Edge<S> = RequestId<Believe<Logged<SetResponseHeader<Rescue<S>, HeaderValue>>>>;

/// Puts the edge ring around a service: what every request passes, with or without a route.
pub fn edge<S>(service: S, log: AccessLog, trusted: &Trusted) -> Edge<S> {
    ServiceBuilder::new()
        // First, so that whatever happens has a name.
        .layer(RequestIdLayer)
        // Before whoever logs or counts addresses.
        .layer(ForwardedLayer::new(Arc::clone(trusted)))
        // Around everything that answers, so that no answer goes unlogged.
        .layer(AccessLogLayer::new(log))
        // No browser shall guess at what an upstream sends (Fetch, "X-Content-Type-Options").
        .layer(SetResponseHeaderLayer::if_not_present(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        // Innermost: a panic is an answer to its own request, and to no other.
        .layer(RescueLayer)
        .service(service)
}

/// The outer half of the route ring around a service.
pub type Answers<S> = Share<EditAnswer<Render<S>>>;

/// Puts the outer half of the route ring around a service: what every answer passes whose route is known,
/// or known to be missing.
pub fn answers<S>(service: S) -> Answers<S> {
    ServiceBuilder::new()
        // First, so that a page reads why it was refused.
        .layer(ShareLayer)
        // Refusals too have the headers that the configuration gives to answers.
        .layer(HeadersLayer)
        // Behind it there are failures, before it only answers.
        .layer(RenderLayer)
        .service(service)
}

/// The inner half of the route ring around a service.
pub type Calls<S> = Count<Proof<Authorize<Count<S>>>>;

/// Puts the inner half of the route ring around a service: what a request passes before its call, by its
/// head alone. Who calls out to decide stands here too, and is handed an [`crate::rpc::Caller`].
pub fn calls<S>(service: S, buckets: &Arc<Buckets>) -> Calls<S> {
    ServiceBuilder::new()
        // How often an address may call; first, because whatever follows may be what a flood is after.
        .layer(RateLimitLayer::new(buckets, Turn::Strangers))
        // Before credentials count: nobody's cookies may speak for them on a page of strangers.
        .layer(ProofLayer)
        // Who calls, and whether they may.
        .layer(AuthorizeLayer)
        // How often callers may call; behind the decision, so that no stranger spends what they have.
        .layer(RateLimitLayer::new(buckets, Turn::Callers))
        .service(service)
}

#[cfg(test)]
mod tests;
