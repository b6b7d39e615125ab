//! The layer that lets nobody past who may not call.
//!
//! Most decisions are made at once and cost no allocation; one that has to wait, for the keys of an issuer or
//! the hash of a password, waits in a box.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::Response;
use tower::{Layer, Service, ServiceExt as _};

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

/// A decision that has to wait, and what follows it.
type Later = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

impl<S, T> Service<Routed<T>> for Authorize<S>
where
    S: Guarded<T, Future: Send> + Clone + Send + 'static,
    T: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Status;
    type Future = Either<Ready<Result<Response<Body>, Status>>, Either<S::Future, Later>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Routed<T>) -> Self::Future {
        match request.policy.access.admit_now(&request.head) {
            Some(Ok(admitted)) => {
                request.admitted = admitted;
                Either::Right(Either::Left(self.inner.call(request)))
            }
            Some(Err(status)) => Either::Left(ready(Err(status))),
            None => Either::Right(Either::Right(Box::pin(later(self.inner.clone(), request)))),
        }
    }
}

async fn later<S: Guarded<T>, T>(inner: S, request: Routed<T>) -> Result<Response<Body>, Status> {
    let (mut request, rest) = request.take();
    let policy = Arc::clone(&request.policy);
    request.admitted = policy.access.admit(&request.head).await?;
    inner.oneshot(request.with(rest)).await
}
