//! Which pages may call a route: cross-origin resource sharing (Fetch §3.2), and the proof that a write
//! with cookies comes from a page that may make it.
//!
//! A preflight is answered before anybody is asked who they are: browsers send it without credentials.
//! A [`Cors`] is compiled from the policy keys of the resolved method; what a route is, is not known here.

pub mod layer;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, COOKIE, HOST, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::config::policy::{Cors, OriginPattern};
use crate::protocol::Body;
use crate::rpc::{Code, Origin, Status};

/// What pages can read of every answer: what gRPC-Web and Connect clients need, and what the gateway adds.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, grpc-encoding, \
     connect-content-encoding, x-request-id, location, retry-after, ratelimit, \
     ratelimit-policy, www-authenticate, etag";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The longest list of headers that a preflight may ask for.
const LONGEST_LIST: usize = 4096;

/// The method that a preflight asks about (Fetch §3.2.2); `None` when a request is no preflight.
#[must_use]
pub fn preflight(head: &Parts) -> Option<Method> {
    if head.method != Method::OPTIONS || !head.headers.contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// The answer to a preflight that asks about `method`.
///
/// # Errors
/// 403 when the page's origin may not call.
pub fn answer(cors: &Cors, head: &Parts, method: &Method) -> Result<Response<Body>, Status> {
    if allowed(cors, head.headers.get(ORIGIN)).is_none() {
        return Err(refused("ORIGIN_NOT_ALLOWED", "`cors.origins` does not have the origin of this page"));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(method) = HeaderValue::from_str(method.as_str()) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method);
    }
    // The names are the page's to choose: who may call may also say how.
    if let Some(list) = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|list| is_list(list)) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, list.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age.as_secs()));
    let asked = "access-control-request-method, access-control-request-headers";
    headers.append(VARY, HeaderValue::from_static(asked));
    Ok(response)
}

/// Says on an answer, errors included, whether the page of `origin` may read it.
///
/// `Vary` does not hang on the request: a cache must not give one origin's answer to another.
pub fn share(cors: &Cors, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if cors.origins.0.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("origin"));
    // An upstream does not decide over the gateway's origins.
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS]
    {
        headers.remove(name);
    }
    let Some(origin) = allowed(cors, origin) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    if cors.credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Refuses a write that brings cookies from a page that may not make it: browsers send cookies along
/// whichever page asks.
///
/// # Errors
/// 403 when neither `Sec-Fetch-Site` nor `Origin` proves where it comes from.
pub fn check_cookies(cors: &Cors, head: &Parts) -> Result<(), Status> {
    if head.method.is_safe() || !head.headers.contains_key(COOKIE) {
        return Ok(());
    }
    let origin = head.headers.get(ORIGIN);
    let site = head.headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let is_own = match site {
        Some(site) => site == b"same-origin" || site == b"none",
        None => origin.is_some_and(|origin| is_same_host(origin, head)),
    };
    if is_own || cors.credentials && allowed(cors, origin).is_some() {
        return Ok(());
    }
    let message =
        "a write with cookies must come from a page of the same origin or of one that may send them";
    Err(refused("CROSS_SITE_WRITE", message))
}

/// What an answer names as the origin that may read it. Without credentials everybody may be `*`.
fn allowed(cors: &Cors, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
    let origin = origin?;
    let text = origin.to_str().ok()?;
    let pattern = cors.origins.0.iter().find(|pattern| pattern.matches(text))?;
    match pattern {
        // Checked once more here: with credentials, nobody is everybody.
        OriginPattern::Any => (!cors.credentials).then(|| HeaderValue::from_static("*")),
        _ => Some(origin.clone()),
    }
}

/// Whether an origin is the host that the request is for, with the scheme's own port left out.
fn is_same_host(origin: &HeaderValue, head: &Parts) -> bool {
    let authority = match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => head.headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    let (Some((scheme, host)), Some(authority)) =
        (origin.to_str().ok().and_then(|origin| origin.split_once("://")), authority)
    else {
        return false;
    };
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let plain = |authority: &str| authority.strip_suffix(own_port).unwrap_or(authority).to_ascii_lowercase();
    plain(host) == plain(authority)
}

/// A list of names of headers, which may stand in an answer as it is.
fn is_list(list: &HeaderValue) -> bool {
    let is_name = |name: &str| HeaderName::from_bytes(name.trim().as_bytes()).is_ok();
    list.len() <= LONGEST_LIST && list.to_str().is_ok_and(|list| list.split(',').all(is_name))
}

fn refused(reason: &'static str, message: &'static str) -> Status {
    Status::new(Code::PermissionDenied, Origin::Client, reason, message)
}
