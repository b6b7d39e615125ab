//! [`Pool`]: all upstreams of one worker, and the way of a call through them.

use std::collections::HashMap;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::Either;
use tower::Service;

use super::channel::Channel;
use super::failure;
use super::report::UpstreamReport;
use super::shared::Shared;
use super::spec::Spec;
use super::stack::{Stack, stack};
use crate::rpc::{Call, Reply, Status};

/// How long an upstream that left the configuration still answers the requests that began before.
const GRACE: Duration = Duration::from_secs(30);

/// An upstream's connections, and the way of calls to them.
#[derive(Clone)]
struct Upstream {
    channel: Arc<Channel>,
    stack: Stack,
}

type Upstreams = HashMap<Arc<str>, Upstream>;

/// The connections of one worker to all upstreams. Clones are the same pool.
///
/// It implements `rpc::Caller`. Calls and [`Pool::reconcile`] must be made within the worker's runtime,
/// whose tasks drive the connections.
#[derive(Clone, Default)]
pub struct Pool {
    upstreams: Arc<ArcSwap<Upstreams>>,
    shared: Shared,
}

impl Upstream {
    fn start(spec: &Arc<Spec>, shared: &Shared) -> Self {
        let counts = shared.of(&spec.name);
        let channel = Channel::start(spec, counts.clone());
        Self { stack: stack(channel.clone(), &spec.name, &counts), channel }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("upstreams", &self.upstreams.load().keys()).finish_non_exhaustive()
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
        Self { upstreams: Arc::default(), shared: shared.clone() }
    }

    /// Brings the pool in line with a new snapshot: upstreams and endpoints that stay keep their
    /// connections, new ones connect at once, others drain.
    pub fn reconcile(&self, specs: &[Arc<Spec>]) {
        let mut upstreams = Upstreams::clone(&self.upstreams.load());
        for spec in specs {
            if let Some(upstream) = upstreams.get(&spec.name) {
                upstream.channel.reconcile(spec);
            } else {
                upstreams.insert(spec.name.clone(), Upstream::start(spec, &self.shared));
            }
        }
        let mut leaving = Vec::new();
        for (name, upstream) in &upstreams {
            let stays = specs.iter().any(|spec| spec.name == *name);
            if !upstream.channel.set_leaving(!stays) && !stays {
                leaving.push(name.clone());
            }
        }
        self.upstreams.store(Arc::new(upstreams));
        for name in leaving {
            tokio::spawn(self.clone().forget(name));
        }
    }

    /// What can be seen of every upstream, by name.
    #[must_use]
    pub fn report(&self) -> Vec<UpstreamReport> {
        let mut reports: Vec<_> =
            self.upstreams.load().values().map(|upstream| upstream.channel.report()).collect();
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        reports
    }

    /// Takes an upstream out, unless it has come back meanwhile.
    async fn forget(self, name: Arc<str>) {
        tokio::time::sleep(GRACE).await;
        let mut upstreams = Upstreams::clone(&self.upstreams.load());
        if upstreams.get(&name).is_some_and(|upstream| upstream.channel.is_leaving())
            && let Some(upstream) = upstreams.remove(&name)
        {
            self.upstreams.store(Arc::new(upstreams));
            upstream.channel.retire();
        }
    }
}

impl Service<Call> for Pool {
    type Response = Reply;
    type Error = Status;
    type Future = Either<Ready<Result<Reply, Status>>, <Stack as Service<Call>>::Future>;

    /// Always ready: a call waits, or is refused, in the stack of its upstream.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let name = &call.policy.upstream;
        let stack = self.upstreams.load().get(name).map(|upstream| upstream.stack.clone());
        match stack {
            Some(mut stack) => Either::Right(stack.call(call)),
            None => Either::Left(ready(Err(failure::unreachable(name)))),
        }
    }
}
