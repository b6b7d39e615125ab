//! [`Pool`]: all upstreams of one worker, and the way of a call through them.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use tower::Service;

use super::attempts;
use super::channel::{Channel, Permit};
use super::failure;
use super::grpc::{Answer, Request};
use super::lane::Sort;
use super::report::UpstreamReport;
use super::shared::Shared;
use super::spec::Spec;
use super::timer::Timer;
use crate::rpc::{Call, Kind, Messages, Reply, Status};

/// How long an upstream that left the configuration still answers the requests that began before.
const GRACE: Duration = Duration::from_secs(30);

type Channels = HashMap<Arc<str>, Arc<Channel>>;

/// The connections of one worker to all upstreams. Clones are the same pool.
///
/// It implements `rpc::Caller`. Calls and [`Pool::reconcile`] must be made within the worker's runtime,
/// whose tasks drive the connections.
#[derive(Clone, Default)]
pub struct Pool {
    channels: Arc<ArcSwap<Channels>>,
    shared: Shared,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("upstreams", &self.channels.load().keys()).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool without upstreams, with limits and retry tokens of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A pool without upstreams, with the limits and retry tokens of the process.
    #[must_use]
    pub fn sharing(shared: &Shared) -> Self {
        Self { channels: Arc::default(), shared: shared.clone() }
    }

    /// Brings the pool in line with a new snapshot: upstreams and endpoints that stay keep their
    /// connections, new ones connect at once, others drain.
    pub fn reconcile(&self, specs: &[Arc<Spec>]) {
        let mut channels = Channels::clone(&self.channels.load());
        for spec in specs {
            if let Some(channel) = channels.get(&spec.name) {
                channel.reconcile(spec);
            } else {
                let channel = Channel::start(spec, self.shared.of(&spec.name));
                channels.insert(spec.name.clone(), channel);
            }
        }
        let mut leaving = Vec::new();
        for (name, channel) in &channels {
            let stays = specs.iter().any(|spec| spec.name == *name);
            if !channel.set_leaving(!stays) && !stays {
                leaving.push(name.clone());
            }
        }
        self.channels.store(Arc::new(channels));
        for name in leaving {
            tokio::spawn(self.clone().forget(name));
        }
    }

    /// What can be seen of every upstream, by name.
    #[must_use]
    pub fn report(&self) -> Vec<UpstreamReport> {
        let mut reports: Vec<_> = self.channels.load().values().map(|channel| channel.report()).collect();
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        reports
    }

    /// Takes an upstream out, unless it has come back meanwhile.
    async fn forget(self, name: Arc<str>) {
        tokio::time::sleep(GRACE).await;
        let mut channels = Channels::clone(&self.channels.load());
        if channels.get(&name).is_some_and(|channel| channel.is_leaving())
            && let Some(channel) = channels.remove(&name)
        {
            self.channels.store(Arc::new(channels));
            channel.retire();
        }
    }

    async fn answer(self, call: Call) -> Result<Reply, Status> {
        let (request, mut messages) = Request::part(call);
        let mut timer = Timer::new(request.deadline);
        if request.kind != Kind::Unary {
            timer.limit(request.policy.age, request.policy.idle, &mut messages);
        }
        let outcome = {
            let mut dispatch = pin!(self.dispatch(&request, messages));
            poll_fn(|cx| match dispatch.as_mut().poll(cx) {
                Poll::Pending => timer.poll_passed(cx).map(Err),
                ready @ Poll::Ready(_) => ready,
            })
            .await
        };
        match outcome {
            Ok((answer, permit)) => Ok(answer.into_reply(&request, timer, Some(permit))),
            Err(status) => Err(timer.explain(status)),
        }
    }

    async fn dispatch(&self, request: &Request, messages: Messages) -> Result<(Answer, Permit), Status> {
        let name = &request.policy.upstream;
        let channel = self.channels.load().get(name).cloned().ok_or_else(|| failure::unreachable(name))?;
        let permit = channel.admit(Sort::of(request.kind), &request.policy)?;
        Ok((attempts::send(&channel, request, messages).await?, permit))
    }
}

impl Service<Call> for Pool {
    type Response = Reply;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Status>> + Send>>;

    /// Always ready: a call waits, or is refused, where its upstream is known.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(self.clone().answer(call))
    }
}
