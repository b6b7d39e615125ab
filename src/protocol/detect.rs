//! Which language a client speaks, from the head of its request alone.
//!
//! Whoever fails later, before a route is found or after, answers in that language.

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use http::{Method, Request};

use super::websocket;

/// The language of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// HTTP and JSON: everything that is nothing else.
    Rest,
    /// The same from a browser's EventSource, or what behaves as one: it comes back by itself, but takes every
    /// status except 200 as final (WHATWG HTML §9.2.2).
    EventSource,
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
            Self::EventSource => "eventsource",
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
        _ if request.method() == Method::GET && is_event_source(request.headers()) => Client::EventSource,
        _ => Client::Rest,
    }
}

/// What EventSource sends and `fetch` does not by itself: `Accept` names events and nothing else, and no
/// cache may answer (WHATWG HTML §9.2.2; Fetch §4.5 makes a header of that). Who has seen an event and comes
/// back is one, too. A page's `fetch` that sends all this as well is taken for one.
fn is_event_source(headers: &HeaderMap) -> bool {
    let only = |name: &str, text: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|value| value == text) && values.next().is_none()
    };
    let no_cache = headers.get_all(CACHE_CONTROL).iter().any(|value| {
        let directives = value.to_str().unwrap_or_default().split(',').map(str::trim);
        directives.into_iter().any(|directive| matches!(directive, "no-cache" | "no-store"))
    });
    let is_page = |name: &str, text: &str| !headers.contains_key(name) || only(name, text);
    only(ACCEPT.as_str(), "text/event-stream")
        && (no_cache || headers.contains_key("last-event-id"))
        && is_page("sec-fetch-dest", "empty")
        && is_page("sec-fetch-mode", "cors")
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
    fn what_behaves_as_an_event_source_is_one() {
        const EVENTS: (&str, &str) = ("accept", "text/event-stream");
        const FRESH: (&str, &str) = ("cache-control", "no-cache");
        const CORS: (&str, &str) = ("sec-fetch-mode", "cors");
        const EMPTY: (&str, &str) = ("sec-fetch-dest", "empty");
        let cases = [
            (&[EVENTS, FRESH, ("pragma", "no-cache"), CORS, EMPTY][..], true),
            (&[EVENTS, FRESH], true),
            (&[EVENTS, ("cache-control", "max-age=0, no-store")], true),
            (&[EVENTS, ("last-event-id", "7")], true),
            (&[EVENTS], false),
            (&[EVENTS, CORS, EMPTY], false),
            (&[EVENTS, ("cache-control", "max-age=0")], false),
            (&[("accept", "text/event-stream, */*"), FRESH], false),
            (&[("accept", "application/json"), FRESH], false),
            (&[EVENTS, ("accept", "application/json"), FRESH], false),
            (&[EVENTS, FRESH, ("sec-fetch-dest", "document")], false),
            (&[EVENTS, FRESH, ("sec-fetch-mode", "navigate")], false),
        ];
        for (headers, expected) in cases {
            assert_eq!(detect(&request(headers)) == Client::EventSource, expected, "{headers:?}");
        }
        let mut post = request(&[EVENTS, FRESH]);
        *post.method_mut() = Method::POST;
        assert_eq!(detect(&post), Client::Rest);
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
