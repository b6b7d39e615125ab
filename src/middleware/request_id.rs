//! `x-request-id`: a name for each request, for logs on both sides.
//!
//! A well-formed one is taken from the client, else one is made; it goes upstream as metadata and comes
//! back with the response.

use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use tower::{Layer, Service};

/// The name of the header.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest that is taken from a client.
const MAX_LENGTH: usize = 128;

/// Adds [`RequestId`].
#[derive(Clone, Copy, Debug)]
pub struct RequestIdLayer;

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestId<S>;

    fn layer(&self, inner: S) -> RequestId<S> {
        RequestId { inner }
    }
}

/// Names requests.
#[derive(Clone, Debug)]
pub struct RequestId<S> {
    inner: S,
}

impl<S, B, C> Service<Request<B>> for RequestId<S>
where
    S: Service<Request<B>, Response = Response<C>>,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = Named<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let headers = request.headers_mut();
        let mut id = headers.get(X_REQUEST_ID).filter(|id| is_well_formed(id)).cloned().unwrap_or_else(make);
        // A value that never comes again would only drive others out of HPACK's table (RFC 7541 §7.1.3).
        id.set_sensitive(true);
        headers.insert(X_REQUEST_ID, id.clone());
        Named { answered: self.inner.call(request), id: Some(id) }
    }
}

pin_project_lite::pin_project! {
    /// Gives the response its name.
    #[derive(Debug)]
    pub struct Named<F> {
        #[pin]
        answered: F,
        id: Option<HeaderValue>,
    }
}

impl<F, B, E> Future for Named<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answered.poll(cx))?;
        if let Some(id) = this.id.take() {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        Poll::Ready(Ok(response))
    }
}

/// What may stand in a log line as it is.
fn is_well_formed(id: &HeaderValue) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(allowed)
}

/// Sixteen hexadecimal digits, different for each request and each process.
fn make() -> HeaderValue {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = SEED.hash_one(COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(format!("{id:016x}")).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt as _, service_fn};

    use super::*;

    async fn exchange(sent: Option<&'static str>) -> (HeaderValue, HeaderValue) {
        let echo = service_fn(|request: Request<()>| async move {
            Ok::<_, Infallible>(Response::new(request.headers()[X_REQUEST_ID].clone()))
        });
        let mut request = Request::new(());
        if let Some(sent) = sent {
            request.headers_mut().insert(X_REQUEST_ID, HeaderValue::from_static(sent));
        }
        let response = RequestIdLayer.layer(echo).oneshot(request).await.unwrap();
        (response.headers()[X_REQUEST_ID].clone(), response.into_body())
    }

    #[tokio::test]
    async fn a_well_formed_name_is_kept_and_any_other_replaced() {
        assert_eq!(
            exchange(Some("a.B-1_")).await,
            (HeaderValue::from_static("a.B-1_"), HeaderValue::from_static("a.B-1_"))
        );
        for bad in [None, Some(""), Some("a b"), Some("a\"b")] {
            let (returned, passed) = exchange(bad).await;
            assert_eq!(returned, passed);
            assert_eq!(returned.len(), 16, "{bad:?}");
        }
        assert_ne!(exchange(None).await, exchange(None).await);
    }
}
