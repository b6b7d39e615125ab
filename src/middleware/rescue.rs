//! The panic guard: a panic while a request is served becomes that request's own error, in its client's
//! language, and is logged. Nothing should ever panic; this is for when something does.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::CatchUnwind;
use http::{Method, Request, Response, Version};
use tower::{Layer, Service};

use crate::protocol::{Body, Client, adapter, detect};
use crate::rpc::{Code, Origin, Status};

/// Adds [`Rescue`].
#[derive(Clone, Copy, Debug)]
pub struct RescueLayer;

impl<S> Layer<S> for RescueLayer {
    type Service = Rescue<S>;

    fn layer(&self, inner: S) -> Rescue<S> {
        Rescue { inner }
    }
}

/// Catches panics.
#[derive(Clone, Debug)]
pub struct Rescue<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Rescue<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Rescued<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asker = Asker {
            client: detect::detect(&request),
            method: request.method().clone(),
            version: request.version(),
        };
        Rescued { answered: AssertUnwindSafe(self.inner.call(request)).catch_unwind(), asker }
    }
}

/// What must be known of a request to refuse it.
#[derive(Debug)]
struct Asker {
    client: Client,
    method: Method,
    version: Version,
}

pin_project_lite::pin_project! {
    /// Answers for a service that has panicked.
    #[derive(Debug)]
    pub struct Rescued<F> {
        #[pin]
        answered: CatchUnwind<AssertUnwindSafe<F>>,
        asker: Asker,
    }
}

impl<F> Future for Rescued<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(ready!(this.answered.poll(cx)).unwrap_or_else(|_| {
            tracing::error!("a request has panicked: this is a mistake in Transom, please report it");
            let status = Status::new(Code::Internal, Origin::Gateway, "PANIC", "the gateway failed");
            Ok(adapter::refuse_bare(this.asker.client, &this.asker.method, this.asker.version, &status))
        }))
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_request() {
        let panics = service_fn(|_: Request<()>| async { panic!("on purpose") });
        let response = RescueLayer.layer(panics).oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 500);
    }
}
