//! The front door: refuses what no server may take, gives every request what it travels with, and
//! hands it to an `axum::Router` whose fallback is the gateway.
//!
//! Routes of Transom's own (a console, an OpenAPI document) would stand in that router; all others are
//! the gateway's.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tower::Service;

use super::activity::{Activity, InFlight};
use super::admit::{self, Refusal};
use super::limits::Limits;
use super::upload::Upload;
use crate::telemetry::access_log::{AccessLog, Entry};
use crate::telemetry::guard::{ClientInfo, Draining, Handover};

/// What all connections of one worker share.
#[derive(Clone)]
pub(super) struct Door {
    router: axum::Router,
    access_log: AccessLog,
    draining: Draining,
    limits: Arc<Limits>,
}

impl Door {
    /// A door that leads to `router`.
    pub(super) const fn new(
        router: axum::Router,
        access_log: AccessLog,
        draining: Draining,
        limits: Arc<Limits>,
    ) -> Self {
        Self { router, access_log, draining, limits }
    }

    /// The door for a client.
    pub(super) fn open(&self, client: ClientInfo) -> Front {
        Front { door: self.clone(), client, activity: None }
    }
}

/// The service that hyper calls for each request of one connection.
#[derive(Clone)]
pub(super) struct Front {
    door: Door,
    client: ClientInfo,
    /// Where requests are counted; none before the protocol is known.
    activity: Option<Arc<Activity>>,
}

impl Front {
    /// The signal of the drain.
    pub(super) const fn draining(&self) -> &Draining {
        &self.door.draining
    }

    /// Counts requests in `activity` from now on.
    pub(super) fn on(mut self, activity: Arc<Activity>) -> Self {
        self.activity = Some(activity);
        self
    }

    fn refuse(&self, refusal: Refusal, request: &Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let response = refusal.response();
        if self.door.access_log.is_enabled() {
            let mut entry =
                Entry::new(request.method().clone(), request.uri(), request.version(), self.client.peer);
            refusal.describe(&mut entry);
            entry.bytes_out = http_body::Body::size_hint(response.body()).exact().unwrap_or_default();
            entry.duration = started.elapsed();
            self.door.access_log.write(entry);
        }
        response
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        let in_flight = self.activity.as_ref().map(InFlight::new);
        let state = match admit::check(&request, &self.door.limits) {
            Ok(()) => {
                request.extensions_mut().insert(self.client.clone());
                request.extensions_mut().insert(self.door.draining.clone());
                // A router is an `Arc`; calling it needs a clone of its own.
                let mut router = self.door.router.clone();
                State::Routed(match request.version() {
                    Version::HTTP_2 => router.call(request.map(Upload::new)),
                    _ => router.call(request),
                })
            }
            Err(refusal) => State::Refused(Some(self.refuse(refusal, &request))),
        };
        Answer { state, in_flight }
    }
}

/// The answer to come.
pub(super) struct Answer {
    state: State,
    in_flight: Option<InFlight>,
}

enum State {
    Routed(RouteFuture<Infallible>),
    Refused(Option<Response<Body>>),
}

impl Future for Answer {
    type Output = Result<Response<Counted>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.state {
            State::Routed(future) => std::task::ready!(Pin::new(future).poll(cx))?,
            State::Refused(response) => response.take().unwrap_or_default(),
        };
        let mut in_flight = self.in_flight.take();
        if let Some(handover) = response.extensions().get::<Handover>() {
            handover.add(in_flight.take());
        }
        Poll::Ready(Ok(response.map(|body| Counted { body, in_flight })))
    }
}

/// The body of an answer; with its end the request ends.
pub(super) struct Counted {
    body: Body,
    in_flight: Option<InFlight>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.in_flight.as_mut().map(InFlight::asked);
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(&frame, Poll::Ready(Some(Ok(frame))) if frame.is_data()) {
            self.in_flight.as_mut().map(InFlight::handed_over);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
