//! [`Worker`]: the service that answers requests on one thread.
//!
//! Here the rings are put around each other: the edge ring, then the route is found, then the outer half of
//! the route ring, [`Dispatch`], the inner half, and [`Exchange`].

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use http::{Request, Response};
use tokio::sync::watch;
use tower::Service;

use crate::middleware::access::Admitted;
use crate::middleware::routed::Routed;
use crate::middleware::stack::{self, Answers, Edge};
use crate::protocol::adapter::Refusal;
use crate::protocol::{Body, Client, Outcome, detect, websocket};
use crate::telemetry::access_log::AccessLog;
use crate::upstream::Pool;

use super::Gateway;
use super::credentials;
use super::dispatch::{Dispatch, Incoming};
use super::exchange::Exchange;
use super::resolve::{Resolution, Resolved, resolve};
use super::snapshot::Snapshot;

/// Answers requests on the thread that it was made on; clones share its connections.
#[derive(Clone)]
pub struct Worker(Edge<Serve>);

impl Worker {
    pub(super) fn new(gateway: Arc<Gateway>, access_log: AccessLog) -> Self {
        let pool = gateway.pool();
        let calls = stack::calls(Exchange::new(pool.clone()), &gateway.buckets);
        let answers = stack::answers(Dispatch::new(calls));
        let trusted = Arc::clone(&gateway.trusted);
        let serve = Serve { gateway, pool, reconciled: Arc::new(AtomicU64::new(0)), answers };
        // Before the first look: what comes after it is a change.
        let generations = serve.gateway.generation.subscribe();
        serve.snapshot();
        tokio::spawn(serve.clone().follow(generations));
        Self(stack::edge(serve, access_log, &trusted))
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

/// What the edge ring stands around: a request meets the snapshot that it sees to its end, and its route.
#[derive(Clone)]
pub(super) struct Serve {
    gateway: Arc<Gateway>,
    pool: Pool,
    /// The generation whose upstreams the pool has.
    reconciled: Arc<AtomicU64>,
    answers: Answers<Dispatch>,
}

impl Service<Request<AxumBody>> for Serve {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Answers<Dispatch> as Service<Routed<Incoming>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.answers.poll_ready(cx)
    }

    fn call(&mut self, request: Request<AxumBody>) -> Self::Future {
        let snapshot = self.snapshot();
        let client = detect::detect(&request);
        let (mut head, body) = request.into_parts();
        if client == Client::WebSocket {
            websocket::take_token(&mut head.headers);
        }
        let Resolution { policy, resolved } = resolve(&snapshot.routes, client, &head);
        if let (Client::WebSocket, Resolved::Call { target, .. }) = (client, &resolved) {
            websocket::take_cookie(&mut head.headers, target);
        }
        credentials::take(&policy.access, &mut head);
        let refusal = Refusal::of(&head, &Arc::new(Outcome::new(client)), &snapshot.codec);
        let rest = Incoming { resolved, body };
        self.answers.call(Routed { head, policy, refusal, admitted: Admitted::default(), rest })
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
    async fn follow(self, mut generation: watch::Receiver<u64>) {
        while generation.changed().await.is_ok() {
            self.snapshot();
        }
    }
}
