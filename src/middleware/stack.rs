//! The rings, in order. Policy is data that a layer reads from the target, never a stack per route.

use http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tower::ServiceBuilder;
use tower_http::set_header::{SetResponseHeader, SetResponseHeaderLayer};

use crate::telemetry::access_log::AccessLog;

use super::access_log::{AccessLogLayer, Logged};
use super::request_id::{RequestId, RequestIdLayer};
use super::rescue::{Rescue, RescueLayer};

/// The edge ring around a service.
pub type Edge<S> = RequestId<Logged<SetResponseHeader<Rescue<S>, HeaderValue>>>;

/// Puts the edge ring around a service: what every request passes, with or without a route.
pub fn edge<S>(service: S, log: AccessLog) -> Edge<S> {
    ServiceBuilder::new()
        // First, so that whatever happens has a name.
        .layer(RequestIdLayer)
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
