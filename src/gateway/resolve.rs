//! From the head of a request to its target, or to the answer that needs none.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::{ALLOW, HOST, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use crate::middleware::access::Access;
use crate::middleware::cors;
use crate::protocol::{Client, Target, websocket};
use crate::route::{Captures, Found, Miss};
use crate::rpc::{Code, Origin, Status};

use super::routes::{Route, RouteTable};

/// What a request is for.
#[derive(Debug)]
pub(super) enum Resolved {
    /// A call; `captures` are the values of the template's variables.
    Call { target: Arc<Target>, access: Arc<Access>, captures: Option<Captures> },
    /// `HEAD` on a route for `GET`: the same headers, without content (RFC 9110 §9.3.2).
    Head { target: Arc<Target>, access: Arc<Access>, captures: Captures },
    /// A browser asks whether a page may send `method`.
    Preflight { access: Arc<Access>, method: Method },
    /// `OPTIONS`: what the path allows.
    Options { allow: HeaderValue },
}

impl Resolved {
    /// Who may call what was found.
    pub(super) const fn access(&self) -> Option<&Arc<Access>> {
        match self {
            Self::Call { access, .. } | Self::Head { access, .. } | Self::Preflight { access, .. } => {
                Some(access)
            }
            Self::Options { .. } => None,
        }
    }
}

/// Finds the target.
///
/// # Errors
/// 400 for a path that nobody should send, 404, and 405 with `Allow`; for gRPC `UNIMPLEMENTED`.
pub(super) fn resolve(routes: &RouteTable, client: Client, head: &Parts) -> Result<Resolved, Status> {
    let path = head.uri.path();
    match client {
        Client::Grpc => {
            let (target, access) = routes.rpc(path).ok_or_else(|| unknown_method(path))?.clone();
            Ok(Resolved::Call { target, access, captures: None })
        }
        Client::WebSocket => socket(routes, head, host(&head.uri, &head.headers).as_deref()),
        Client::Rest | Client::EventSource => {
            let host = host(&head.uri, &head.headers);
            match preflight(routes, head, path, host.as_deref()) {
                Some(resolved) => Ok(resolved),
                None => rest(routes, &head.method, path, host.as_deref()),
            }
        }
    }
}

/// A preflight is for the route that it asks about; where that shares nothing it is an `OPTIONS` as any.
fn preflight(routes: &RouteTable, head: &Parts, path: &str, host: Option<&str>) -> Option<Resolved> {
    let method = cors::preflight(head)?;
    let found = rest(routes, &method, path, host).ok()?;
    let access = found.access().filter(|access| !access.cors.origins.0.is_empty())?;
    Some(Resolved::Preflight { access: Arc::clone(access), method })
}

fn rest(routes: &RouteTable, method: &Method, path: &str, host: Option<&str>) -> Result<Resolved, Status> {
    let mut allow = BTreeSet::new();
    match find(routes, method.as_str(), path, host, &mut allow)? {
        Some(found) => Ok(call(found)),
        None if method == Method::HEAD && allow.contains("GET") => {
            let found = find(routes, "GET", path, host, &mut allow)?;
            found.map(head_of).ok_or_else(|| not_found(method, path))
        }
        None if allow.is_empty() => Err(not_found(method, path)),
        None => {
            let allow = allow_header(allow);
            if method == Method::OPTIONS {
                Ok(Resolved::Options { allow })
            } else {
                Err(not_allowed(method, path, allow))
            }
        }
    }
}

/// An upgrade is a request of its own kind: it asks for rules of `GET`, then of the other methods.
fn socket(routes: &RouteTable, head: &Parts, host: Option<&str>) -> Result<Resolved, Status> {
    let (path, mut allow) = (head.uri.path(), BTreeSet::new());
    if let Some(method) = websocket::method_override(head.uri.query().unwrap_or_default()) {
        let found = find(routes, method, path, host, &mut allow)?;
        return found.map(call).ok_or_else(|| not_found(&Method::GET, path));
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

fn call(found: Found<'_, Arc<Route>>) -> Resolved {
    let Route { target, access, .. } = &**found.value;
    Resolved::Call { target: Arc::clone(target), access: Arc::clone(access), captures: Some(found.captures) }
}

fn head_of(found: Found<'_, Arc<Route>>) -> Resolved {
    let Route { target, access, .. } = &**found.value;
    Resolved::Head { target: Arc::clone(target), access: Arc::clone(access), captures: found.captures }
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
