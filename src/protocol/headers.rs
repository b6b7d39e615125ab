//! Which HTTP headers become metadata, and which metadata become headers.
//!
//! Over HTTP and JSON only listed names pass, both ways: a header that nobody listed can neither forge
//! an identity upstream nor leak one downstream. A gRPC client's metadata are its own and pass, but for
//! what belongs to the transport.

use http::header::{self, CONNECTION, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::rpc::Metadata;
use crate::rpc::metadata::is_reserved;

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

/// The metadata of a request that came as HTTP and JSON.
pub(super) fn from_rest(headers: &HeaderMap) -> Metadata {
    let mut metadata = Metadata::new();
    for name in &REQUEST {
        if is_hop_by_hop(headers, name) {
            continue;
        }
        for value in headers.get_all(name) {
            metadata.append(name.clone(), value.clone());
        }
    }
    metadata
}

/// The metadata of a request that came as gRPC.
pub(super) fn from_grpc(headers: &HeaderMap) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        if !is_reserved(name) && !is_hop_by_hop(headers, name) {
            metadata.append(name.clone(), value.clone());
        }
    }
    metadata
}

/// Adds the listed metadata of an answer to the headers of a response.
pub(super) fn to_rest(metadata: &Metadata, headers: &mut HeaderMap) {
    for (name, value) in metadata.iter() {
        if RESPONSE.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
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
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn names(metadata: &Metadata) -> Vec<&str> {
        metadata.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn only_listed_headers_become_metadata() {
        let sent = headers(&[
            ("authorization", "Bearer x"),
            ("x-user", "root"),
            ("cookie", "a=b"),
            ("grpc-timeout", "1S"),
        ]);
        assert_eq!(names(&from_rest(&sent)), ["authorization"]);
    }

    #[test]
    fn grpc_metadata_pass_but_for_the_transports() {
        let sent = headers(&[
            ("x-user", "a"),
            ("key-bin", "AA"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
            ("content-type", "application/grpc"),
        ]);
        assert_eq!(names(&from_grpc(&sent)), ["x-user", "key-bin"]);
    }

    #[test]
    fn what_connection_names_ends_here() {
        let sent =
            headers(&[("connection", "close, Authorization"), ("authorization", "x"), ("user-agent", "y")]);
        assert_eq!(names(&from_rest(&sent)), ["user-agent"]);
        assert_eq!(names(&from_grpc(&sent)), ["user-agent"]);
    }

    #[test]
    fn only_listed_metadata_become_headers() {
        let metadata =
            Metadata::from_upstream(headers(&[("x-internal", "1"), ("etag", "\"a\""), ("set-cookie", "a")]));
        let mut response = HeaderMap::new();
        to_rest(&metadata, &mut response);
        assert_eq!(response.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["etag"]);
    }
}
