//! [`AdmitLayer`]: refuses calls while as many as their policy allows are in flight (gRFC A32).
//!
//! A call counts until its answer has ended, not until it has begun. The limits are those of each call's
//! policy, the counts are those of the process.

mod admission;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

pub use admission::{Admission, Permit};

use super::failure;
use super::lane::Sort;
use crate::rpc::{Call, Frame, Reply, ReplyStream, Status};

/// See the module.
#[derive(Clone)]
pub struct AdmitLayer {
    upstream: Arc<str>,
    admission: Arc<Admission>,
}

impl AdmitLayer {
    /// A layer for the upstream of a name; its counts may be shared with others.
    pub const fn new(upstream: Arc<str>, admission: Arc<Admission>) -> Self {
        Self { upstream, admission }
    }
}

impl<S> Layer<S> for AdmitLayer {
    type Service = Admit<S>;

    fn layer(&self, inner: S) -> Admit<S> {
        Admit { inner, layer: self.clone() }
    }
}

/// A service that admits calls to another.
#[derive(Clone)]
pub struct Admit<S> {
    inner: S,
    layer: AdmitLayer,
}

impl<S> Service<Call> for Admit<S>
where
    S: Service<Call, Response = Reply, Error = Status>,
{
    type Response = Reply;
    type Error = Status;
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let AdmitLayer { upstream, admission } = &self.layer;
        match admission.admit(Sort::of(call.kind), &call.policy) {
            Some(permit) => Admitted::Sent { permit: Some(permit), reply: self.inner.call(call) },
            None => Admitted::Refused { upstream: Arc::clone(upstream) },
        }
    }
}

pin_project! {
    /// The reply to a call, if it was admitted.
    #[project = Project]
    pub enum Admitted<F> {
        Sent { permit: Option<Permit>, #[pin] reply: F },
        Refused { upstream: Arc<str> },
    }
}

impl<F: Future<Output = Result<Reply, Status>>> Future for Admitted<F> {
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Project::Sent { permit, reply } => {
                let reply = ready!(reply.poll(cx))?;
                let frames = Box::pin(Counted { frames: reply.frames, permit: permit.take() });
                Poll::Ready(Ok(Reply { frames, ..reply }))
            }
            Project::Refused { upstream } => Poll::Ready(Err(failure::overloaded(upstream))),
        }
    }
}

/// The frames of an answer that counts until its last.
struct Counted {
    frames: ReplyStream,
    permit: Option<Permit>,
}

impl Stream for Counted {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = ready!(self.frames.as_mut().poll_next(cx));
        if !matches!(frame, Some(Ok(Frame::Message(_)))) {
            self.permit = None;
        }
        Poll::Ready(frame)
    }
}
