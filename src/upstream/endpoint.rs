//! One endpoint: an address, the connections to it, and whether calls may go there.
//!
//! One connection for unary calls is kept open all the time, so that the state is known before a call
//! needs it; further ones are opened as the lanes fill. An endpoint whose connection failed counts as
//! failed until one succeeds (gRFC A62), and is dialed again at the pace of the backoff.

mod health;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use http::uri::{Authority, Scheme};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::backoff::{Backoff, Curve};
use super::connection::Slot;
use super::dial::{Place, Security};
use super::lane::{Lane, Sort};
use super::outlier::Detector;
use super::random::Random;
use super::report::{EndpointReport, EndpointState};
use super::spec::Spec;
use health::Health;

/// The next endpoint's number.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What makes an endpoint the same across reloads: where it is, how it is verified, how it is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub place: Place,
    pub security: Option<Security>,
    /// `:authority` of requests.
    pub authority: Authority,
}

/// What the endpoints of one upstream share.
pub struct Surroundings {
    pub spec: ArcSwap<Spec>,
    /// Told whenever a call that waits may find a slot, or need wait no longer.
    pub changed: Arc<Notify>,
    /// Told when a connection is lost: the addresses may have changed.
    pub lost: watch::Sender<()>,
    /// The service whose health the endpoints are asked for; `None`: they are not asked.
    pub health: watch::Sender<Option<Arc<str>>>,
    pub outliers: Mutex<Detector>,
    pub random: Random,
}

impl Surroundings {
    fn detector(&self) -> MutexGuard<'_, Detector> {
        self.outliers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An endpoint.
pub struct Endpoint {
    pub target: Target,
    around: Arc<Surroundings>,
    unary: Lane,
    streams: Lane,
    in_flight: AtomicUsize,
    dials: Mutex<Dials>,
    retired: AtomicBool,
    /// What the detector of outliers knows it by, and its verdict.
    number: u64,
    /// How often the peer ended a connection because of PINGs.
    complaints: AtomicU32,
    ejected: Arc<AtomicBool>,
    health: Health,
}

/// The history of dialing.
struct Dials {
    backoff: Backoff,
    /// Not before this.
    next: Instant,
    /// Why the last try failed; `None` before the first and after a success.
    failure: Option<String>,
}

/// What an endpoint has for a call.
pub enum Offer {
    /// Send it.
    Seat(Seat),
    /// A connection is being opened for it.
    Later,
    /// There are as many connections as there may be, and all are full.
    Full,
    /// It cannot be reached.
    Never,
}

/// A call's place: a slot on a connection, counted for balancing.
pub struct Seat {
    pub slot: Slot,
    pub endpoint: Arc<Endpoint>,
    /// Whether it is a call of a client.
    counted: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.counted {
            self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Endpoint {
    /// An endpoint that starts to connect at once. Must be called within the worker's runtime.
    pub fn start(target: Target, around: Arc<Surroundings>) -> Arc<Self> {
        let dials = Dials { backoff: Backoff::new(Curve::CONNECT), next: Instant::now(), failure: None };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let ejected = around.detector().watch(number);
        let health = Health::new(around.health.borrow().is_some());
        let endpoint = Arc::new(Self {
            target,
            around,
            unary: Lane::default(),
            streams: Lane::default(),
            in_flight: AtomicUsize::new(0),
            dials: Mutex::new(dials),
            retired: AtomicBool::new(false),
            number,
            complaints: AtomicU32::new(0),
            ejected,
            health,
        });
        endpoint.grow(Sort::Unary);
        endpoint.health.start(&endpoint);
        endpoint
    }

    /// `:scheme` of requests.
    pub fn scheme(&self) -> Scheme {
        if self.target.security.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// How many calls it answers at the moment.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether calls can be sent at once.
    pub fn is_ready(&self) -> bool {
        self.unary.is_ready()
    }

    /// Whether it is left out because its calls fail.
    pub fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    /// Whether it may be asked: ready, and neither its calls nor its health service speak against it.
    pub fn is_fit(&self) -> bool {
        self.is_ready() && !self.is_ejected() && self.health.is_serving()
    }

    /// What it is known by among the endpoints of the process.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Notes how a call ended.
    pub fn note(&self, failed: bool) {
        let policy = self.around.spec.load().outlier;
        self.around.detector().note(self.number, failed, &policy, Instant::now());
    }

    /// Why it cannot be reached, if it cannot.
    pub fn failure(&self) -> Option<String> {
        self.dials().failure.clone()
    }

    /// What can be seen of it.
    pub fn report(&self, weight: u32) -> EndpointReport {
        let failure = self.failure();
        let state = match failure {
            _ if self.is_ready() && self.is_ejected() => EndpointState::Ejected,
            _ if self.is_ready() && !self.health.is_serving() => EndpointState::Unhealthy,
            _ if self.is_ready() => EndpointState::Ready,
            Some(_) => EndpointState::Failed,
            None => EndpointState::Connecting,
        };
        EndpointReport {
            address: self.target.place.to_string(),
            weight,
            state,
            failure,
            health: self.around.health.borrow().is_some().then(|| self.health.is_serving()),
            ejections: self.around.detector().ejections(self.number),
            connections: self.unary.len() + self.streams.len(),
            in_flight: self.in_flight(),
            workers: BTreeMap::from([(state, 1)]),
        }
    }

    /// Offers a place to a call.
    pub fn offer(self: &Arc<Self>, sort: Sort) -> Offer {
        let limit = match sort {
            Sort::Unary => self.around.spec.load().limits.connections,
            // As many as the limit of streams needs, which is checked before.
            Sort::Stream => usize::MAX,
        };
        let offer = self.lane(sort).offer(limit);
        if offer.wants_more {
            self.grow(sort);
        }
        match offer.slot {
            Some(slot) => {
                self.in_flight.fetch_add(1, Ordering::Relaxed);
                Offer::Seat(Seat { slot, endpoint: self.clone(), counted: true })
            }
            None if self.dials().failure.is_some() => Offer::Never,
            None if offer.wants_more => Offer::Later,
            None => Offer::Full,
        }
    }

    /// Opens no more connections; those that are open end when their calls have.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.health.stop();
        self.around.detector().forget(self.number);
        self.unary.drain();
        self.streams.drain();
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    fn lane(&self, sort: Sort) -> &Lane {
        match sort {
            Sort::Unary => &self.unary,
            Sort::Stream => &self.streams,
        }
    }

    fn dials(&self) -> MutexGuard<'_, Dials> {
        self.dials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
