//! One upstream: its endpoints, and a seat for each call that may go there.
//!
//! A channel lives across reloads; [`Channel::reconcile`] brings it in line with a new [`Spec`], and the
//! connections of endpoints that stay are kept.

mod members;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::balance::{Candidate, choose};
use super::endpoint::{Endpoint, Offer, Seat, Surroundings};
use super::failure;
use super::lane::Sort;
use super::outlier::Detector;
use super::random::Random;
use super::report::UpstreamReport;
use super::resolve;
use super::shared::Counts;
use super::spec::{Balance, Spec};
use crate::config::model::Address;
use crate::rpc::Status;
use members::{Member, Source};

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub sort: Sort,
    pub affinity: Option<u64>,
}

/// An upstream and its endpoints.
pub struct Channel {
    around: Arc<Surroundings>,
    sources: Mutex<Vec<Source>>,
    members: ArcSwap<Vec<Member>>,
    counts: Arc<Counts>,
    turn: AtomicUsize,
    /// Whether the configuration no longer names it.
    leaving: AtomicBool,
}

impl Channel {
    /// A channel that starts to connect at once. Must be called within the worker's runtime.
    pub fn start(spec: &Arc<Spec>, counts: Arc<Counts>) -> Arc<Self> {
        let around = Surroundings {
            spec: ArcSwap::new(spec.clone()),
            changed: Arc::new(Notify::new()),
            lost: watch::Sender::new(()),
            health: watch::Sender::new(spec.health.clone()),
            outliers: Mutex::new(Detector::new(Instant::now())),
            random: Random::new(),
        };
        let channel = Arc::new(Self {
            around: Arc::new(around),
            sources: Mutex::default(),
            members: ArcSwap::default(),
            counts,
            turn: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
        });
        channel.reconcile(spec);
        channel
    }

    /// Takes a new specification: endpoints that stay keep their connections, others drain.
    pub fn reconcile(self: &Arc<Self>, spec: &Arc<Spec>) {
        self.around.spec.store(spec.clone());
        self.around.health.send_if_modified(|service| {
            let changes = *service != spec.health;
            service.clone_from(&spec.health);
            changes
        });
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *sources);
        *sources = spec.endpoints.iter().map(|weighted| Source::of(weighted, &mut old)).collect();
        for source in &mut *sources {
            if let (Address::Dns { name, port }, None) = (&source.weighted.address, &source.watch) {
                source.watch = Some(self.watch(name.clone(), *port));
            }
        }
        self.rebuild(&sources);
    }

    /// Notes whether the configuration no longer names it; what was noted before.
    pub fn set_leaving(&self, leaving: bool) -> bool {
        self.leaving.swap(leaving, Ordering::Relaxed)
    }

    /// Whether the configuration no longer names it.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Ends all connections when their calls have.
    pub fn retire(&self) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for member in self.members.swap(Arc::default()).iter() {
            member.endpoint.retire();
        }
        self.around.changed.notify_waiters();
    }

    /// A seat on the best endpoint that was not tried yet, or on any that is left. Waits while
    /// connections are opened or full, for a limited time and in a limited crowd.
    ///
    /// # Errors
    /// UNAVAILABLE: at once when no endpoint can be reached, or when the wait was too long.
    pub async fn seat(&self, ask: Ask, tried: &[u64]) -> Result<Seat, Status> {
        // The usual case costs no timer and no place in the queue.
        match self.offer(ask, tried) {
            Offer::Seat(seat) => return Ok(seat),
            Offer::Never => return Err(self.unreachable()),
            Offer::Later | Offer::Full => {}
        }
        let limits = self.around.spec.load().limits;
        let _place = self.counts.admission.queue(limits).ok_or_else(|| failure::overloaded(&self.name()))?;
        let until = Instant::now() + limits.queue_time;
        loop {
            let changed = self.around.changed.notified();
            match self.offer(ask, tried) {
                Offer::Seat(seat) => return Ok(seat),
                Offer::Never => return Err(self.unreachable()),
                Offer::Later | Offer::Full => {}
            }
            if timeout_at(until, changed).await.is_err() {
                return Err(failure::queue_timeout(&self.name()));
            }
        }
    }

    /// What can be seen of it.
    pub fn report(&self) -> UpstreamReport {
        let (in_flight, streams, waiting) = self.counts.admission.counted();
        let members = self.members.load();
        let endpoints = members.iter().map(|member| member.endpoint.report(member.weight)).collect();
        UpstreamReport {
            name: self.name().to_string(),
            in_flight,
            streams,
            waiting,
            retry_tokens: self.counts.budget.tokens.tokens(),
            endpoints,
        }
    }

    /// Whether a call could go elsewhere at once.
    pub fn is_ready_beside(&self, endpoint: &Arc<Endpoint>) -> bool {
        let other = |member: &Member| !Arc::ptr_eq(&member.endpoint, endpoint) && member.endpoint.is_fit();
        self.members.load().iter().any(other)
    }

    fn name(&self) -> Arc<str> {
        self.around.spec.load().name.clone()
    }

    /// No endpoint can be reached.
    fn unreachable(&self) -> Status {
        failure::unreachable(&self.name())
    }

    fn offer(&self, ask: Ask, tried: &[u64]) -> Offer {
        let members = self.members.load();
        let mut candidates = fit(&members);
        if candidates.iter().any(|candidate| !was_tried(&members, candidate, tried)) {
            candidates.retain(|candidate| !was_tried(&members, candidate, tried));
        }
        if candidates.is_empty() {
            return self.without_ready(&members);
        }
        let balance = self.around.spec.load().balance;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        while let Some(index) = choose(balance, &candidates, ask.affinity, turn, &self.around.random) {
            match members.get(index).map(|member| member.endpoint.offer(ask.sort)) {
                Some(Offer::Seat(seat)) => return Offer::Seat(seat),
                // Calls that belong together wait for their endpoint's connection; elsewhere they would be apart.
                Some(Offer::Later) if balance == Balance::Hash && ask.affinity.is_some() => {
                    return Offer::Later;
                }
                _ => {}
            }
            candidates.retain(|candidate| candidate.index != index);
        }
        // They are ready but full.
        Offer::Full
    }

    /// Nobody is ready: is there hope?
    fn without_ready(&self, members: &[Member]) -> Offer {
        let connecting = members.iter().any(|member| member.endpoint.failure().is_none());
        let resolving = members.is_empty()
            && self.sources.lock().unwrap_or_else(PoisonError::into_inner).iter().any(Source::is_pending);
        if connecting || resolving { Offer::Later } else { Offer::Never }
    }

    /// Watches the addresses of a name for as long as the handle lives.
    fn watch(self: &Arc<Self>, name: String, port: u16) -> members::Watch {
        let channel = Arc::downgrade(self);
        let address = Address::Dns { name: name.clone(), port };
        let found = move |found| {
            channel.upgrade().is_some_and(|channel| {
                channel.found(&address, &found);
                true
            })
        };
        members::Watch::new(tokio::spawn(resolve::watch(name, port, self.around.clone(), found)))
    }

    fn found(&self, address: &Address, found: &Result<Vec<SocketAddr>, String>) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for source in sources.iter_mut().filter(|source| source.weighted.address == *address) {
            changed |= source.learn(found);
        }
        if changed {
            self.rebuild(&sources);
        }
    }

    fn rebuild(&self, sources: &[Source]) {
        let spec = self.around.spec.load();
        let old = self.members.load();
        let new = members::build(&spec, sources, &old, &self.around);
        for member in old.iter().filter(|member| !new.iter().any(|kept| kept.is(member))) {
            member.endpoint.retire();
        }
        self.members.store(Arc::new(new));
        self.around.changed.notify_waiters();
    }
}

/// Those that may be asked: ready, healthy and not ejected; but where less than half of all are, rather all that
/// are ready, because the few would not bear the load of the many.
fn fit(members: &[Member]) -> Vec<Candidate> {
    let fit = candidates(members, |endpoint| endpoint.is_fit());
    if fit.len() * 2 >= members.len() { fit } else { candidates(members, |endpoint| endpoint.is_ready()) }
}

fn was_tried(members: &[Member], candidate: &Candidate, tried: &[u64]) -> bool {
    members.get(candidate.index).is_some_and(|member| tried.contains(&member.endpoint.number()))
}

fn candidates(members: &[Member], may: impl Fn(&Arc<Endpoint>) -> bool) -> Vec<Candidate> {
    let candidate = |(index, member): (usize, &Member)| {
        may(&member.endpoint).then(|| Candidate {
            index,
            weight: member.weight,
            in_flight: member.endpoint.in_flight(),
            hash: member.hash,
        })
    };
    members.iter().enumerate().filter_map(candidate).collect()
}

#[cfg(test)]
mod tests;
