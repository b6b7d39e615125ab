//! From the head of a request to its target, or to the answer that needs none.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{ALLOW, HOST, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::middleware::cors;
use crate::middleware::routed::RoutePolicy;
use crate::protocol::{Client, Target, websocket};
use crate::route::{Captures, Found, Miss};
use crate::rpc::{Code, Origin, Status};

use super::routes::{Route, RouteTable};

/// What a request is for, and the policy that holds for it: of the route that was found, of one that the
/// path has for another method, or of `[defaults]`.
#[derive(Debug)]
pub(super) struct Resolution {
    pub(super) policy: Arc<RoutePolicy>,
    pub(super) resolved: Resolved,
}

/// What a request is for.
#[derive(Debug)]
pub(super) enum Resolved {
    /// A call; `captures` are the values of the template's variables.
    Call { target: Arc<Target>, captures: Option<Captures> },
    /// `HEAD` on a route for `GET`: the same headers, without content (RFC 9110 §9.3.2).
    Head { target: Arc<Target>, captures: Captures },
    /// A browser asks whether a page may send `method`.
    Preflight { method: Method },
    /// `OPTIONS`: what the path allows.
    Options { allow: HeaderValue },
    /// Nothing is found: 400 for a path that nobody should send, 404, and 405 with `Allow`; for gRPC
    /// `UNIMPLEMENTED`.
    Missed(Status),
}

/// Finds the target.
pub(super) fn resolve(routes: &RouteTable, client: Client, head: &Parts) -> Resolution {
    let found = match client {
        Client::Grpc => native(routes, head.uri.path()),
        Client::WebSocket => socket(routes, head, host(&head.uri, &head.headers).as_deref()),
        Client::Rest | Client::EventSource => {
            let (path, host) = (head.uri.path(), host(&head.uri, &head.headers));
            match preflight(routes, head, path, host.as_deref()) {
                Some(resolution) => Ok(resolution),
                None => rest(routes, &head.method, path, host.as_deref()),
            }
        }
    };
    found.unwrap_or_else(|status| Resolution {
        policy: Arc::clone(&routes.missed),
        resolved: Resolved::Missed(status),
    })
}

fn native(routes: &RouteTable, path: &str) -> Result<Resolution, Status> {
    let (target, policy) = routes.rpc(path).ok_or_else(|| unknown_method(path))?.clone();
    Ok(Resolution { policy, resolved: Resolved::Call { target, captures: None } })
}

/// A preflight is for the route that it asks about; where that shares nothing it is an `OPTIONS` as any.
fn preflight(routes: &RouteTable, head: &Parts, path: &str, host: Option<&str>) -> Option<Resolution> {
    let method = cors::preflight(head)?;
    let Resolution { policy, resolved } = rest(routes, &method, path, host).ok()?;
    let is_call = matches!(resolved, Resolved::Call { .. } | Resolved::Head { .. });
    let shares = is_call && policy.cors.is_open();
    shares.then_some(Resolution { policy, resolved: Resolved::Preflight { method } })
}

fn rest(routes: &RouteTable, method: &Method, path: &str, host: Option<&str>) -> Result<Resolution, Status> {
    let mut allow = BTreeSet::new();
    match find(routes, method.as_str(), path, host, &mut allow)? {
        Some(found) => Ok(call(found)),
        None if method == Method::HEAD && allow.contains("GET") => {
            let found = find(routes, "GET", path, host, &mut allow)?;
            found.map(head_of).ok_or_else(|| not_found(method, path))
        }
        None if allow.is_empty() => Err(not_found(method, path)),
        None => other_method(routes, method, path, host, allow),
    }
}

/// The path is known, but not for this method. A page that may call what the path has may read that; of
/// several methods the first in the order of `Allow` decides.
fn other_method(
    routes: &RouteTable,
    method: &Method,
    path: &str,
    host: Option<&str>,
    allow: BTreeSet<String>,
) -> Result<Resolution, Status> {
    let first = allow.first().map(|first| find(routes, first, path, host, &mut BTreeSet::new()));
    let policy = first.transpose()?.flatten().map_or(&routes.missed, |found| &found.value.policy);
    let allow = allow_header(allow);
    let resolved = if method == Method::OPTIONS {
        Resolved::Options { allow }
    } else {
        Resolved::Missed(not_allowed(method, path, allow))
    };
    Ok(Resolution { policy: Arc::clone(policy), resolved })
}

/// An upgrade is a request of its own kind: it asks for rules of `GET`, then of the other methods.
fn socket(routes: &RouteTable, head: &Parts, host: Option<&str>) -> Result<Resolution, Status> {
    let (path, mut allow) = (head.uri.path(), BTreeSet::new());
    if let Some(method) = websocket::method_override(head.uri.query().unwrap_or_default()) {
        let method = Method::try_from(method).unwrap_or_default();
        return rest(routes, &method, path, host);
    }
    // A first look tells which methods the path has.
    if let Some(found) = find(routes, "GET", path, host, &mut allow)? {
        return Ok(call(found));
    }
    for method in websocket::methods(allow.into_iter()) {
        if let Some(found) = find(routes, &method, path, host, &mut BTreeSet::new())? {
            return Ok(call(found));
        }
    }
    Err(not_found(&Method::GET, path))
}

/// Asks the routers of the host in order; methods that would match are added to `allow`.
fn find<'r>(
    routes: &'r RouteTable,
    method: &str,
    path: &str,
    host: Option<&str>,
    allow: &mut BTreeSet<String>,
) -> Result<Option<Found<'r, Arc<Route>>>, Status> {
    for router in routes.routers(host) {
        match router.find(method, path) {
            Ok(found) => return Ok(Some(found)),
            Err(Miss::NotFound) => {}
            Err(Miss::MethodNotAllowed { allow: methods }) => allow.extend(methods),
            Err(Miss::InvalidPath(error)) => {
                return Err(Status::invalid("INVALID_PATH", error.to_string()));
            }
        }
    }
    Ok(None)
}

fn call(found: Found<'_, Arc<Route>>) -> Resolution {
    let Route { target, policy, .. } = &**found.value;
    let resolved = Resolved::Call { target: Arc::clone(target), captures: Some(found.captures) };
    Resolution { policy: Arc::clone(policy), resolved }
}

fn head_of(found: Found<'_, Arc<Route>>) -> Resolution {
    let Route { target, policy, .. } = &**found.value;
    let resolved = Resolved::Head { target: Arc::clone(target), captures: found.captures };
    Resolution { policy: Arc::clone(policy), resolved }
}

/// The host that a request is for, in lower case and without port. The authority of the target beats
/// `Host` (RFC 9112 §3.2.2).
pub(super) fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<Cow<'r, str>> {
    let authority = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(HOST)?.to_str().ok()?,
    };
    let without_user = authority.rsplit('@').next().unwrap_or(authority);
    let host = match without_user.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => without_user,
    };
    let upper = host.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if upper { host.to_ascii_lowercase().into() } else { host.into() })
}

/// What the gateway does by itself is allowed too: `HEAD` where there is `GET`, and `OPTIONS`.
fn allow_header(mut methods: BTreeSet<String>) -> HeaderValue {
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    methods.insert("OPTIONS".to_owned());
    let list = methods.into_iter().collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(list).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

fn not_found(method: &Method, path: &str) -> Status {
    Status::new(
        Code::NotFound,
        Origin::Client,
        "ROUTE_NOT_FOUND",
        format!("no route matches {method} {path}"),
    )
}

fn not_allowed(method: &Method, path: &str, allow: HeaderValue) -> Status {
    let message = format!("{method} is not allowed for {path}; {} are", allow.to_str().unwrap_or_default());
    Status::new(Code::Unimplemented, Origin::Client, "METHOD_NOT_ALLOWED", message)
        .with_http_status(405)
        .with_header(ALLOW, allow)
}

fn unknown_method(path: &str) -> Status {
    let message = format!("the gateway knows no method {path}");
    Status::new(Code::Unimplemented, Origin::Client, "METHOD_NOT_FOUND", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_neither_port_nor_case() {
        let cases = [
            ("Shop.Example.com:8080", "shop.example.com"),
            ("shop", "shop"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ];
        for (sent, expected) in cases {
            let headers = [(HOST, HeaderValue::from_static(sent))].into_iter().collect();
            assert_eq!(host(&Uri::from_static("/"), &headers).as_deref(), Some(expected), "{sent}");
        }
        let absolute = Uri::from_static("http://a.example:1/x");
        let headers = [(HOST, HeaderValue::from_static("b.example"))].into_iter().collect();
        assert_eq!(host(&absolute, &headers).as_deref(), Some("a.example"));
    }

    #[test]
    fn allow_names_what_the_gateway_does_by_itself() {
        let methods = ["POST".to_owned(), "GET".to_owned()].into();
        assert_eq!(allow_header(methods), "GET, HEAD, OPTIONS, POST");
    }
}
