//! What was resolved decides who answers: the gateway by itself, or a call.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use futures_util::future::Either;
use http::header::ALLOW;
use http::{HeaderValue, Response, StatusCode};
use tower::Service;

use crate::middleware::routed::Routed;
use crate::middleware::stack::Calls;
use crate::protocol::Body;
use crate::protocol::body::Received;
use crate::rpc::Status;

use super::exchange::{Asked, Exchange, Found};
use super::resolve::Resolved;

/// What a request is for, and its body.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) resolved: Resolved,
    pub(super) body: AxumBody,
}

/// Answers what needs no call, and hands on what does.
#[derive(Clone)]
pub(super) struct Dispatch {
    calls: Calls<Exchange>,
}

impl Dispatch {
    /// Calls go through the inner half of the route ring.
    pub(super) const fn new(calls: Calls<Exchange>) -> Self {
        Self { calls }
    }
}

impl Service<Routed<Incoming>> for Dispatch {
    type Response = Response<Body>;
    type Error = Status;
    type Future =
        Either<Ready<Result<Response<Body>, Status>>, <Calls<Exchange> as Service<Routed<Found>>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.calls.poll_ready(cx)
    }

    fn call(&mut self, request: Routed<Incoming>) -> Self::Future {
        let (request, Incoming { resolved, body }) = request.take();
        let (target, captures, asked) = match resolved {
            Resolved::Missed(status) => return answer(Err(status)),
            Resolved::Options { allow } => return answer(Ok(options(allow))),
            Resolved::Preflight { method } => {
                return answer(request.policy.cors.answer(&request.head, &method));
            }
            Resolved::Call { target, captures } => (target, captures, Asked::Answer),
            Resolved::Head { target, captures } => (target, Some(captures), Asked::Head),
        };
        request.outcome().set_target(&target);
        let body = Received::new(body, Arc::clone(request.outcome()));
        Either::Right(self.calls.call(request.with(Found { target, captures, asked, body })))
    }
}

/// An answer that nobody has to be asked for.
fn answer<F>(answered: Result<Response<Body>, Status>) -> Either<Ready<Result<Response<Body>, Status>>, F> {
    Either::Left(ready(answered))
}

fn options(allow: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow);
    response
}
