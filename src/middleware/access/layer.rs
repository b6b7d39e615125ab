//! The layer that lets nobody past who may not call.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::Response;
use tower::{Layer, Service};

use crate::middleware::routed::{Guarded, Routed};
use crate::protocol::Body;
use crate::rpc::Status;

/// Adds [`Authorize`].
#[derive(Clone, Copy, Debug)]
pub struct AuthorizeLayer;

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize { inner }
    }
}

/// Asks who calls, and whether they may.
#[derive(Clone, Debug)]
pub struct Authorize<S> {
    inner: S,
}

impl<S: Guarded<T>, T> Service<Routed<T>> for Authorize<S> {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Either<Ready<Result<Response<Body>, Status>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Routed<T>) -> Self::Future {
        match request.policy.access.admit(&request.head) {
            Ok(admitted) => {
                request.admitted = admitted;
                Either::Right(self.inner.call(request))
            }
            Err(status) => Either::Left(ready(Err(status))),
        }
    }
}
