//! Which language a client speaks, from the head of its request alone.
//!
//! Whoever fails later, before a route is found or after, answers in that language.

use http::Request;
use http::header::CONTENT_TYPE;

use super::websocket;

/// The language of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// HTTP and JSON: everything that is nothing else.
    Rest,
    /// gRPC over HTTP/2 (gRPC PROTOCOL-HTTP2).
    Grpc,
    /// WebSocket (RFC 6455), over HTTP/1.1 or HTTP/2 (RFC 8441).
    WebSocket,
}

impl Client {
    /// The word that stands in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
            Self::WebSocket => "websocket",
        }
    }
}

/// Names the client's language.
#[must_use]
pub fn detect<B>(request: &Request<B>) -> Client {
    if websocket::is_handshake(request) {
        return Client::WebSocket;
    }
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    match content_type.strip_prefix(b"application/grpc") {
        Some([] | [b'+' | b';' | b' ', ..]) => Client::Grpc,
        _ => Client::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let request =
            headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap()
    }

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
            assert_eq!(detect(&request(&[("content-type", value)])), client, "{value}");
        }
        assert_eq!(detect(&request(&[])), Client::Rest);
    }

    #[test]
    fn an_upgrade_needs_both_headers() {
        let cases = [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")][..], Client::WebSocket),
            (&[("connection", "close"), ("upgrade", "websocket")], Client::Rest),
            (&[("connection", "upgrade"), ("upgrade", "h2c")], Client::Rest),
            (&[("upgrade", "websocket")], Client::Rest),
        ];
        for (headers, client) in cases {
            assert_eq!(detect(&request(headers)), client, "{headers:?}");
        }
    }
}
