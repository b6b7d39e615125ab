//! The only error of the request path: a gRPC status that also says whose fault it is.
//!
//! Here are the type and its meaning; [`super::trailers`] reads and writes it on gRPC's wire, and
//! each protocol adapter renders it for its own clients.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use prost::Message as _;

use super::error_details::{BadRequest, ErrorInfo, QuotaFailure, QuotaViolation, RetryInfo, TYPE_PREFIX};
use super::{Again, Code, Metadata};

/// The `domain` of the `google.rpc.ErrorInfo` in errors that Transom itself raises.
pub const DOMAIN: &str = "transom";

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The request cannot be served as it was sent.
    Client,
    /// The gateway refuses or fails.
    Gateway,
    /// The service behind the gateway failed, misbehaved or cannot be reached.
    Upstream,
}

impl Origin {
    /// The word that stands in error details and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
        }
    }
}

/// A `google.protobuf.Any`: a message with the name of its type.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// One thing that is wrong with a request (`google.rpc.BadRequest.FieldViolation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// The path of the field, such as `book.authors[2].name`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

/// How a call ended, when not well.
#[derive(Clone, Debug)]
pub struct Status {
    /// The gRPC code; never `Ok`.
    pub code: Code,
    /// A sentence for people.
    pub message: Cow<'static, str>,
    /// Typed details (`google.rpc.Status.details`).
    pub details: Vec<Any>,
    /// Whose fault it is.
    pub origin: Origin,
    /// Metadata that came with the error (the trailers of the call), or headers that its HTTP status
    /// asks for (`allow`, `www-authenticate`).
    pub metadata: Option<Box<Metadata>>,
    /// The HTTP status, where HTTP has a more exact one than the code's own (413, 415, 502, …).
    pub http_status: Option<u16>,
    /// What is known of sending the call again.
    pub again: Again,
    /// Whether the call failed with a connection, and another that did has paid for it with its retry token.
    pub is_paid: bool,
}

impl Status {
    /// An error that the gateway itself raises, with a `google.rpc.ErrorInfo` that carries `reason`
    /// (`UPPER_SNAKE_CASE`) and the origin.
    #[must_use]
    pub fn new(
        code: Code,
        origin: Origin,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        debug_assert_ne!(code, Code::Ok, "an error has a code");
        let info = ErrorInfo {
            reason: reason.to_owned(),
            domain: DOMAIN.to_owned(),
            metadata: [("origin".to_owned(), origin.name().to_owned())].into(),
        };
        Self {
            code,
            message: message.into(),
            details: vec![pack("google.rpc.ErrorInfo", &info)],
            origin,
            metadata: None,
            http_status: None,
            again: Again::ByCode,
            is_paid: false,
        }
    }

    /// A request that is wrong as it was sent: `INVALID_ARGUMENT`.
    #[must_use]
    pub fn invalid(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidArgument, Origin::Client, reason, message)
    }

    /// An upstream that broke the protocol: `INTERNAL`, and 502 where it is rendered over HTTP.
    #[must_use]
    pub fn bad_upstream(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, Origin::Upstream, reason, message).with_http_status(502)
    }

    /// Says the HTTP status that fits better than the code's own.
    #[must_use]
    pub const fn with_http_status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// Says what is known of sending the call again.
    #[must_use]
    pub const fn with_again(mut self, again: Again) -> Self {
        self.again = again;
        self
    }

    /// Adds a header that the HTTP status asks for.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.metadata.get_or_insert_default().insert(name, value);
        self
    }

    /// The HTTP status of this error.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self.http_status {
            Some(status) => status,
            None => self.code.http_status(),
        }
    }

    /// Adds `google.rpc.BadRequest` with what is wrong with which field.
    #[must_use]
    pub fn with_violations(mut self, violations: &[FieldViolation]) -> Self {
        self.details.push(pack("google.rpc.BadRequest", &BadRequest::from(violations)));
        self
    }

    /// Adds `google.rpc.RetryInfo`: after how long it is worth another try.
    #[must_use]
    pub fn with_retry_delay(mut self, delay: Duration) -> Self {
        let info = RetryInfo { retry_delay: delay.try_into().ok() };
        self.details.push(pack("google.rpc.RetryInfo", &info));
        self
    }

    /// Adds `google.rpc.QuotaFailure`: of what somebody has had too much.
    #[must_use]
    pub fn with_quota_failure(mut self, subject: &str, description: &str) -> Self {
        let violation = QuotaViolation { subject: subject.to_owned(), description: description.to_owned() };
        self.details.push(pack("google.rpc.QuotaFailure", &QuotaFailure { violations: vec![violation] }));
        self
    }

    /// The reason of the gateway's own `ErrorInfo`; `None` for an error that the service answered.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let first = self.details.first().filter(|any| any.type_url.ends_with("/google.rpc.ErrorInfo"))?;
        ErrorInfo::decode(first.value.clone())
            .ok()
            .filter(|info| info.domain == DOMAIN)
            .map(|info| info.reason)
    }
}

fn pack(name: &str, message: &impl prost::Message) -> Any {
    Any { type_url: format!("{TYPE_PREFIX}{name}"), value: message.encode_to_vec().into() }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_errors_say_why_and_whose_fault() {
        let status = Status::invalid("BAD_JSON", "no");
        assert_eq!(status.reason().as_deref(), Some("BAD_JSON"));
        let info = ErrorInfo::decode(status.details[0].value.clone()).unwrap();
        assert_eq!(info.domain, "transom");
        assert_eq!(info.metadata["origin"], "client");
    }

    #[test]
    fn violations_follow_the_info() {
        let violation = FieldViolation { field: "a.b".into(), description: "no".into() };
        let status = Status::invalid("BAD_JSON", "no").with_violations(&[violation]);
        assert_eq!(status.details[1].type_url, "type.googleapis.com/google.rpc.BadRequest");
    }
}
