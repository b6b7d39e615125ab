//! [`RetryLayer`]: sends a call that failed again, where that does no harm (gRFC A6).
//!
//! The decisions are those of [`Attempts`], a pure state machine. A call is committed when the head of an
//! answer has arrived: whatever fails before has brought nothing to the client.

mod attempts;
mod budget;
mod throttle;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::sleep;
use tower::{Layer, Service};

use self::attempts::{Attempts, Next};
pub use self::budget::{Budget, Copies, Memory};
pub use self::throttle::Throttle;
use super::random::Random;
use super::timer;
use crate::rpc::{self, Again, Attempt, Call, Reply, Status, Tried};

/// More attempts than this are never made (gRFC A6).
pub const MOST: u32 = 5;

/// See the module.
#[derive(Clone)]
pub struct RetryLayer {
    budget: Budget,
    random: Arc<Random>,
}

impl RetryLayer {
    /// A layer for one upstream, whose tokens and memory may be shared with others.
    pub fn new(budget: Budget) -> Self {
        Self { budget, random: Arc::new(Random::new()) }
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Retry<S> {
        Retry { inner, layer: self.clone() }
    }
}

/// A service that retries calls to another.
#[derive(Clone)]
pub struct Retry<S> {
    inner: S,
    layer: RetryLayer,
}

impl<S> Service<Call> for Retry<S>
where
    S: Service<Call, Response = Reply, Error = Status, Future: Send> + Clone + Send + 'static,
{
    type Response = Reply;
    type Error = Status;
    type Future = Retried<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let RetryLayer { budget, random } = self.layer.clone();
        let retries = call.policy.retry.as_ref().is_some_and(|retry| retry.attempts > 1);
        if !retries || !call.idempotent {
            return Retried::Once { reply: self.inner.call(call), budget };
        }
        match budget.keep(call) {
            Ok(copies) => {
                Retried::Many { reply: Box::pin(repeat(self.inner.clone(), copies, budget, random)) }
            }
            Err(call) => Retried::Once { reply: self.inner.call(*call), budget },
        }
    }
}

pin_project! {
    /// The reply to a call that may be sent again.
    #[project = Project]
    pub enum Retried<F> {
        // It may not.
        Once { #[pin] reply: F, budget: Budget },
        Many { reply: Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>> },
    }
}

impl<F: Future<Output = Result<Reply, Status>>> Future for Retried<F> {
    type Output = Result<Reply, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Project::Once { reply, budget } => {
                let outcome = ready!(reply.poll(cx));
                if outcome.is_ok() {
                    budget.tokens.succeeded();
                }
                Poll::Ready(outcome)
            }
            Project::Many { reply } => reply.as_mut().poll(cx),
        }
    }
}

/// Sends a call until there is an answer, or an error that is not worth another attempt.
async fn repeat<S>(mut inner: S, copies: Copies, budget: Budget, random: Arc<Random>) -> Result<Reply, Status>
where
    S: Service<Call, Response = Reply, Error = Status>,
{
    let (policy, deadline) = (Arc::clone(&copies.call().policy), copies.call().deadline);
    let Some(policy) = &policy.retry else { return inner.call(copies.make(Attempt::default())).await };
    let tried = Tried::shared();
    let mut attempts = Attempts::new(policy);
    let mut last = None;
    loop {
        let copy = copies.make(attempt(&attempts, policy, &tried));
        let status = match inner.call(copy).await {
            Ok(reply) => {
                budget.tokens.succeeded();
                return Ok(reply);
            }
            // What a server said tells more than that nobody is left to ask.
            Err(status) if status.again == Again::Unsent => return Err(last.unwrap_or(status)),
            Err(status) => status,
        };
        match attempts.failed(&status, &budget.tokens, &random) {
            Next::After(delay) if timer::allows(deadline, delay) => sleep(delay).await,
            Next::After(_) | Next::Fail => return Err(status),
        }
        last = Some(status);
    }
}

fn attempt(attempts: &Attempts<'_>, policy: &rpc::Retry, tried: &Tried) -> Attempt {
    Attempt {
        previous: attempts.made(),
        time: policy.per_attempt,
        may_leave: attempts.may_repeat(),
        tried: tried.clone(),
    }
}

#[cfg(test)]
mod tests;
