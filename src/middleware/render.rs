//! Failures become answers: the layer behind which there is no [`Status`] any more, only responses in the
//! language of each client.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use tower::{Layer, Service};

use super::routed::{Guarded, Routed};
use crate::protocol::Body;
use crate::protocol::adapter::Refusal;
use crate::rpc::Status;

/// Adds [`Render`].
#[derive(Clone, Copy, Debug)]
pub struct RenderLayer;

impl<S> Layer<S> for RenderLayer {
    type Service = Render<S>;

    fn layer(&self, inner: S) -> Render<S> {
        Render { inner }
    }
}

/// Renders failures.
#[derive(Clone, Debug)]
pub struct Render<S> {
    inner: S,
}

impl<S: Guarded<T>, T> Service<Routed<T>> for Render<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Rendering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Nothing behind it waits for anything before it has a request; a failure will be that request's.
        self.inner.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, request: Routed<T>) -> Self::Future {
        let refusal = request.refusal.clone();
        Rendering { answered: self.inner.call(request), refusal }
    }
}

pin_project_lite::pin_project! {
    /// Waits for an answer or a failure.
    #[derive(Debug)]
    pub struct Rendering<F> {
        #[pin]
        answered: F,
        refusal: Refusal,
    }
}

impl<F> Future for Rendering<F>
where
    F: Future<Output = Result<Response<Body>, Status>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answered = ready!(this.answered.poll(cx));
        let mut response = answered.unwrap_or_else(|status| this.refusal.answer(&status));
        response.extensions_mut().insert(Arc::clone(this.refusal.outcome()));
        Poll::Ready(Ok(response))
    }
}
