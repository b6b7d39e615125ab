//! One endpoint: an address, the connections to it, and whether calls may go there.
//!
//! One connection for unary calls is kept open all the time, so that the state is known before a call
//! needs it; further ones are opened as the lanes fill. An endpoint whose connection failed counts as
//! failed until one succeeds (gRFC A62), and is dialed again at the pace of the backoff.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use arc_swap::ArcSwap;
use http::uri::{Authority, Scheme};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::backoff::{Backoff, Curve};
use super::connection::{Connection, Driver, End, Slot};
use super::dial::{Place, Security, dial};
use super::lane::{Lane, Sort};
use super::random::Random;
use super::report::{EndpointReport, EndpointState};
use super::spec::Spec;

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
    pub random: Random,
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
    /// A connection is being opened, or all are full.
    Later,
    /// It cannot be reached.
    Never,
}

/// A call's place: a slot on a connection, counted for balancing.
pub struct Seat {
    pub slot: Slot,
    pub endpoint: Arc<Endpoint>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Endpoint {
    /// An endpoint that starts to connect at once. Must be called within the worker's runtime.
    pub fn start(target: Target, around: Arc<Surroundings>) -> Arc<Self> {
        let dials = Dials { backoff: Backoff::new(Curve::CONNECT), next: Instant::now(), failure: None };
        let endpoint = Arc::new(Self {
            target,
            around,
            unary: Lane::default(),
            streams: Lane::default(),
            in_flight: AtomicUsize::new(0),
            dials: Mutex::new(dials),
            retired: AtomicBool::new(false),
        });
        endpoint.grow(Sort::Unary);
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

    /// Why it cannot be reached, if it cannot.
    pub fn failure(&self) -> Option<String> {
        self.dials().failure.clone()
    }

    /// What can be seen of it.
    pub fn report(&self, weight: u32) -> EndpointReport {
        let failure = self.failure();
        let state = match failure {
            _ if self.is_ready() => EndpointState::Ready,
            Some(_) => EndpointState::Failed,
            None => EndpointState::Connecting,
        };
        EndpointReport {
            address: self.target.place.to_string(),
            weight,
            state,
            failure,
            connections: self.unary.len() + self.streams.len(),
            in_flight: self.in_flight(),
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
                Offer::Seat(Seat { slot, endpoint: self.clone() })
            }
            None if self.dials().failure.is_some() => Offer::Never,
            None => Offer::Later,
        }
    }

    /// Opens no more connections; those that are open end when their calls have.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
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

    /// Opens one more connection, unless one is being opened.
    fn grow(self: &Arc<Self>, sort: Sort) {
        if !self.is_retired() && self.lane(sort).start_dialing() {
            tokio::spawn(establish(Arc::downgrade(self), sort));
        }
    }

    /// When the next try may start; the one after it waits for the backoff from then on.
    fn next_dial(&self) -> Instant {
        let mut dials = self.dials();
        let start = dials.next.max(Instant::now());
        dials.next = start + dials.backoff.delay(&self.around.random);
        start
    }

    async fn connect(&self) -> Result<(Arc<Connection>, Driver), String> {
        let timers = self.around.spec.load().timers;
        let connect = async {
            let socket = dial(&self.target.place, self.target.security.as_ref()).await;
            let socket = socket.map_err(|error| error.to_string())?;
            let opened = Connection::open(socket, timers, self.around.changed.clone()).await;
            opened.map_err(|end| end.to_string())
        };
        let in_time = timeout(timers.connect, connect).await;
        in_time.unwrap_or_else(|_| Err(format!("no connection within {:?}", timers.connect)))
    }

    /// Notes a success, and hands the connection to a task of its own.
    fn connected(self: &Arc<Self>, sort: Sort, connection: Arc<Connection>, driver: Driver) {
        {
            let mut dials = self.dials();
            dials.failure = None;
            dials.backoff.reset();
        }
        tracing::debug!(endpoint = %self.target.place, ?sort, "connected");
        self.lane(sort).add(connection.clone());
        if self.is_retired() {
            self.retire();
        }
        tokio::spawn(carry(self.clone(), sort, connection, driver));
    }

    /// Notes a failure; whether to try again.
    fn failed(&self, sort: Sort, why: String) -> bool {
        tracing::warn!(endpoint = %self.target.place, "cannot connect: {why}");
        let needed = sort == Sort::Unary && self.unary.is_empty();
        if self.unary.is_empty() {
            self.dials().failure = Some(why);
        }
        needed && !self.is_retired()
    }

    /// A connection takes no new calls: the next is opened while it ends.
    fn replace(self: &Arc<Self>, sort: Sort, connection: &Arc<Connection>) {
        self.lane(sort).remove(connection);
        if sort == Sort::Unary && self.unary.is_empty() {
            self.grow(sort);
        }
        self.around.lost.send_replace(());
        self.around.changed.notify_waiters();
    }
}

/// Dials until a connection stands or is not needed any longer.
async fn establish(endpoint: Weak<Endpoint>, sort: Sort) {
    loop {
        let Some(start) = endpoint.upgrade().map(|endpoint| endpoint.next_dial()) else {
            return;
        };
        sleep_until(start).await;
        let Some(endpoint) = endpoint.upgrade().filter(|endpoint| !endpoint.is_retired()) else {
            return;
        };
        let again = match endpoint.connect().await {
            Ok((connection, driver)) => {
                endpoint.connected(sort, connection, driver);
                false
            }
            Err(why) => endpoint.failed(sort, why),
        };
        if !again {
            endpoint.lane(sort).stop_dialing();
        }
        endpoint.around.changed.notify_waiters();
        if !again {
            return;
        }
    }
}

/// Drives a connection to its end.
async fn carry(endpoint: Arc<Endpoint>, sort: Sort, connection: Arc<Connection>, driver: Driver) {
    let mut replaced = false;
    let mut driver = pin!(driver);
    let end = poll_fn(|cx| {
        let end: Poll<End> = driver.as_mut().as_mut().poll(cx);
        if !replaced && (end.is_ready() || !connection.is_open()) {
            replaced = true;
            endpoint.replace(sort, &connection);
        }
        end
    })
    .await;
    tracing::debug!(endpoint = %endpoint.target.place, "a connection has ended: {end}");
}
