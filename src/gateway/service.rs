//! [`Worker`]: the service that answers requests on one thread.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use http::header::{ALLOW, ORIGIN};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tower::Service;

use crate::middleware::access::{Access, Admitted};
use crate::middleware::cors;
use crate::middleware::stack::{self, Edge};
use crate::protocol::body::Received;
use crate::protocol::{Adapter, Body, Client, Outcome, Target, adapter, detect, websocket};
use crate::route::Captures;
use crate::rpc::Status;
use crate::telemetry::access_log::AccessLog;
use crate::upstream::Pool;

use super::Gateway;
use super::exchange::{exchange, upgrade};
use super::resolve::{Resolved, resolve};
use super::snapshot::Snapshot;

/// Answers requests on the thread that it was made on; clones share its connections.
#[derive(Clone)]
pub struct Worker(Edge<Serve>);

impl Worker {
    pub(super) fn new(gateway: Arc<Gateway>, access_log: AccessLog) -> Self {
        let pool = gateway.pool();
        let serve = Serve { gateway, pool, reconciled: Arc::new(AtomicU64::new(0)) };
        serve.snapshot();
        tokio::spawn(serve.clone().follow());
        Self(stack::edge(serve, access_log))
    }
}

impl Service<Request<AxumBody>> for Worker {
    type Response = Response<AxumBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<AxumBody>) -> Self::Future {
        Answering { answered: self.0.call(request) }
    }
}

pin_project_lite::pin_project! {
    /// The answer of a [`Worker`] to come, with the body that axum passes on.
    pub struct Answering {
        #[pin]
        answered: <Edge<Serve> as Service<Request<AxumBody>>>::Future,
    }
}

impl Future for Answering {
    type Output = Result<Response<AxumBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().answered.poll(cx).map_ok(|response| response.map(AxumBody::new))
    }
}

/// What the edge ring stands around.
#[derive(Clone)]
pub(super) struct Serve {
    gateway: Arc<Gateway>,
    pool: Pool,
    /// The generation whose upstreams the pool has.
    reconciled: Arc<AtomicU64>,
}

impl Service<Request<AxumBody>> for Serve {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<AxumBody>) -> Self::Future {
        Box::pin(serve(self.snapshot(), self.pool.clone(), request))
    }
}

impl Serve {
    /// The current snapshot, with the pool in line with it.
    fn snapshot(&self) -> Arc<Snapshot> {
        let snapshot = self.gateway.snapshot();
        if self.reconciled.swap(snapshot.generation, Ordering::Relaxed) != snapshot.generation {
            self.pool.reconcile(&snapshot.upstreams);
        }
        snapshot
    }

    /// Takes each new snapshot, so that a worker without requests is connected, too. Ends with the
    /// worker's runtime.
    async fn follow(self) {
        let mut generation = self.gateway.generation.subscribe();
        while generation.changed().await.is_ok() {
            self.snapshot();
        }
    }
}

async fn serve(
    snapshot: Arc<Snapshot>,
    pool: Pool,
    request: Request<AxumBody>,
) -> Result<Response<Body>, Infallible> {
    let client = detect::detect(&request);
    let (mut head, body) = request.into_parts();
    if client == Client::WebSocket {
        websocket::take_token(&mut head.headers);
    }
    let (method, version) = (head.method.clone(), head.version);
    let origin = head.headers.get(ORIGIN).cloned();
    let outcome = Arc::new(Outcome::new(client));
    let resolved = resolve(&snapshot.routes, client, &head);
    if client == Client::WebSocket
        && let Ok(Resolved::Call { target, .. }) = &resolved
    {
        websocket::take_cookie(&mut head.headers, target);
    }
    let access = resolved.as_ref().ok().and_then(Resolved::access).cloned();
    let answered = match resolved {
        Ok(resolved) => answer(resolved, pool, client, (head, body), &outcome).await,
        Err(status) => Err(status),
    };
    let mut response = answered.unwrap_or_else(|status| {
        outcome.fail(&status);
        let target = outcome.target().map(Arc::as_ref);
        adapter::refuse(client, &method, version, &status, target, &snapshot.codec)
    });
    // Errors too: a page that may call shall see why it was refused.
    if let Some(access) = access {
        cors::share(&access.cors, origin.as_ref(), response.headers_mut());
    }
    response.extensions_mut().insert(outcome);
    Ok(response)
}

async fn answer(
    resolved: Resolved,
    pool: Pool,
    client: Client,
    (head, body): (Parts, AxumBody),
    outcome: &Arc<Outcome>,
) -> Result<Response<Body>, Status> {
    let body = Received::new(body, Arc::clone(outcome));
    match resolved {
        Resolved::Options { allow } => Ok(options(allow)),
        Resolved::Preflight { access, method } => cors::answer(&access.cors, &head, &method),
        Resolved::Call { target, access, captures } => {
            outcome.set_target(&target);
            let admitted = admit(&access, client, &head, &target)?;
            let captures: Vec<&str> = captures.iter().flat_map(Captures::iter).collect();
            if client == Client::WebSocket {
                return upgrade(head, &captures, target, admitted, Arc::clone(outcome), pool);
            }
            exchange(client, (head, body), &captures, target, admitted, Arc::clone(outcome), pool).await
        }
        Resolved::Head { target, access, captures } => {
            outcome.set_target(&target);
            let admitted = admit(&access, client, &head, &target)?;
            // A stream's headers are known without calling anybody.
            if let Some(response) = Adapter::choose(client, &head, &target)?.headers_only() {
                return Ok(response);
            }
            let captures: Vec<&str> = captures.iter().collect();
            exchange(client, (head, body), &captures, target, admitted, Arc::clone(outcome), pool).await
        }
    }
}

/// The route ring, in order.
fn admit(access: &Access, client: Client, head: &Parts, target: &Target) -> Result<Admitted, Status> {
    match client {
        // No page sends gRPC without a preflight: its media type is not safelisted (Fetch §2.2.2).
        Client::Grpc => {}
        // A page opens any socket, with its cookies and without a preflight.
        Client::WebSocket => websocket::admit_origin(head, target)?,
        Client::Rest | Client::EventSource => cors::check_cookies(&access.cors, head)?,
    }
    access.admit(head)
}

fn options(allow: http::HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow);
    response
}
