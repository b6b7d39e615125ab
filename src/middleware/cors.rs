//! Which pages may call a route: cross-origin resource sharing (Fetch §3.2), and the proof that a write
//! with cookies comes from a page that may make it.
//!
//! A preflight is answered before anybody is asked who they are: browsers send it without credentials.
//! A [`Sharing`] is compiled from the policy keys of the resolved method; what a route is, is not known here.

pub mod layer;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, COOKIE, HOST, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::config::policy::{Cors, OriginPattern, SentNames};
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

/// What a route shares with pages of other origins.
#[derive(Clone, Debug)]
pub struct Sharing {
    cors: Cors,
    /// The headers of requests that pages may send; `None`: those that they ask for.
    sent: Option<HeaderValue>,
    /// The headers of answers that pages may read.
    exposed: HeaderValue,
}

impl Default for Sharing {
    fn default() -> Self {
        Self::new(Cors::default())
    }
}

impl Sharing {
    /// By a policy.
    #[must_use]
    pub fn new(cors: Cors) -> Self {
        let sent = match &cors.headers {
            SentNames::Any => None,
            SentNames::Only(names) => Some(joined(names.iter().map(HeaderName::as_str))),
        };
        let own = cors.expose.0.iter().map(HeaderName::as_str);
        let exposed = joined([EXPOSED].into_iter().chain(own));
        Self { cors, sent, exposed }
    }

    /// Whether there is any page of another origin that may call.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.cors.origins.0.is_empty()
    }

    /// The answer to a preflight that asks about `method`. It never says that a page of the public network may
    /// call one of a private network: browsers then ask their users.
    ///
    /// # Errors
    /// 403 when the page's origin may not call.
    pub fn answer(&self, head: &Parts, method: &Method) -> Result<Response<Body>, Status> {
        if self.allowed(head.headers.get(ORIGIN)).is_none() {
            let message = "`cors.origins` does not have the origin of this page";
            return Err(refused("ORIGIN_NOT_ALLOWED", message));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if let Ok(method) = HeaderValue::from_str(method.as_str()) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method);
        }
        if let Some(asked) = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|list| is_list(list)) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.sent.as_ref().unwrap_or(asked).clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.cors.max_age.as_secs()));
        let asked = "access-control-request-method, access-control-request-headers";
        headers.append(VARY, HeaderValue::from_static(asked));
        Ok(response)
    }

    /// Says on an answer, errors included, whether the page of `origin` may read it.
    ///
    /// `Vary` does not hang on the request: a cache must not give one origin's answer to another.
    pub fn share(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !self.is_open() {
            return;
        }
        headers.append(VARY, HeaderValue::from_static("origin"));
        // An upstream does not decide over the gateway's origins.
        for name in
            [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS]
        {
            headers.remove(name);
        }
        let Some(origin) = self.allowed(origin) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone());
        if self.cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Refuses a write that brings cookies from a page that may not make it: browsers send cookies along
    /// whichever page asks.
    ///
    /// # Errors
    /// 403 when neither `Sec-Fetch-Site` nor `Origin` proves where it comes from.
    pub fn check_cookies(&self, head: &Parts) -> Result<(), Status> {
        if head.method.is_safe() || !head.headers.contains_key(COOKIE) {
            return Ok(());
        }
        let origin = head.headers.get(ORIGIN);
        let site = head.headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let is_own = match site {
            Some(site) => site == b"same-origin" || site == b"none",
            None => origin.is_some_and(|origin| is_same_host(origin, head)),
        };
        if is_own || self.cors.credentials && self.allowed(origin).is_some() {
            return Ok(());
        }
        let message =
            "a write with cookies must come from a page of the same origin or of one that may send them";
        Err(refused("CROSS_SITE_WRITE", message))
    }

    /// What an answer names as the origin that may read it. Without credentials everybody may be `*`.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin?;
        let text = origin.to_str().ok()?;
        let pattern = self.cors.origins.0.iter().find(|pattern| pattern.matches(text))?;
        match pattern {
            // Checked once more here: with credentials, nobody is everybody.
            OriginPattern::Any => (!self.cors.credentials).then(|| HeaderValue::from_static("*")),
            _ => Some(origin.clone()),
        }
    }
}

/// Names make a value: they are printable ASCII.
fn joined<'n>(names: impl Iterator<Item = &'n str>) -> HeaderValue {
    let names = names.collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(names).unwrap_or(HeaderValue::from_static(EXPOSED))
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
