//! The upkeep of an endpoint's connections: dialing at the pace of the backoff, driving, replacing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Endpoint;
use crate::upstream::connection::{Connection, Driver, End};
use crate::upstream::dial::dial;
use crate::upstream::lane::Sort;
use crate::upstream::spec::Timers;

/// PINGs become rarer by no more than two to this power.
const COMPLAINTS: u32 = 6;

impl Endpoint {
    /// Opens one more connection, unless one is being opened.
    pub(super) fn grow(self: &Arc<Self>, sort: Sort) {
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

    /// The timers, lengthened where the peer has complained of PINGs (gRFC A8).
    fn timers(&self) -> Timers {
        let timers = self.around.spec.load().timers;
        let factor = 1 << self.complaints.load(Ordering::Relaxed).min(COMPLAINTS);
        Timers { silence: timers.silence * factor, keepalive: timers.keepalive * factor, ..timers }
    }

    async fn connect(&self) -> Result<(Arc<Connection>, Driver), String> {
        let timers = self.timers();
        let connect = async {
            let socket = dial(&self.target.place, self.target.security.as_ref()).await;
            let socket = socket.map_err(|error| error.to_string())?;
            let opened = Connection::open(socket, timers, self.around.changed.clone()).await;
            opened.map_err(|end| end.to_string())
        };
        let in_time = timeout(timers.connect, connect).await;
        in_time.unwrap_or_else(|_| Err(format!("no connection within {:?}", timers.connect)))
    }

    /// How old a connection may become: the connections of many workers do not all go at once.
    fn age(&self) -> Duration {
        self.around.spec.load().timers.max_age.mul_f64(self.around.random.between(0.9, 1.1))
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
        tokio::spawn(renew(Arc::downgrade(self), sort, connection.clone()));
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
    if end.is_too_many_pings() {
        tracing::warn!(endpoint = %endpoint.target.place, "the peer wants fewer PINGs (too_many_pings)");
        endpoint.complaints.fetch_add(1, Ordering::Relaxed);
    }
}

/// Replaces a connection that has grown old; the next is opened before it goes.
async fn renew(endpoint: Weak<Endpoint>, sort: Sort, connection: Arc<Connection>) {
    loop {
        let Some(age) = endpoint.upgrade().map(|endpoint| endpoint.age()) else { return };
        sleep(age).await;
        let Some(endpoint) = endpoint.upgrade().filter(|_| connection.is_open()) else { return };
        if connection.in_flight() == 0 && endpoint.lane(sort).len() > 1 {
            return connection.drain();
        }
        // Where nothing better can be had, the old one goes on.
        if let Ok((next, driver)) = endpoint.connect().await {
            endpoint.connected(sort, next, driver);
            return connection.drain();
        }
    }
}
