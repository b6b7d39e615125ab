//! Metadata: the headers and trailers of a call, as gRPC names them.
//!
//! Which HTTP headers may become metadata is the front's decision (`protocol::headers`); this type
//! only keeps them and knows gRPC's own names.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Key-value pairs that travel beside messages; a name may occur several times.
///
/// Values of names that end in `-bin` are base64, as on the wire (gRPC PROTOCOL-HTTP2,
/// "Custom-Metadata").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(HeaderMap);

impl Metadata {
    /// No metadata.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes headers or trailers that an upstream sent, without what belongs to the transport
    /// (`content-*`, `te`, hop-by-hop names) or to gRPC itself (`grpc-*`).
    #[must_use]
    pub fn from_upstream(headers: HeaderMap) -> Self {
        let mut metadata = Self(headers);
        metadata.retain(|name| !is_reserved(name));
        metadata
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.0.get(name)
    }

    /// Sets the only value of a name.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.insert(name, value);
    }

    /// Adds a value to a name.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.append(name, value);
    }

    /// Keeps only names that `keep` says.
    pub fn retain(&mut self, keep: impl Fn(&HeaderName) -> bool) {
        // A removal changes the order of the rest, so that there is one search for each.
        while let Some(name) = self.0.keys().find(|name| !keep(name)).cloned() {
            self.0.remove(name);
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every pair, in order; names repeat.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter()
    }

    /// The pairs as headers.
    #[must_use]
    pub fn into_headers(self) -> HeaderMap {
        self.0
    }
}

/// What stands before the names of HTTP headers among metadata that follow grpc-gateway's conventions.
pub const GRPC_GATEWAY: &str = "grpcgateway-";

/// Whether values of a name are base64 on the wire.
#[must_use]
pub fn is_binary(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

/// Names that neither side of a call may set as metadata: they belong to HTTP or to gRPC.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("grpc-")
        || name.starts_with("content-")
        || matches!(
            name,
            "te" | "connection"
                | "keep-alive"
                | "proxy-connection"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "http2-settings"
                | "expect"
                | "transfer-encoding"
                | "trailer"
                | "upgrade"
                | "host"
                | "date"
                | "server"
        )
}

/// Headers that are known to be metadata.
impl From<HeaderMap> for Metadata {
    fn from(headers: HeaderMap) -> Self {
        Self(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_transport_owns_is_no_metadata() {
        let mut headers = HeaderMap::new();
        for name in ["grpc-status", "content-type", "te", "date", "x-next", "grpc-encoding"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        let metadata = Metadata::from_upstream(headers);
        assert_eq!(metadata.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-next"]);
    }

    #[test]
    fn repeated_names_keep_their_values() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        headers.append("grpc-status", HeaderValue::from_static("0"));
        assert_eq!(Metadata::from_upstream(headers).iter().count(), 2);
    }
}
