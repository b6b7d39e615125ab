//! A call without its messages, and the head that it becomes (gRPC PROTOCOL-HTTP2, "Requests").

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{Uri, Version};

use crate::rpc::deadline::format_grpc_timeout;
use crate::rpc::{
    Attempt, Call, CallPolicy, Code, Deadline, Kind, Messages, Metadata, Method, Origin, Status, metadata,
};
use crate::upstream::endpoint::Endpoint;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("transom/", env!("CARGO_PKG_VERSION")));
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// A call without its messages: all that one attempt shares with the next.
pub struct Request {
    pub method: Method,
    pub kind: Kind,
    pub affinity: Option<u64>,
    pub policy: Arc<CallPolicy>,
    pub metadata: Metadata,
    pub deadline: Option<Deadline>,
    pub encoding: Option<HeaderValue>,
    pub accept_encoding: Option<HeaderValue>,
    pub attempt: Attempt,
}

impl Request {
    /// Parts a call from its messages.
    pub fn part(call: Call) -> (Self, Messages) {
        let request = Self {
            method: call.method,
            kind: call.kind,
            affinity: call.affinity,
            policy: call.policy,
            metadata: call.metadata,
            deadline: call.deadline,
            encoding: call.encoding,
            accept_encoding: call.accept_encoding,
            attempt: call.attempt,
        };
        (request, call.messages)
    }

    /// The head of an attempt.
    ///
    /// # Errors
    /// When the method's path cannot stand in a request.
    pub fn head(&self, endpoint: &Endpoint) -> Result<http::Request<()>, Status> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(endpoint.scheme());
        parts.authority = Some(endpoint.target.authority.clone());
        parts.path_and_query = Some(self.method.path_and_query().clone());
        let uri = Uri::from_parts(parts).map_err(|error| {
            let message = format!("the method `{}` cannot be called: {error}", self.method.path());
            Status::new(Code::Internal, Origin::Gateway, "BAD_METHOD_PATH", message)
        })?;
        let mut request = http::Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers();
        Ok(request)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        // Whatever wrote the metadata, it cannot forge what belongs to HTTP or gRPC.
        for (name, value) in self.metadata.iter().filter(|(name, _)| !metadata::is_reserved(name)) {
            headers.append(name.clone(), value.clone());
        }
        headers.insert(TE, TRAILERS);
        headers.insert(CONTENT_TYPE, GRPC);
        headers.entry(USER_AGENT).or_insert(AGENT);
        if let Some(deadline) = self.deadline
            && let Ok(mut timeout) = HeaderValue::from_str(&format_grpc_timeout(deadline.remaining()))
        {
            // A value that never comes again would only drive others out of HPACK's table (RFC 7541 §7.1.3).
            timeout.set_sensitive(true);
            headers.insert(GRPC_TIMEOUT, timeout);
        }
        if let Some(encoding) = &self.encoding {
            headers.insert(GRPC_ENCODING, encoding.clone());
        }
        if let Some(accepted) = &self.accept_encoding {
            headers.insert(GRPC_ACCEPT_ENCODING, accepted.clone());
        }
        // gRFC A6, "Exposed Retry Metadata".
        if self.attempt.previous > 0 {
            headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(self.attempt.previous));
        }
        headers
    }
}
