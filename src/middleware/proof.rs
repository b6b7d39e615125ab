//! The proof that a request comes from a page that may send it: browsers send cookies along whichever page
//! asks, so what no preflight stands before is looked at here, before anybody is asked who they are.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::Response;
use tower::{Layer, Service};

use super::routed::{Guarded, Routed};
use crate::protocol::{Body, Client, websocket};
use crate::rpc::Status;

/// Adds [`Proof`].
#[derive(Clone, Copy, Debug)]
pub struct ProofLayer;

impl<S> Layer<S> for ProofLayer {
    type Service = Proof<S>;

    fn layer(&self, inner: S) -> Proof<S> {
        Proof { inner }
    }
}

/// Refuses what a page of strangers sends.
#[derive(Clone, Debug)]
pub struct Proof<S> {
    inner: S,
}

impl<S: Guarded<T>, T> Service<Routed<T>> for Proof<S> {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Either<Ready<Result<Response<Body>, Status>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Routed<T>) -> Self::Future {
        match check(&request) {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(status) => Either::Left(ready(Err(status))),
        }
    }
}

fn check<T>(request: &Routed<T>) -> Result<(), Status> {
    match request.client() {
        // No page sends gRPC without a preflight: its media type is not safelisted (Fetch §2.2.2).
        Client::Grpc => Ok(()),
        // A page opens any socket, with its cookies and without a preflight.
        Client::WebSocket => websocket::admit_origin(&request.head, &request.policy.websocket_origins),
        Client::Rest | Client::EventSource => request.policy.cors.check_cookies(&request.head),
    }
}
