//! [`DeadlineLayer`]: one timer over all that a call does, from the queue to the last frame of its answer.
//!
//! It also ends streams that are idle or too old. What remains of the time is told to the upstream by
//! whoever sends the call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::failure;
use super::timer::Timer;
use crate::rpc::{Call, Frame, Kind, Reply, ReplyStream, Status};

/// See the module.
#[derive(Clone, Copy)]
pub struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner }
    }
}

/// A service that keeps the time of calls to another.
#[derive(Clone)]
pub struct Deadline<S> {
    inner: S,
}

impl<S> Service<Call> for Deadline<S>
where
    S: Service<Call, Response = Reply, Error = Status>,
{
    type Response = Reply;
    type Error = Status;
    type Future = Timed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        let mut timer = Timer::new(call.deadline);
        if timer.remaining().is_some_and(|remaining| remaining.is_zero()) {
            return Timed { timer: None, reply: None };
        }
        if call.kind != Kind::Unary {
            timer.limit(call.policy.age, call.policy.idle, &mut call.messages);
        }
        Timed { timer: Some(timer), reply: Some(self.inner.call(call)) }
    }
}

pin_project! {
    /// The reply to a call, if it comes in time.
    pub struct Timed<F> {
        // Until it goes on with the frames.
        timer: Option<Timer>,
        // None: there was no time left to make the call in.
        #[pin]
        reply: Option<F>,
    }
}

impl<F: Future<Output = Result<Reply, Status>>> Future for Timed<F> {
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(reply) = this.reply.as_pin_mut() else {
            return Poll::Ready(Err(failure::deadline_exceeded()));
        };
        let outcome = match reply.poll(cx) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                let Some(timer) = this.timer else { return Poll::Pending };
                return timer.poll_passed(cx).map(Err);
            }
        };
        let Some(timer) = this.timer.take() else { return Poll::Ready(outcome) };
        Poll::Ready(match outcome {
            Ok(reply) if timer.is_set() => {
                let frames = Box::pin(TimedFrames { frames: Some(reply.frames), timer });
                Ok(Reply { frames, ..reply })
            }
            Ok(reply) => Ok(reply),
            Err(status) => Err(timer.explain(status)),
        })
    }
}

/// The frames of an answer, for as long as there is time.
struct TimedFrames {
    /// Dropped when the time is over, which cancels the call.
    frames: Option<ReplyStream>,
    timer: Timer,
}

impl TimedFrames {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, Status>>> {
        let Some(frames) = &mut self.frames else { return Poll::Ready(None) };
        if let Poll::Ready(status) = self.timer.poll_passed(cx) {
            return Poll::Ready(Some(Err(status)));
        }
        let frame = ready!(frames.as_mut().poll_next(cx));
        self.timer.alive();
        Poll::Ready(frame.map(|frame| frame.map_err(|status| self.timer.explain(status))))
    }
}

impl Stream for TimedFrames {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = ready!(self.poll_frame(cx));
        if !matches!(frame, Some(Ok(Frame::Message(_)))) {
            self.frames = None;
        }
        Poll::Ready(frame)
    }
}
