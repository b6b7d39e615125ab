//! The panic guard: a panic while a request is served becomes that request's own error, in its client's
//! language, and is logged. Nothing should ever panic; this is for when something does.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use http::{Request, Response};
use tower::{Layer, Service};

use crate::protocol::{Body, adapter, detect};
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
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = detect::detect(&request);
        let (method, version) = (request.method().clone(), request.version());
        let answered = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let Ok(answered) = answered.await else {
                tracing::error!("a request has panicked: this is a mistake in Transom, please report it");
                let message = "the gateway failed";
                let status = Status::new(Code::Internal, Origin::Gateway, "PANIC", message);
                return Ok(adapter::refuse_bare(client, &method, version, &status));
            };
            answered
        })
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
