//! Native gRPC, undecoded: all four call kinds, messages and trailers as they are
//! (gRPC PROTOCOL-HTTP2).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame as BodyFrame;

use crate::rpc::envelope::{self, Decoder};
use crate::rpc::{Call, Code, Frame, Message, Messages, Origin, Reply, Status, trailers};

use super::body::{Aborted, next_chunk};
use super::{Body, Outcome, Target, head, headers};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Turns a request into a call.
pub(super) async fn decode<B>(
    head: Parts,
    body: B,
    target: &Target,
    outcome: &Arc<Outcome>,
) -> Result<Call, Status>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display> + Send + 'static,
{
    check_codec(&head.headers)?;
    let metadata = headers::from_grpc(&head, &target.policy.metadata)?;
    let incoming = Incoming {
        body: Box::pin(body),
        decoder: Decoder::new(target.policy.message_limit),
        outcome: Arc::clone(outcome),
    };
    let messages = if target.kind.client_streams() {
        Messages::Stream(Box::pin(incoming.into_stream()))
    } else {
        Messages::One(incoming.only().await?)
    };
    let mut call = head::call(&head.headers, target, metadata, messages)?;
    call.encoding = head.headers.get(GRPC_ENCODING).cloned();
    // Who says nothing accepts nothing: messages pass undecoded.
    let accepted = head.headers.get(GRPC_ACCEPT_ENCODING).cloned();
    call.accept_encoding = Some(accepted.unwrap_or(IDENTITY));
    Ok(call)
}

/// Messages pass undecoded, so they must be what the upstream understands.
fn check_codec(headers: &HeaderMap) -> Result<(), Status> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let codec = content_type.split(';').next().unwrap_or_default().trim();
    if matches!(codec, "application/grpc" | "application/grpc+proto") {
        return Ok(());
    }
    let message = format!("{codec} is not supported; application/grpc is");
    Err(Status::new(Code::Unimplemented, Origin::Client, "UNSUPPORTED_CODEC", message).with_http_status(415))
}

/// The messages in a request's body.
struct Incoming<B> {
    body: Pin<Box<B>>,
    decoder: Decoder,
    outcome: Arc<Outcome>,
}

impl<B> Incoming<B>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display> + Send + 'static,
{
    async fn next(&mut self) -> Result<Option<Message>, Status> {
        loop {
            if let Some(message) = self.decoder.take().map_err(malformed)? {
                self.outcome.message_in();
                return Ok(Some(message));
            }
            match next_chunk(&mut self.body.as_mut()).await? {
                Some(chunk) => self.decoder.push(chunk),
                None => return self.decoder.finish().map(|()| None).map_err(malformed),
            }
        }
    }

    /// The message of a call whose client sends exactly one (gRPC statuscodes.md: "Request cardinality
    /// violation … UNIMPLEMENTED").
    async fn only(mut self) -> Result<Message, Status> {
        let message = self.next().await?;
        let second = if message.is_some() { self.next().await? } else { None };
        match (message, second) {
            (Some(message), None) => Ok(message),
            (message, _) => {
                let count = if message.is_none() { "no message" } else { "more than one message" };
                let text = format!("the method takes exactly one message, and the request has {count}");
                Err(Status::new(Code::Unimplemented, Origin::Client, "REQUEST_CARDINALITY", text))
            }
        }
    }

    fn into_stream(self) -> impl futures_core::Stream<Item = Result<Message, Status>> + Send {
        stream::try_unfold(self, |mut incoming| async move {
            Ok(incoming.next().await?.map(|message| (message, incoming)))
        })
        .fuse()
    }
}

fn malformed(error: envelope::EnvelopeError) -> Status {
    match error {
        envelope::EnvelopeError::TooLarge { .. } => {
            Status::new(Code::ResourceExhausted, Origin::Client, "MESSAGE_TOO_LARGE", error.to_string())
        }
        _ => Status::new(Code::Internal, Origin::Client, "MALFORMED_MESSAGE", error.to_string()),
    }
}

/// Turns a reply into a response.
pub(super) fn encode(reply: Reply, outcome: Arc<Outcome>) -> Response<Body> {
    let Reply { metadata, encoding, frames } = reply;
    let mut headers = metadata.into_headers();
    headers.insert(CONTENT_TYPE, GRPC);
    if let Some(encoding) = encoding {
        headers.insert(GRPC_ENCODING, encoding);
    }
    let frames = frames.map(move |frame| Ok::<_, Aborted>(body_frame(frame, &outcome))).fuse();
    let mut response = Response::new(Body::Stream(Box::pin(frames)));
    *response.headers_mut() = headers;
    response
}

fn body_frame(frame: Result<Frame, Status>, outcome: &Outcome) -> BodyFrame<Bytes> {
    match frame {
        Ok(Frame::Message(message)) => {
            outcome.message_out();
            BodyFrame::data(envelope::encode(&message))
        }
        Ok(Frame::Trailers(metadata)) => {
            outcome.succeed();
            let mut map = metadata.into_headers();
            map.insert(trailers::GRPC_STATUS, HeaderValue::from_static("0"));
            BodyFrame::trailers(map)
        }
        Err(status) => {
            outcome.fail(&status);
            BodyFrame::trailers(trailers::of(&status))
        }
    }
}

/// A call that failed before it had an answer: Trailers-Only.
///
/// The HTTP status is 200 (gRPC PROTOCOL-HTTP2, "Responses"), but for requests that are no gRPC calls at
/// all, which clients of either kind then understand.
pub(super) fn refuse(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let malformed = status.origin == Origin::Client && matches!(status.http_status, Some(400 | 415 | 431));
    if malformed {
        *response.status_mut() =
            StatusCode::from_u16(status.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    }
    *response.headers_mut() = trailers::of(status);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}
