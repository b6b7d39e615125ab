//! What goes wrong between the pool and an upstream, as a status that names its reason.

use std::borrow::Cow;

use h2::Reason;

use crate::rpc::envelope::EnvelopeError;
use crate::rpc::{Code, Origin, Status};

/// Why a call got no reply.
#[derive(Debug)]
pub enum Failure {
    /// The upstream has certainly not looked at the call: it may be sent again, whatever it does.
    Unprocessed(Status),
    /// It may have.
    Failed(Status),
}

impl Failure {
    /// The failure of a stream that was open.
    pub fn of(error: &h2::Error) -> Self {
        let status = status(error);
        if is_unprocessed(error) { Self::Unprocessed(status) } else { Self::Failed(status) }
    }

    /// What the client is told when the call is not sent again.
    pub fn into_status(self) -> Status {
        match self {
            Self::Unprocessed(status) | Self::Failed(status) => status,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

/// RFC 9113 §8.7: REFUSED_STREAM, and GOAWAY for streams above its last one, say that nothing was done.
/// h2 gives a peer's GOAWAY as the error of exactly those streams.
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// A connection took no stream, with or without a reason: nothing was sent.
pub fn not_sent(error: Option<&h2::Error>) -> Failure {
    match error {
        None => Failure::Unprocessed(unavailable("UPSTREAM_CONNECTION_LOST", "the connection was closed")),
        Some(error) if error.is_io() || error.is_go_away() => Failure::Unprocessed(status(error)),
        // h2 refuses the request itself; another connection would, too.
        Some(error) => Failure::Failed(Status::new(
            Code::Internal,
            Origin::Gateway,
            "UPSTREAM_REQUEST_INVALID",
            format!("the call cannot be sent: {error}"),
        )),
    }
}

/// The status of an error of HTTP/2 (gRPC PROTOCOL-HTTP2, "Errors").
pub fn status(error: &h2::Error) -> Status {
    if error.is_io() {
        return unavailable(
            "UPSTREAM_CONNECTION_LOST",
            format!("the connection to the upstream broke: {error}"),
        );
    }
    if error.is_go_away() && error.is_remote() {
        return unavailable("UPSTREAM_GOAWAY", format!("the upstream ended the connection: {error}"));
    }
    let code = match error.reason() {
        Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        Some(_) => Code::Internal,
        None => Code::Unknown,
    };
    let reason = if error.is_reset() { "UPSTREAM_RESET" } else { "UPSTREAM_PROTOCOL_ERROR" };
    Status::new(code, Origin::Upstream, reason, format!("the call to the upstream broke: {error}"))
}

/// A sequence of messages that is none.
pub fn envelope(error: &EnvelopeError) -> Status {
    match error {
        EnvelopeError::TooLarge { .. } => Status::new(
            Code::ResourceExhausted,
            Origin::Upstream,
            "UPSTREAM_MESSAGE_TOO_LARGE",
            format!("the upstream sent {error}"),
        ),
        EnvelopeError::Flag(_) | EnvelopeError::Truncated => Status::bad_upstream(
            "UPSTREAM_BAD_FRAMING",
            format!("the upstream sent no valid messages: {error}"),
        ),
    }
}

/// No endpoint can be reached.
pub fn unreachable(upstream: &str) -> Status {
    unavailable("UPSTREAM_UNAVAILABLE", format!("no endpoint of the upstream `{upstream}` can be reached"))
}

/// No connection had room within the time that a call may wait.
pub fn queue_timeout(upstream: &str) -> Status {
    unavailable(
        "UPSTREAM_QUEUE_TIMEOUT",
        format!("no connection to the upstream `{upstream}` became free in time"),
    )
}

/// Too many calls are in flight or wait.
pub fn overloaded(upstream: &str) -> Status {
    Status::new(
        Code::Unavailable,
        Origin::Gateway,
        "UPSTREAM_OVERLOADED",
        format!("too many calls to the upstream `{upstream}` are in flight"),
    )
}

/// The deadline has passed.
pub fn deadline_exceeded() -> Status {
    Status::new(
        Code::DeadlineExceeded,
        Origin::Upstream,
        "DEADLINE_EXCEEDED",
        "the upstream did not answer before the deadline",
    )
}

fn unavailable(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Status {
    Status::new(Code::Unavailable, Origin::Upstream, reason, message)
}
