//! The handshake of a WebSocket: what it must say (RFC 6455 §4.2.1, RFC 8441 §5), whose pages may send
//! it, and the token that browsers can only put among the subprotocols.

use http::header::{
    self, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts as Head;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper::ext::Protocol;

use crate::config::policy::OriginPattern;
use crate::protocol::{Body, Target};
use crate::rpc::{Code, Origin, Status};

/// What every key is hashed with (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The name before a token in the list of subprotocols.
pub(super) const BEARER: &str = "Bearer";

/// Methods of rules in the order in which an upgrade looks for one.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Whether a request asks for a WebSocket. HTTP/1.0 has no upgrades, and one asked for is ignored (RFC 9110
/// §7.8).
#[must_use]
pub fn is_handshake<B>(request: &Request<B>) -> bool {
    if request.version() == Version::HTTP_2 {
        let protocol = request.extensions().get::<Protocol>();
        return protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"));
    }
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && tokens(request.headers(), &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
        && tokens(request.headers(), &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

/// The tokens of a header that is a list.
pub(super) fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// The method of the rule that the query asks for (`?method=`), as grpc-websocket-proxy has it.
#[must_use]
pub fn method_override(query: &str) -> Option<&'static str> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("method="))?;
    METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(value))
}

/// The methods of rules that an upgrade may match, first come first; `allowed` are those of the path.
pub fn methods(allowed: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let custom = allowed.filter(|method| !METHODS.contains(&method.as_str()));
    METHODS.into_iter().map(str::to_owned).chain(custom)
}

/// Takes the token out of `Sec-WebSocket-Protocol: Bearer, TOKEN`: a browser can send none in
/// `Authorization`. A header of that name that is there already stays.
pub fn take_token(headers: &mut HeaderMap) {
    let mut offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect::<Vec<_>>();
    let Some(at) = offered.iter().position(|name| name.eq_ignore_ascii_case(BEARER)) else { return };
    if at + 1 >= offered.len() {
        return;
    }
    let token = offered.remove(at + 1);
    if let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) {
        headers.entry(AUTHORIZATION).or_insert(value);
    }
    if let Ok(rest) = HeaderValue::try_from(offered.join(", ")) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, rest);
    }
}

/// Takes the token out of the cookie that the route names, where no other token is there.
///
/// A page sends its visitor's cookies with any socket that it opens. So a cookie counts only in a request
/// that says its origin, which [`admit_origin`] then holds against those that may connect; of two cookies
/// of the name neither counts, as a neighbouring host may have set one.
pub fn take_cookie(headers: &mut HeaderMap, target: &Target) {
    let Some(name) = &target.policy.websocket.cookie else { return };
    if headers.contains_key(AUTHORIZATION) || !headers.contains_key(ORIGIN) {
        return;
    }
    let Some(token) = only_cookie(headers, name) else { return };
    if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {token}")) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
}

/// The value of the only cookie of a name (RFC 6265 §5.4; over HTTP/2 there may be a header for each).
fn only_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(cookie, _)| *cookie == name).map(|(_, value)| value);
    values.next().filter(|value| values.next().is_none() && !value.is_empty())
}

/// Refuses pages of strangers: cookies go with a WebSocket from any page, and no CORS stands before it
/// (RFC 6455 §10.2). Who sends no `Origin` is no page.
///
/// # Errors
/// 403.
pub fn admit_origin(head: &Head, listed: &[OriginPattern]) -> Result<(), Status> {
    let mut origins = head.headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
    let admitted = origins.next().is_none()
        && (is_own(&origin, head) || listed.iter().any(|listed| listed.matches(&origin)));
    if admitted { Ok(()) } else { Err(foreign_origin()) }
}

/// Whether an origin is the host that the request is for. Its scheme is not compared: TLS may end before
/// the gateway.
fn is_own(origin: &str, head: &Head) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let host = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    !host.is_empty() && bare(authority) == bare(host)
}

/// The answer to a good handshake.
pub(super) fn answer(head: &Head) -> Result<Response<Body>, Status> {
    let mut versions = head.headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    if versions.next().is_none_or(|version| version != "13") || versions.next().is_some() {
        return Err(wrong_version());
    }
    let mut response = Response::new(Body::empty());
    if head.version == Version::HTTP_2 {
        return Ok(response);
    }
    if has_content(&head.headers) {
        return Err(content());
    }
    let accept = accept(&head.headers)?;
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Whether content stands between the head and the first frame (RFC 9112 §6.3): neither side of a socket
/// would know where it ends.
fn has_content(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// `Sec-WebSocket-Accept`: the key is 16 bytes in base64, given once (RFC 6455 §4.2.1).
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Status> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|_| keys.next().is_none()).ok_or_else(bad_key)?.as_bytes();
    if !base64_simd::STANDARD.decode_to_vec(key).is_ok_and(|bytes| bytes.len() == 16) {
        return Err(bad_key());
    }
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    HeaderValue::try_from(base64_simd::STANDARD.encode_to_string(hash)).map_err(|_| bad_key())
}

fn bad_key() -> Status {
    Status::invalid("WEBSOCKET_KEY", "Sec-WebSocket-Key must be 16 bytes in base64").with_http_status(400)
}

fn content() -> Status {
    Status::invalid("WEBSOCKET_CONTENT", "the handshake of a WebSocket has no content").with_http_status(400)
}

/// "The server … MUST … send an appropriate HTTP error code (such as 426 Upgrade Required) and a
/// |Sec-WebSocket-Version| header field" (RFC 6455 §4.4).
fn wrong_version() -> Status {
    Status::new(
        Code::Unimplemented,
        Origin::Client,
        "WEBSOCKET_VERSION",
        "the only version of WebSocket is 13",
    )
    .with_http_status(426)
    .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
    .with_header(header::CONNECTION, HeaderValue::from_static("upgrade"))
}

fn foreign_origin() -> Status {
    let message = "pages of this origin may not connect (websocket.origins lists those that may)";
    Status::new(Code::PermissionDenied, Origin::Client, "FOREIGN_ORIGIN", message)
}

#[cfg(test)]
mod tests;
