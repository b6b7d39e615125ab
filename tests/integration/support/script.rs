//! What a scripted upstream does with a call, step by step.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use transom::rpc::{Message, envelope};

use super::upstream::Seen;

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Lets time pass.
    Sleep(Duration),
    /// Waits until the whole request has arrived.
    Request,
    /// Sends the head.
    Head(u16, HeaderMap),
    /// Sends bytes in a DATA frame of their own, as they are.
    Data(Bytes),
    /// Sends every message of the client back as it arrives, until the client has sent all.
    Echo,
    /// Sends trailers, or everything at once where no head was sent.
    Trailers(HeaderMap),
    /// Ends the stream without trailers.
    End,
    /// Resets the stream.
    Reset(Reason),
    /// Sends GOAWAY on the whole connection, gracefully; the call goes on.
    GoAway,
    /// Ends the whole connection with GOAWAY and an error.
    Abort(Reason),
    /// Closes the socket.
    HangUp,
    /// Does nothing until the client gives up.
    Stall,
    /// Anywhere in a script: nothing of the request's body is read, so its windows stay full.
    Deaf,
    /// Waits until the whole request has arrived, and goes on as it asks for.
    Asked(Choice),
}

/// What becomes of a call once its request is known.
#[derive(Clone)]
pub struct Choice(pub Arc<dyn Fn(&Seen) -> Script + Send + Sync>);

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Choice")
    }
}

/// A sequence of steps; most begin with one of the ready-made ones.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub steps: Vec<Step>,
}

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// The usual answer to a unary call, after the whole request.
    pub fn unary(reply: impl Into<Bytes>) -> Self {
        Self::new().step(Step::Request).head().message(reply).ok()
    }

    /// Sends every message back.
    pub fn echo() -> Self {
        Self::new().head().step(Step::Echo).ok()
    }

    /// Answers with `count` messages, `0`, `1`, ….
    pub fn count(count: usize) -> Self {
        (0..count)
            .fold(Self::new().step(Step::Request).head(), |script, n| script.message(n.to_string()))
            .ok()
    }

    /// An error without messages: Trailers-Only.
    pub fn status(code: i32, message: &str) -> Self {
        Self::new()
            .step(Step::Request)
            .trailers(&[("grpc-status", &code.to_string()), ("grpc-message", message)])
    }

    /// An answer that is not gRPC's.
    pub fn http(status: u16, content_type: &str, body: &'static str) -> Self {
        let head = headers(&[("content-type", content_type)]);
        Self::new().step(Step::Head(status, head)).data(body).step(Step::End)
    }

    /// Resets the stream at once.
    pub fn reset(reason: Reason) -> Self {
        Self::new().step(Step::Reset(reason))
    }

    /// Goes on as the request asks for.
    pub fn asked(choice: impl Fn(&Seen) -> Self + Send + Sync + 'static) -> Self {
        Self::new().step(Step::Asked(Choice(Arc::new(choice))))
    }

    /// Adds a step.
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Lets time pass.
    pub fn sleep(self, time: Duration) -> Self {
        self.step(Step::Sleep(time))
    }

    /// Sends a gRPC head.
    pub fn head(self) -> Self {
        self.head_with(&[])
    }

    /// Sends a gRPC head with more headers.
    pub fn head_with(self, more: &[(&str, &str)]) -> Self {
        let mut head = headers(&[("content-type", "application/grpc")]);
        head.extend(headers(more));
        self.step(Step::Head(200, head))
    }

    /// Sends a message.
    pub fn message(self, bytes: impl Into<Bytes>) -> Self {
        self.data(envelope::encode(&Message::from(bytes.into())))
    }

    /// Sends a message that says it is compressed.
    pub fn compressed(self, bytes: impl Into<Bytes>) -> Self {
        self.data(envelope::encode(&Message { bytes: bytes.into(), compressed: true }))
    }

    /// Sends bytes as they are, in a DATA frame of their own.
    pub fn data(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Data(bytes.into()))
    }

    /// Ends well.
    pub fn ok(self) -> Self {
        self.trailers(&[("grpc-status", "0")])
    }

    /// Ends with trailers; the same name may occur twice.
    pub fn trailers(self, pairs: &[(&str, &str)]) -> Self {
        self.step(Step::Trailers(headers(pairs)))
    }

    /// Goes on for ever without doing anything.
    pub fn stall(self) -> Self {
        self.step(Step::Stall)
    }
}

/// Headers from pairs.
pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// A head for h2.
pub fn response(status: u16, headers: HeaderMap) -> Response<()> {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = headers;
    response
}
