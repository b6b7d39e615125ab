//! `google.api.HttpBody`: raw bytes with a content type, for what is no JSON.
//!
//! Source: google/api/httpbody.proto; `content_type` is field 1, `data` field 2.

use bytes::Bytes;
use prost::Message as _;

use crate::schema::Message;

use super::WireError;
use super::binding::put_bytes;

/// A `google.api.HttpBody` without its extensions, which have no place in an HTTP response.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HttpBody {
    #[prost(string, tag = "1")]
    pub content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub data: Bytes,
}

/// Whether a message type is `google.api.HttpBody`.
#[must_use]
pub fn is(message: Message<'_>) -> bool {
    message.name() == "google.api.HttpBody"
}

/// Writes the fields of an `HttpBody`.
pub(super) fn encode(content_type: &str, data: &[u8], out: &mut Vec<u8>) {
    if !content_type.is_empty() {
        put_bytes(1, content_type.as_bytes(), out);
    }
    if !data.is_empty() {
        put_bytes(2, data, out);
    }
}

/// Reads an `HttpBody`; `data` shares the message's memory.
pub(super) fn decode(wire: Bytes) -> Result<HttpBody, WireError> {
    HttpBody::decode(wire).map_err(|error| WireError { path: String::new(), description: error.to_string() })
}
