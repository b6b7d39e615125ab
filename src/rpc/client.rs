//! tonic's generated clients over any [`Caller`]: what the gateway itself asks of services (reflection,
//! health, authorization) goes the way of its clients' calls, with the same pool, balancing and limits.
//!
//! A generated client does not say which sides of a method are streams; whoever makes a [`Client`] does.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

use super::deadline::parse_grpc_timeout;
use super::envelope::{self, Decoder};
use super::{
    Attempt, Call, CallPolicy, Caller, Code, Deadline, Frame, Kind, Message, Messages, Metadata, Method,
    Origin, Reply, Status, trailers,
};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// A `tonic::client::GrpcService` that makes each request a [`Call`].
#[derive(Clone)]
pub struct Client<C> {
    caller: C,
    policy: Arc<CallPolicy>,
    kind: Kind,
    idempotent: bool,
    metadata: Metadata,
}

impl<C> Client<C> {
    /// For methods with one message either way, by a policy that names the upstream.
    pub fn unary(caller: C, policy: Arc<CallPolicy>) -> Self {
        Self { caller, policy, kind: Kind::Unary, idempotent: false, metadata: Metadata::new() }
    }

    /// For methods of which any side is a stream.
    pub fn streaming(caller: C, policy: Arc<CallPolicy>) -> Self {
        Self { kind: Kind::Bidi, ..Self::unary(caller, policy) }
    }

    /// Says that it does no harm to send a call twice.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// Gives every call these metadata, in place of its own under the same names.
    #[must_use]
    pub fn carrying(self, metadata: Metadata) -> Self {
        Self { metadata, ..self }
    }
}

impl<C> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("policy", &self.policy)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl<C: Caller> Service<Request<Body>> for Client<C> {
    type Response = Response<Body>;
    /// Errors of calls are answers, as they are on the wire.
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.clone();
        Box::pin(
            async move { Ok(client.answer(request).await.map_or_else(|status| refusal(&status), response)) },
        )
    }
}

impl<C: Caller> Client<C> {
    async fn answer(self, request: Request<Body>) -> Result<Reply, Status> {
        let (head, body) = request.into_parts();
        let messages = match self.kind {
            Kind::Unary => Messages::One(only(body).await?),
            _ => Messages::Stream(Box::pin(messages(body))),
        };
        let (deadline, encoding) = (deadline(&head.headers), head.headers.get(GRPC_ENCODING).cloned());
        let accept_encoding = head.headers.get(GRPC_ACCEPT_ENCODING).cloned();
        // The transport's own names are left out here as they are of an answer.
        let mut metadata = Metadata::from_upstream(head.headers);
        for (name, value) in self.metadata.iter() {
            metadata.insert(name.clone(), value.clone());
        }
        let call = Call {
            method: Method::new(head.uri.path()).map_err(|error| invalid(&error))?,
            kind: self.kind,
            idempotent: self.idempotent,
            affinity: None,
            policy: self.policy,
            deadline,
            encoding,
            accept_encoding,
            metadata,
            messages,
            attempt: Attempt::default(),
        };
        self.caller.oneshot(call).await
    }
}

fn deadline(headers: &HeaderMap) -> Option<Deadline> {
    let timeout = parse_grpc_timeout(headers.get(GRPC_TIMEOUT)?.as_bytes()).ok()?;
    Deadline::after(timeout)
}

async fn only(body: Body) -> Result<Message, Status> {
    let bytes = body.collect().await.map_err(|error| invalid(&error))?.to_bytes();
    let mut decoder = Decoder::new(usize::MAX);
    decoder.push(bytes);
    decoder.take().map_err(|error| invalid(&error))?.ok_or_else(|| invalid(&"it has no message"))
}

/// The messages of a stream; an error of the gateway's own code ends it.
fn messages(body: Body) -> impl futures_core::Stream<Item = Result<Message, Status>> + Send {
    let state = (body, Decoder::new(usize::MAX));
    stream::try_unfold(state, |(mut body, mut decoder)| async move {
        loop {
            if let Some(message) = decoder.take().map_err(|error| invalid(&error))? {
                return Ok(Some((message, (body, decoder))));
            }
            match body.frame().await.transpose().map_err(|error| invalid(&error))? {
                Some(frame) => frame.into_data().map_or((), |bytes| decoder.push(bytes)),
                None => return Ok(None),
            }
        }
    })
    .fuse()
}

fn invalid(error: &impl fmt::Display) -> Status {
    let message = format!("the gateway's own call is none: {error}");
    Status::new(Code::Internal, Origin::Gateway, "BAD_CALL", message)
}

fn response(reply: Reply) -> Response<Body> {
    let Reply { metadata, encoding, frames } = reply;
    let frames = frames.map(|frame| Ok::<_, Infallible>(body_frame(frame))).fuse();
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    *response.headers_mut() = metadata.into_headers();
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    if let Some(encoding) = encoding {
        response.headers_mut().insert(GRPC_ENCODING, encoding);
    }
    response
}

fn body_frame(frame: Result<Frame, Status>) -> BodyFrame<bytes::Bytes> {
    match frame {
        Ok(Frame::Message(message)) => BodyFrame::data(envelope::encode(&message)),
        Ok(Frame::Trailers(metadata)) => {
            let mut map = metadata.into_headers();
            map.insert(trailers::GRPC_STATUS, HeaderValue::from_static("0"));
            BodyFrame::trailers(map)
        }
        Err(status) => BodyFrame::trailers(trailers::of(&status)),
    }
}

/// Trailers-Only (gRPC PROTOCOL-HTTP2, "Responses").
fn refusal(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = trailers::of(status);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}
