//! One line a request, when its body has ended: this layer gathers what the line says.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use tower::{Layer, Service};

use crate::protocol::body::Aborted;
use crate::protocol::{Body, Outcome};
use crate::telemetry::access_log::{AccessLog, End, Entry};
use crate::telemetry::guard::Handover;
use crate::telemetry::{ClientInfo, Draining};

use super::request_id::X_REQUEST_ID;

/// Adds [`Logged`].
#[derive(Clone, Debug)]
pub struct AccessLogLayer {
    log: AccessLog,
}

impl AccessLogLayer {
    /// Writes to `log`.
    #[must_use]
    pub const fn new(log: AccessLog) -> Self {
        Self { log }
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged { inner, log: self.log.clone() }
    }
}

/// Logs requests.
#[derive(Clone, Debug)]
pub struct Logged<S> {
    inner: S,
    log: AccessLog,
}

impl<S, B> Service<Request<B>> for Logged<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<LoggedBody>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let record = self.log.is_enabled().then(|| Box::new(Record::new(&request, self.log.clone())));
        Answering { answered: self.inner.call(request), record }
    }
}

pin_project_lite::pin_project! {
    /// Waits for the response, to log it with its body.
    #[derive(Debug)]
    pub struct Answering<F> {
        #[pin]
        answered: F,
        record: Option<Box<Record>>,
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = Result<Response<LoggedBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answered.poll(cx))?;
        let mut record = this.record.take();
        if let Some(record) = &mut record {
            record.answer(&response);
        }
        if let Some(handover) = response.extensions().get::<Handover>() {
            handover.add(record.take());
        }
        Poll::Ready(Ok(response.map(|inner| LoggedBody { inner, record })))
    }
}

/// A body that is logged when it ends or is dropped.
#[derive(Debug)]
pub struct LoggedBody {
    inner: Body,
    record: Option<Box<Record>>,
}

impl http_body::Body for LoggedBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let is_last = self.inner.is_end_stream();
        if let Some(record) = &mut self.record {
            record.sent(frame.as_ref(), is_last);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What is known of one request. Dropping it writes the line, whoever drops it.
#[derive(Debug)]
struct Record {
    /// `None` when it is written.
    entry: Option<Entry>,
    started: Instant,
    log: AccessLog,
    outcome: Option<Arc<Outcome>>,
    draining: Option<Draining>,
}

impl Record {
    fn new<B>(request: &Request<B>, log: AccessLog) -> Self {
        let draining = request.extensions().get::<Draining>().cloned();
        let client = request.extensions().get::<ClientInfo>();
        let text =
            |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
        let entry = Entry {
            request_id: text(X_REQUEST_ID).unwrap_or_default(),
            host: authority.or_else(|| text(HOST)),
            // Until the body has been taken to its end, the client has left before it.
            end: End::ClientGone,
            told: client.and_then(|client| client.told),
            ..Entry::new(
                request.method().clone(),
                request.uri(),
                request.version(),
                client.and_then(|client| client.peer),
            )
        };
        Self { entry: Some(entry), started: Instant::now(), log, outcome: None, draining }
    }

    fn answer(&mut self, response: &Response<Body>) {
        self.outcome = response.extensions().get::<Arc<Outcome>>().cloned();
        let Some(entry) = &mut self.entry else { return };
        entry.status = response.status().as_u16();
        // An upgraded connection goes on behind its answer.
        let goes_on = response.extensions().get::<Handover>().is_some();
        if !goes_on && (response.body().is_end_stream() || entry.method == Method::HEAD) {
            entry.end = End::Complete;
        }
    }

    fn sent(&mut self, frame: Option<&Result<Frame<Bytes>, Aborted>>, is_last: bool) {
        let Some(entry) = &mut self.entry else { return };
        match frame {
            // Nothing follows trailers, and nobody asks for more.
            Some(Ok(frame)) if frame.is_trailers() => entry.end = End::Complete,
            Some(Ok(frame)) => entry.bytes_out += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(Aborted)) => entry.end = End::Error,
            None => entry.end = End::Complete,
        }
        if is_last {
            entry.end = End::Complete;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.duration = self.started.elapsed();
        if self.outcome.as_ref().is_some_and(|outcome| outcome.is_closed()) {
            entry.end = End::Complete;
        }
        // Not the client has left, when it was sent away.
        if entry.end == End::ClientGone && self.draining.as_ref().is_some_and(Draining::is_expired) {
            entry.end = End::Drain;
        }
        if let Some(outcome) = &self.outcome {
            entry.protocol = outcome.client().name();
            if let Some(target) = outcome.target() {
                entry.rpc_method = Some(Arc::clone(&target.method_name));
                entry.kind = Some(target.kind.name());
            }
            entry.code = outcome.code();
            entry.origin = outcome.origin();
            entry.reason = outcome.reason().map(str::to_owned);
            entry.bytes_in = outcome.bytes_in();
            entry.bytes_out += outcome.bytes_out();
            entry.messages_in = outcome.messages_in();
            entry.messages_out = outcome.messages_out();
        }
        self.log.write(entry);
    }
}

#[cfg(test)]
mod tests;
