//! [`HedgeLayer`]: sends a further copy of a call whose answer takes long; the first answer counts
//! (gRFC A6, "Hedging Policy").
//!
//! Only calls that do no harm twice are hedged. The decisions are those of [`Plan`], a pure
//! state machine; whoever sends the copies takes a different endpoint for each while there is one. When an
//! answer begins, or a copy fails in a way that another would, too, all other copies are cancelled.

mod plan;

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::Either;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service};

use self::plan::{Next, Plan};
use super::retry::{Budget, Copies};
use super::timer;
use crate::rpc::{Again, Attempt, Call, Reply, Status, Tried};

/// See the module.
#[derive(Clone)]
pub struct HedgeLayer {
    budget: Budget,
}

impl HedgeLayer {
    /// A layer for one upstream, whose tokens and memory may be shared with others.
    pub const fn new(budget: Budget) -> Self {
        Self { budget }
    }
}

impl<S> Layer<S> for HedgeLayer {
    type Service = Hedge<S>;

    fn layer(&self, inner: S) -> Hedge<S> {
        Hedge { inner, budget: self.budget.clone() }
    }
}

/// A service that hedges calls to another.
#[derive(Clone)]
pub struct Hedge<S> {
    inner: S,
    budget: Budget,
}

type Hedged = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

impl<S> Service<Call> for Hedge<S>
where
    S: Service<Call, Response = Reply, Error = Status, Future: Send> + Clone + Send + 'static,
{
    type Response = Reply;
    type Error = Status;
    type Future = Either<S::Future, Hedged>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        if call.policy.hedge.is_none() || !call.idempotent {
            return Either::Left(self.inner.call(call));
        }
        match self.budget.keep(call) {
            Ok(copies) => Either::Right(Box::pin(hedge(self.inner.clone(), copies, self.budget.clone()))),
            Err(call) => Either::Left(self.inner.call(*call)),
        }
    }
}

async fn hedge<S>(mut inner: S, copies: Copies, budget: Budget) -> Result<Reply, Status>
where
    S: Service<Call, Response = Reply, Error = Status>,
{
    let policy = copies.call().policy.clone();
    let Some(policy) = &policy.hedge else { return inner.call(copies.make(Attempt::default())).await };
    let (mut plan, tried) = (Plan::new(policy), Tried::shared());
    let (deadline, mut last) = (copies.call().deadline, None);
    let mut running = FuturesUnordered::new();
    let mut due = Instant::now();
    loop {
        if plan.may_send(&budget.tokens) && due <= Instant::now() {
            let may_leave = plan.has_more();
            let attempt = Attempt { previous: plan.sent(), time: None, may_leave, tried: tried.clone() };
            running.push(inner.call(copies.make(attempt)));
            plan.send();
            due = Instant::now() + policy.delay;
        }
        // Asked once: the tokens are those of all calls, and may be spent meanwhile.
        let more = plan.may_send(&budget.tokens);
        if !more
            && running.is_empty()
            && let Some(status) = last.take()
        {
            return Err(status);
        }
        let outcome = tokio::select! {
            biased;
            Some(outcome) = running.next() => outcome,
            () = sleep_until(due), if more => continue,
        };
        // What goes well is counted behind this layer, where each copy is a call of its own.
        let Err(status) = outcome else { return outcome };
        match plan.failed(&status, &budget.tokens) {
            Next::Fail => return Err(status),
            Next::Wait => {}
            Next::After(delay) if timer::allows(deadline, delay) => due = Instant::now() + delay,
            Next::After(_) => plan.stop(),
        }
        // What a server said tells more than that nobody is left to ask.
        if last.is_none() || status.again != Again::Unsent {
            last = Some(status);
        }
    }
}

#[cfg(test)]
mod tests;
