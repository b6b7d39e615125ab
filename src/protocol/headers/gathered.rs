//! The metadata of a client while they are gathered: bounded in number and bytes, binary ones checked.

use http::{HeaderName, HeaderValue};

use crate::rpc::metadata::is_binary;
use crate::rpc::trailers::decode_bin;
use crate::rpc::{Code, Metadata, Origin, Status};

/// The most values of a client.
const MOST: usize = 100;

/// The most bytes of names and values: what gRPC's C core accepts at most by default.
const LARGEST: usize = 16 * 1024;

/// Metadata within their limits.
#[derive(Default)]
pub(super) struct Gathered {
    metadata: Metadata,
    count: usize,
    bytes: usize,
}

impl Gathered {
    /// Adds a header as metadata.
    ///
    /// # Errors
    /// When there are too many, or a binary value is no base64.
    pub(super) fn add(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Status> {
        if !is_binary(name) {
            return self.append(name, value.clone());
        }
        // "Implementations MUST split Binary-Headers on ','" and accept both forms of padding
        // (gRPC PROTOCOL-HTTP2, "Custom-Metadata").
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let bytes = decode_bin(part.trim_ascii()).ok_or_else(|| not_base64(name))?;
            let text = base64_simd::STANDARD_NO_PAD.encode_to_string(bytes);
            self.append(name, HeaderValue::try_from(text).map_err(|_| not_base64(name))?)?;
        }
        Ok(())
    }

    /// Replaces whatever there is of a name: the gateway knows better.
    pub(super) fn insert(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), Status> {
        self.count(&name, &value)?;
        self.metadata.insert(name, value);
        Ok(())
    }

    /// Whether there is a value of a name.
    pub(super) fn has(&self, name: &HeaderName) -> bool {
        self.metadata.get(name.as_str()).is_some()
    }

    pub(super) fn into_metadata(self) -> Metadata {
        self.metadata
    }

    fn append(&mut self, name: &HeaderName, value: HeaderValue) -> Result<(), Status> {
        self.count(name, &value)?;
        self.metadata.append(name.clone(), value);
        Ok(())
    }

    fn count(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Status> {
        self.count += 1;
        self.bytes += name.as_str().len() + value.len();
        if self.count > MOST || self.bytes > LARGEST { Err(too_large()) } else { Ok(()) }
    }
}

fn not_base64(name: &HeaderName) -> Status {
    let message = format!("the value of `{name}` is not base64");
    Status::invalid("INVALID_METADATA", message).with_http_status(400)
}

fn too_large() -> Status {
    let message = format!("the request brings more than {MOST} values or {LARGEST} bytes of metadata");
    Status::new(Code::ResourceExhausted, Origin::Client, "METADATA_TOO_LARGE", message).with_http_status(431)
}
