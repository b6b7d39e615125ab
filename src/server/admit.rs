//! What HTTP forbids and hyper lets through: which requests are refused before anybody looks at them.
//!
//! Pure functions over a request's head. The tables of RFC 9112 and RFC 9113 are enforced by hyper and
//! h2 as far as they go; this is the rest. What a path or a method means is the gateway's to say.

use axum::body::Body;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::limits::Limits;
use crate::rpc::{Code, Origin};
use crate::telemetry::access_log::Entry;

/// What `Allow` names where no resource is known.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not wrong at all: `OPTIONS *` asks what the server can do.
    ServerOptions,
    TargetTooLong,
    HeadTooLarge,
    MethodNotAllowed,
    TargetForm,
    TargetNotAscii,
    HostMissing,
    HostRepeated,
    HostInvalid,
    HostMismatch,
    TransferEncoding,
    Te,
}

impl Refusal {
    /// Status, code, reason and sentence.
    const fn terms(self) -> (StatusCode, Code, &'static str, &'static str) {
        use Code::{InvalidArgument as Invalid, Unimplemented};
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::ServerOptions => (StatusCode::NO_CONTENT, Code::Ok, "", ""),
            Self::TargetTooLong => {
                (StatusCode::URI_TOO_LONG, Invalid, "TARGET_TOO_LONG", "the request target is too long")
            }
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                Invalid,
                "HEAD_TOO_LARGE",
                "the request head is too large",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                Unimplemented,
                "METHOD_NOT_ALLOWED",
                "this method is never allowed here",
            ),
            Self::TargetForm => (BAD, Invalid, "BAD_TARGET", "the request target has no path"),
            Self::TargetNotAscii => {
                (BAD, Invalid, "BAD_TARGET", "the request target holds bytes that have to be percent-encoded")
            }
            Self::HostMissing => (BAD, Invalid, "HOST_MISSING", "the request names no host"),
            Self::HostRepeated => (BAD, Invalid, "HOST_REPEATED", "the request has more than one Host"),
            Self::HostInvalid => (BAD, Invalid, "HOST_INVALID", "the Host is no host with an optional port"),
            Self::HostMismatch => (BAD, Invalid, "HOST_MISMATCH", "Host and request target name two hosts"),
            Self::TransferEncoding => (
                StatusCode::NOT_IMPLEMENTED,
                Unimplemented,
                "TRANSFER_ENCODING",
                "the only transfer coding is one chunked",
            ),
            Self::Te => (BAD, Invalid, "BAD_TE", "over HTTP/2 the only value of TE is trailers"),
        }
    }

    /// The answer, in the shape of every error of the gateway.
    pub(super) fn response(self) -> Response<Body> {
        let (status, code, reason, message) = self.terms();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if matches!(self, Self::ServerOptions | Self::MethodNotAllowed) {
            headers.insert(ALLOW, METHODS);
        }
        if self == Self::ServerOptions {
            return response;
        }
        // Where its body ends is as doubtful as its head; over HTTP/2 hyper takes the header away.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = serde_json::json!({
            "code": code.number(),
            "message": message,
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": crate::rpc::DOMAIN,
                "metadata": { "origin": Origin::Client.name() },
            }],
        });
        *response.body_mut() = Body::from(body.to_string());
        response
    }

    /// Writes into the access log's entry what the answer was.
    pub(super) fn describe(self, entry: &mut Entry) {
        let (status, code, reason, _) = self.terms();
        entry.status = status.as_u16();
        if self != Self::ServerOptions {
            entry.code = Some(code);
            entry.origin = Some(Origin::Client);
            entry.reason = Some(reason.to_owned());
        }
    }
}

/// Whether a request may be looked at.
pub(super) fn check<B>(request: &Request<B>, limits: &Limits) -> Result<(), Refusal> {
    sizes(request, limits)?;
    // CONNECT and TRACE are for proxies and debuggers (RFC 9110 §9.3.6, §9.3.8).
    // With `:protocol`, CONNECT is another request altogether (RFC 8441 §4).
    let extended = request.extensions().get::<hyper::ext::Protocol>().is_some();
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) && !extended {
        return Err(Refusal::MethodNotAllowed);
    }
    host(request)?;
    target(request)?;
    codings(request)
}

/// The limits on the target (RFC 9110 §15.5.15) and the head (RFC 6585 §5).
fn sizes<B>(request: &Request<B>, limits: &Limits) -> Result<(), Refusal> {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = authority + uri.path_and_query().map_or(0, |path| path.as_str().len());
    if target > limits.target {
        return Err(Refusal::TargetTooLong);
    }
    let headers = request.headers();
    if headers.len() > limits.headers {
        return Err(Refusal::HeadTooLarge);
    }
    // `name: value CR LF` a line; HTTP/2's own count (RFC 9113 §6.5.2) is kept by h2.
    let lines: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if request.version() < Version::HTTP_2 && target + lines > limits.head as usize {
        return Err(Refusal::HeadTooLarge);
    }
    Ok(())
}

/// One host, well formed and the same everywhere (RFC 9112 §3.2, RFC 9113 §8.3.1).
fn host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(authority).transpose()?;
    if hosts.next().is_some() {
        return Err(Refusal::HostRepeated);
    }
    let target = request.uri().authority();
    if target.is_some_and(|target| target.as_str().contains('@')) {
        return Err(Refusal::HostInvalid);
    }
    match (host, target) {
        (Some(host), Some(target)) if !same(&host, target, request) => Err(Refusal::HostMismatch),
        // HTTP/1.0 has no Host; an absolute target of HTTP/1.1 does not make up for it.
        (None, _) if request.version() == Version::HTTP_11 => Err(Refusal::HostMissing),
        (None, None) if request.version() == Version::HTTP_2 => Err(Refusal::HostMissing),
        _ => Ok(()),
    }
}

/// `Host = uri-host [ ":" port ]` (RFC 9110 §7.2): no user, and not empty (§4.2.1).
fn authority(host: &HeaderValue) -> Result<Authority, Refusal> {
    let text = host.to_str().map_err(|_| Refusal::HostInvalid)?;
    let authority: Authority = text.parse().map_err(|_| Refusal::HostInvalid)?;
    if text.contains('@') || authority.host().is_empty() { Err(Refusal::HostInvalid) } else { Ok(authority) }
}

/// Whether two authorities are one, with or without the scheme's own port.
fn same<B>(host: &Authority, target: &Authority, request: &Request<B>) -> bool {
    let default = if request.uri().scheme_str() == Some("https") { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    host.host().eq_ignore_ascii_case(target.host()) && port(host) == port(target)
}

/// A target with a path in ASCII (RFC 3986 §2); `*` only where it means something (RFC 9112 §3.2.4).
fn target<B>(request: &Request<B>) -> Result<(), Refusal> {
    let Some(target) = request.uri().path_and_query() else { return Err(Refusal::TargetForm) };
    if target.as_str() == "*" && request.method() == Method::OPTIONS {
        return Err(Refusal::ServerOptions);
    }
    if !target.path().starts_with('/') {
        return Err(Refusal::TargetForm);
    }
    if target.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Refusal::TargetNotAscii)
    }
}

/// Exactly one `chunked` (RFC 9112 §6.1), and no TE but `trailers` over HTTP/2 (RFC 9113 §8.2.2).
fn codings<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers: &HeaderMap = request.headers();
    let mut transfer = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = transfer.next();
    let chunked = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || transfer.next().is_some() {
        return Err(Refusal::TransferEncoding);
    }
    let trailers = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"trailers");
    if request.version() == Version::HTTP_2 && !headers.get_all(TE).iter().all(trailers) {
        return Err(Refusal::Te);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
