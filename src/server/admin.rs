//! The admin listener's routes: is it alive, is it ready, what does it route, how are its upstreams,
//! reload it.
//!
//! It listens on loopback unless told otherwise, and has no passwords; so it defends itself against
//! what a browser on the same machine can be made to do: DNS rebinding and cross-site requests.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::reload::{Cause, Reloader};
use crate::gateway::Gateway;
use crate::telemetry::guard::Draining;

/// What the routes work on.
#[derive(Clone)]
struct Admin {
    gateway: Arc<Gateway>,
    reloader: Reloader,
    draining: Draining,
}

/// The routes. `loopback`: it listens where only this machine can connect, so only names of this
/// machine can be meant.
pub(super) fn router(
    gateway: Arc<Gateway>,
    reloader: Reloader,
    draining: Draining,
    loopback: bool,
) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/routes", get(routes))
        .route("/upstreams", get(upstreams))
        .route("/reload", post(reload))
        .layer(middleware::from_fn_with_state(loopback, guard))
        .with_state(Admin { gateway, reloader, draining })
}

/// Ready from the first moment (the configuration is loaded before anything listens), unless keys of
/// issuers are still to be fetched, until the drain.
async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.draining.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if !admin.gateway.is_ready() {
        (StatusCode::SERVICE_UNAVAILABLE, "waiting for the keys of an issuer\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn routes(State(admin): State<Admin>) -> Response {
    Json(admin.gateway.routes()).into_response()
}

async fn upstreams(State(admin): State<Admin>) -> Response {
    Json(admin.gateway.upstreams()).into_response()
}

/// What happened: 200 with the new generation, or 422 with the problems, and the old one serves on.
async fn reload(State(admin): State<Admin>) -> Response {
    match admin.reloader.reload(Cause::Admin).await {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(problems) => {
            let answer =
                json!({ "message": "not reloaded: the old configuration serves on", "problems": problems });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(answer)).into_response()
        }
    }
}

/// Refuses what a web page may have sent.
async fn guard(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if loopback && !names_this_machine(&request) {
        return (StatusCode::MISDIRECTED_REQUEST, "the Host is not this machine\n").into_response();
    }
    if headers.contains_key(ORIGIN) || is_cross_site(headers) {
        return (StatusCode::FORBIDDEN, "not for web pages\n").into_response();
    }
    next.run(request).await
}

/// Whether `Host` is `localhost` or an address: a name that an attacker has pointed here is neither.
fn names_this_machine(request: &Request) -> bool {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    // HTTP/1.0 has no Host, and no browser speaks it; for all others one is demanded at the door.
    let Some(authority) = header.as_ref().or_else(|| request.uri().authority()) else { return true };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Fetch Metadata: what a browser says of where a request comes from.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| site != b"none" && site != b"same-origin")
}

#[cfg(test)]
mod tests;
