//! What goes wrong between the pool and an upstream, as a status that names its reason.

use std::borrow::Cow;
use std::fmt;

use h2::Reason;
use http::HeaderValue;
use http::header::RETRY_AFTER;

use crate::rpc::envelope::EnvelopeError;
use crate::rpc::{Again, Code, CompressionError, Origin, Status};

/// The reason of an answer with an HTTP status that is none of gRPC's.
pub const HTTP_STATUS: &str = "UPSTREAM_HTTP_STATUS";

/// `Retry-After` of what is refused because too much happens at once, in seconds (RFC 9110 §10.2.3).
const SOON: HeaderValue = HeaderValue::from_static("1");

/// Why an attempt brought no answer.
#[derive(Debug)]
pub struct Failure {
    /// What the client is told when the call is not sent again.
    pub status: Status,
    pub cause: Cause,
    /// Whether the connection failed, and with it all calls that were on it.
    pub of_connection: bool,
}

/// Who ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The upstream has certainly not looked at the call: it may be sent again, whatever it does.
    Unprocessed,
    /// The upstream took too long, and the attempt was given up.
    Left,
    /// An answer, or an error that may stand for one.
    Answered,
}

impl Failure {
    /// The failure of a stream that was open.
    pub fn of(error: &h2::Error) -> Self {
        let cause = if is_unprocessed(error) { Cause::Unprocessed } else { Cause::Answered };
        let of_connection = error.is_io() || error.is_go_away();
        Self { status: status(error), cause, of_connection }
    }

    /// A connection took no stream, with or without a reason: nothing was sent.
    pub fn not_sent(error: Option<&h2::Error>) -> Self {
        let unprocessed =
            |status| Self { cause: Cause::Unprocessed, of_connection: true, ..Self::from(status) };
        match error {
            None => unprocessed(unavailable("UPSTREAM_CONNECTION_LOST", "the connection was closed")),
            Some(error) if error.is_io() || error.is_go_away() => unprocessed(status(error)),
            // h2 refuses the request itself; so would it on another connection.
            Some(error) => Self::from(Status::new(
                Code::Internal,
                Origin::Gateway,
                "UPSTREAM_REQUEST_INVALID",
                format!("the call cannot be sent: {error}"),
            )),
        }
    }

    /// Whether it says something of the endpoint's health.
    pub fn counts(&self) -> bool {
        self.cause == Cause::Left || counts(&self.status)
    }

    /// The upstream has fallen silent, while others have not.
    pub fn silent() -> Self {
        let status = unavailable("UPSTREAM_SILENT", "the upstream does not respond");
        Self { of_connection: true, ..Self::left(status) }
    }

    /// The time for one attempt is over.
    pub fn slow() -> Self {
        Self::left(deadline_exceeded())
    }

    const fn left(status: Status) -> Self {
        Self { status: status.with_again(Again::Left), cause: Cause::Left, of_connection: false }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { status, cause: Cause::Answered, of_connection: false }
    }
}

/// RFC 9113 §8.7: REFUSED_STREAM, and GOAWAY for streams above its last one, say that nothing was done.
/// h2 gives a peer's GOAWAY as the error of exactly those streams.
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// Whether an error says something of the endpoint's health: it cannot be reached, is overloaded, or
/// something in front of it fails. All others, deadlines among them, a client could provoke at will.
pub fn counts(status: &Status) -> bool {
    let from_upstream = status.origin == Origin::Upstream;
    match status.code {
        Code::Unavailable => from_upstream,
        Code::Unknown => from_upstream && status.reason().as_deref() == Some(HTTP_STATUS),
        _ => false,
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
        EnvelopeError::TooLarge { .. } => too_large(error),
        EnvelopeError::Flag(_) | EnvelopeError::Truncated => Status::bad_upstream(
            "UPSTREAM_BAD_FRAMING",
            format!("the upstream sent no valid messages: {error}"),
        ),
    }
}

/// A compressed message that is none, or holds too much.
pub fn compression(error: &CompressionError) -> Status {
    match error {
        CompressionError::TooLarge { .. } => too_large(error),
        CompressionError::Corrupt => Status::bad_upstream(
            "UPSTREAM_BAD_COMPRESSION",
            format!("the upstream sent what cannot be read: {error}"),
        ),
    }
}

fn too_large(error: &impl fmt::Display) -> Status {
    Status::new(
        Code::ResourceExhausted,
        Origin::Upstream,
        "UPSTREAM_MESSAGE_TOO_LARGE",
        format!("the upstream sent what may not pass: {error}"),
    )
    // 429 would tell the client to come back for it.
    .with_http_status(502)
}

/// No endpoint can be reached.
pub fn unreachable(upstream: &str) -> Status {
    unavailable("UPSTREAM_UNAVAILABLE", format!("no endpoint of the upstream `{upstream}` can be reached"))
        .with_again(Again::Unsent)
}

/// A stream has reached the age that its policy allows. The client may come back at once.
pub fn too_old() -> Status {
    let message = "the stream has reached its maximum age";
    Status::new(Code::Unavailable, Origin::Gateway, "STREAM_TOO_OLD", message)
}

/// A stream has had no message for as long as its policy allows.
pub fn idle() -> Status {
    let message = "no message passed on the stream for too long";
    Status::new(Code::DeadlineExceeded, Origin::Gateway, "STREAM_IDLE", message)
}

/// No connection had room within the time that a call may wait.
pub fn queue_timeout(upstream: &str) -> Status {
    unavailable(
        "UPSTREAM_QUEUE_TIMEOUT",
        format!("no connection to the upstream `{upstream}` became free in time"),
    )
    .with_header(RETRY_AFTER, SOON)
    .with_again(Again::Unsent)
}

/// Too many calls are in flight or wait.
pub fn overloaded(upstream: &str) -> Status {
    Status::new(
        Code::Unavailable,
        Origin::Gateway,
        "UPSTREAM_OVERLOADED",
        format!("too many calls to the upstream `{upstream}` are in flight"),
    )
    .with_header(RETRY_AFTER, SOON)
    .with_again(Again::Unsent)
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
