//! The layer that says on every answer whether the page that asked may read it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::ORIGIN;
use http::{HeaderValue, Response};
use tower::{Layer, Service};

use crate::middleware::routed::{RoutePolicy, Routed};
use crate::protocol::Body;

/// Adds [`Share`].
#[derive(Clone, Copy, Debug)]
pub struct ShareLayer;

impl<S> Layer<S> for ShareLayer {
    type Service = Share<S>;

    fn layer(&self, inner: S) -> Share<S> {
        Share { inner }
    }
}

/// Shares answers.
#[derive(Clone, Debug)]
pub struct Share<S> {
    inner: S,
}

impl<S, T> Service<Routed<T>> for Share<S>
where
    S: Service<Routed<T>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Sharing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Routed<T>) -> Self::Future {
        let policy = Arc::clone(&request.policy);
        let origin = request.head.headers.get(ORIGIN).cloned();
        Sharing { answered: self.inner.call(request), policy, origin }
    }
}

pin_project_lite::pin_project! {
    /// Waits for an answer that a page may read.
    #[derive(Debug)]
    pub struct Sharing<F> {
        #[pin]
        answered: F,
        policy: Arc<RoutePolicy>,
        origin: Option<HeaderValue>,
    }
}

impl<F, E> Future for Sharing<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answered.poll(cx))?;
        this.policy.cors.share(this.origin.as_ref(), response.headers_mut());
        Poll::Ready(Ok(response))
    }
}
