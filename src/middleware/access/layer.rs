//! The layer that lets nobody past who may not call.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready as poll_ready};

use futures_util::future::Either;
use http::Response;
use tower::{Layer, Service};

use crate::middleware::identity::Identity;
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
    type Future = Either<Ready<Result<Response<Body>, Status>>, Authorized<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Routed<T>) -> Self::Future {
        match request.policy.access.admit(&request.head) {
            Ok(admitted) => {
                let told =
                    request.policy.headers.tells_claims().then(|| admitted.identity().cloned()).flatten();
                request.admitted = admitted;
                Either::Right(Authorized { answered: self.inner.call(request), told })
            }
            Err(status) => Either::Left(ready(Err(status))),
        }
    }
}

pin_project_lite::pin_project! {
    /// Waits for the answer to a caller.
    #[derive(Debug)]
    pub struct Authorized<F> {
        #[pin]
        answered: F,
        // Where the answer tells of it.
        told: Option<Arc<Identity>>,
    }
}

impl<F> Future for Authorized<F>
where
    F: Future<Output = Result<Response<Body>, Status>>,
{
    type Output = Result<Response<Body>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = poll_ready!(this.answered.poll(cx))?;
        if let Some(identity) = this.told.take() {
            response.extensions_mut().insert(identity);
        }
        Poll::Ready(Ok(response))
    }
}
