//! Which language a client speaks, from the head of its request alone.
//!
//! Whoever fails later, before a route is found or after, answers in that language.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The language of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// HTTP and JSON: everything that is nothing else.
    Rest,
    /// gRPC over HTTP/2 (gRPC PROTOCOL-HTTP2).
    Grpc,
}

impl Client {
    /// The word that stands in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
        }
    }
}

/// Names the client's language.
#[must_use]
pub fn detect(headers: &HeaderMap) -> Client {
    let content_type = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    match content_type.strip_prefix(b"application/grpc") {
        Some([] | [b'+' | b';' | b' ', ..]) => Client::Grpc,
        _ => Client::Rest,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_content_type_tells() {
        let cases = [
            ("application/grpc", Client::Grpc),
            ("application/grpc+proto", Client::Grpc),
            ("application/grpc;x=y", Client::Grpc),
            ("application/grpc-web", Client::Rest),
            ("application/json", Client::Rest),
        ];
        for (value, client) in cases {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(detect(&headers), client, "{value}");
        }
        assert_eq!(detect(&HeaderMap::new()), Client::Rest);
    }
}
