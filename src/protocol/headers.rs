//! Which HTTP headers become metadata, and which metadata become headers.
//!
//! Over HTTP and JSON only listed names pass, both ways: a header that nobody listed can neither forge
//! an identity upstream nor leak one downstream. A gRPC client's metadata are its own and pass, but for
//! what belongs to the transport. Whatever a client sends is [`gathered`] within limits.

mod gathered;
mod grpc_gateway;

use http::header::{self, CONNECTION, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::rpc::metadata::{GRPC_GATEWAY, is_binary, is_reserved, is_spelling};
use crate::rpc::trailers::decode_bin;
use crate::rpc::{Metadata, Status};
use crate::telemetry::guard::ClientInfo;

use super::target::MetadataPolicy;
use gathered::Gathered;

/// Request headers that pass as metadata.
const REQUEST: [HeaderName; 7] = [
    header::AUTHORIZATION,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("x-request-id"),
    header::ACCEPT_LANGUAGE,
    header::USER_AGENT,
];

/// Metadata of an answer that pass as response headers: they have their meaning in HTTP.
const RESPONSE: [HeaderName; 8] = [
    header::WWW_AUTHENTICATE,
    header::RETRY_AFTER,
    header::ALLOW,
    header::CACHE_CONTROL,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::LINK,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether a request header passes as metadata whatever the configuration says.
#[must_use]
pub fn passes_always(name: &HeaderName) -> bool {
    REQUEST.contains(name)
}

/// The metadata of a request that came as HTTP and JSON.
///
/// # Errors
/// When they are too large, or binary ones are no base64.
pub(super) fn from_rest(head: &Parts, policy: &MetadataPolicy) -> Result<Metadata, Status> {
    let headers = &head.headers;
    let mut gathered = Gathered::default();
    for name in REQUEST.iter().chain(&policy.request) {
        if is_hop_by_hop(headers, name) {
            continue;
        }
        for value in headers.get_all(name) {
            gathered.add(name, value)?;
        }
    }
    if policy.grpc_gateway {
        grpc_gateway::add_request(head, &mut gathered)?;
    } else {
        add_hop(head, &mut gathered)?;
    }
    Ok(gathered.into_metadata())
}

/// The metadata of a request that came as gRPC.
///
/// # Errors
/// When they are too large, or binary ones are no base64.
pub(super) fn from_grpc(head: &Parts, policy: &MetadataPolicy) -> Result<Metadata, Status> {
    let headers = &head.headers;
    let is_proxy = head.extensions.get::<ClientInfo>().is_some_and(|client| client.is_proxy);
    let mut gathered = Gathered::default();
    for (name, value) in headers {
        // What the profile says of HTTP headers only the gateway may say.
        let forged = policy.grpc_gateway && name.as_str().starts_with(GRPC_GATEWAY);
        let hearsay = !is_proxy && is_hearsay(name) && !policy.request.contains(name);
        if !forged && !hearsay && !is_reserved(name) && !is_hop_by_hop(headers, name) {
            gathered.add(name, value)?;
        }
    }
    add_hop(head, &mut gathered)?;
    Ok(gathered.into_metadata())
}

/// What only proxies say: of a client that is none it would be made up, and upstreams believe it.
fn is_hearsay(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_of_proxies = |rest: &str| {
        rest == "real-ip" || ["forwarded-", "original-", "envoy-"].iter().any(|word| rest.starts_with(word))
    };
    name == "forwarded" || name.strip_prefix("x-").is_some_and(is_of_proxies)
}

/// Where a list of hops passes, the one that a request came from stands last.
fn add_hop(head: &Parts, gathered: &mut Gathered) -> Result<(), Status> {
    let peer = head.extensions.get::<ClientInfo>().and_then(|client| client.peer);
    match peer.filter(|_| gathered.has(&FORWARDED_FOR)).map(|peer| peer.ip().to_canonical().to_string()) {
        Some(peer) => HeaderValue::try_from(peer).map_or(Ok(()), |peer| gathered.add(&FORWARDED_FOR, &peer)),
        None => Ok(()),
    }
}

/// Gives a call what the configuration says, in place of what a client made up under any spelling of it.
pub(super) fn set_fixed(metadata: &mut Metadata, policy: &MetadataPolicy) {
    for (name, value) in &policy.set {
        metadata.retain(|other| !is_spelling(other.as_str(), name.as_str()));
        metadata.insert(name.clone(), value.clone());
    }
}

/// Adds the metadata of an answer that may pass to the headers of a response.
pub(super) fn to_rest(metadata: &Metadata, policy: &MetadataPolicy, headers: &mut HeaderMap) {
    for (name, value) in metadata.iter() {
        let Some(value) = shown(name, value) else { continue };
        if let Some(name) = grpc_gateway::response_name(name).filter(|_| policy.grpc_gateway) {
            headers.append(name, value.clone());
        }
        if RESPONSE.contains(name) || policy.response.contains(name) {
            headers.append(name.clone(), value);
        }
    }
}

/// The trailers of a streamed answer that pass as trailers of the response.
pub(super) fn to_trailers(metadata: &Metadata, policy: &MetadataPolicy) -> HeaderMap {
    let listed = metadata.iter().filter(|(name, _)| policy.response.contains(name));
    listed.filter_map(|(name, value)| Some((name.clone(), shown(name, value)?))).collect()
}

/// Announces the trailers of a streamed response: over HTTP/1.1 no others are sent (RFC 9110 §6.6.2).
pub(super) fn announce_trailers(policy: &MetadataPolicy, headers: &mut HeaderMap) {
    let names: Vec<_> = policy.response.iter().map(HeaderName::as_str).collect();
    if let (false, Ok(names)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
        headers.insert(header::TRAILER, names);
    }
}

/// A value as a header shows it: binary ones in base64 with padding; `None` for what is none.
fn shown(name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
    if !is_binary(name) {
        return Some(value.clone());
    }
    let bytes = decode_bin(value.as_bytes())?;
    HeaderValue::try_from(base64_simd::STANDARD.encode_to_string(bytes)).ok()
}

/// Sets what every streamed body says to proxies on the way: neither store it nor hold it back.
pub(super) fn set_stream(headers: &mut HeaderMap, content_type: HeaderValue) {
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// Whether the sender's `Connection` names a header, which then ends here (RFC 9110 §7.6.1). hyper would
/// strip such names from *our* request upstream.
fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let names = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|token| token.trim().eq_ignore_ascii_case(name.as_str()))
    };
    headers.get_all(CONNECTION).iter().any(names)
}

#[cfg(test)]
mod tests;
