//! A layer that calls out to decide, as an external authorization would, in its place in the ring.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use tower::{Layer, Service, ServiceExt as _, service_fn};

use super::*;
use crate::middleware::access::Admitted;
use crate::middleware::routed::{Guarded, RoutePolicy, Routed};
use crate::protocol::adapter::Refusal;
use crate::protocol::{Body, Client, Outcome};
use crate::rpc::{
    Attempt, Call, CallPolicy, Caller, Code, Compression, Kind, Message, Messages, Metadata, Method, Origin,
    Reply, Status,
};

/// Asks a service behind a [`Caller`] about every request.
#[derive(Clone)]
struct AskLayer<C>(C);

#[derive(Clone)]
struct Ask<C, S> {
    caller: C,
    inner: S,
}

impl<C: Clone, S> Layer<S> for AskLayer<C> {
    type Service = Ask<C, S>;

    fn layer(&self, inner: S) -> Ask<C, S> {
        Ask { caller: self.0.clone(), inner }
    }
}

impl<C, S, T> Service<Routed<T>> for Ask<C, S>
where
    C: Caller,
    S: Guarded<T, Future: Send> + Clone + Send + 'static,
    T: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Routed<T>) -> Self::Future {
        let (caller, mut inner) = (self.caller.clone(), self.inner.clone());
        Box::pin(async move {
            caller.oneshot(question(&request.head)).await?;
            inner.call(request).await
        })
    }
}

fn question(head: &http::request::Parts) -> Call {
    Call {
        method: Method::new("/auth.v1.Auth/Check").unwrap(),
        kind: Kind::Unary,
        idempotent: true,
        affinity: None,
        policy: Arc::new(CallPolicy {
            upstream: "auth".into(),
            message_limit: 4096,
            in_flight: 1,
            streams: 1,
            idle: None,
            age: None,
            retry: None,
            hedge: None,
            compression: Compression::default(),
        }),
        metadata: Metadata::new(),
        deadline: None,
        encoding: None,
        accept_encoding: None,
        attempt: Attempt::default(),
        messages: Messages::One(Message::from(Bytes::copy_from_slice(head.uri.path().as_bytes()))),
    }
}

/// Lets `/open` pass.
fn oracle() -> impl Caller {
    service_fn(|call: Call| {
        let Messages::One(message) = call.messages else { panic!("one message") };
        let denied = || Status::new(Code::PermissionDenied, Origin::Client, "DENIED", "no");
        ready(if *message.bytes == *b"/open" {
            Ok(Reply {
                metadata: Metadata::new(),
                encoding: None,
                frames: Box::pin(futures_util::stream::empty()),
            })
        } else {
            Err(denied())
        })
    })
}

fn routed(path: &str) -> Routed<()> {
    let (head, ()) = http::Request::builder().uri(path).body(()).unwrap().into_parts();
    let refusal = Refusal::bare(&head, &Arc::new(Outcome::new(Client::Rest)));
    Routed {
        head,
        policy: Arc::new(RoutePolicy::default()),
        refusal,
        admitted: Admitted::default(),
        rest: (),
    }
}

#[tokio::test]
async fn who_calls_out_is_a_layer_with_a_caller() {
    let called = service_fn(|_: Routed<()>| ready(Ok::<_, Status>(Response::new(Body::empty()))));
    let asked = AskLayer(oracle()).layer(calls(called, &Arc::default()));
    let ring = answers(asked);
    for (path, status) in [("/open", 200), ("/closed", 403)] {
        let response = ring.clone().oneshot(routed(path)).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert!(response.extensions().get::<Arc<Outcome>>().is_some());
    }
}
