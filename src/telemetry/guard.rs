//! What travels with every request as an extension: who the client is ([`ClientInfo`]), and whether
//! the process is about to end ([`Draining`]).
//!
//! Look here when something lives longer than a moment (a stream, an upgraded connection) and has to
//! end in time. Who decides that the process drains, and how connections are told, is the server's.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

/// What the listener knows of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The address that the connection came from; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Whether the connection is encrypted: the scheme is `https`.
    pub tls: bool,
    /// The certificate that it has shown, where it has and where the listener asks for one.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Whether the other side of the connection is one of `server.trusted_proxies`.
    pub is_proxy: bool,
    /// The address of the client behind it, if it is one and says it.
    pub told: Option<IpAddr>,
}

impl ClientInfo {
    /// The address of the client as far as it is known: that of the connection, or what trusted proxies say;
    /// IPv4 within IPv6 (RFC 4291 §2.5.5.2) is IPv4.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.told.or_else(|| self.peer.map(|peer| peer.ip().to_canonical()))
    }
}

/// A client's certificate that the listener's `client_ca` vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The URIs among its names, such as a SPIFFE ID.
    pub uris: Vec<Box<str>>,
    pub dns: Vec<Box<str>>,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// Where a process is between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// No new connections; what still runs is cut off at this instant.
    Draining {
        until: Instant,
    },
    /// Nothing is waited for any more.
    Ended,
}

/// The side that decides: kept by whoever ends the process. Dropping it ends everything.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: Arc<watch::Sender<Phase>>,
}

impl Drain {
    /// A signal that has not been given.
    #[must_use]
    pub fn new() -> (Self, Draining) {
        let (sender, receiver) = watch::channel(Phase::Serving);
        (Self { phase: Arc::new(sender) }, Draining { phase: Arc::new(receiver) })
    }

    /// Begins to drain: what still runs at `until` is cut off. Once begun, a drain is neither
    /// prolonged nor shortened but by [`Drain::end`].
    pub fn begin(&self, until: Instant) {
        self.phase.send_if_modified(|phase| {
            let begins = *phase == Phase::Serving;
            if begins {
                *phase = Phase::Draining { until };
            }
            begins
        });
    }

    /// Ends everything now.
    pub fn end(&self) {
        self.phase.send_replace(Phase::Ended);
    }
}

/// The side that listens. Cloning is cheap; it is an extension of every request.
#[derive(Clone, Debug)]
pub struct Draining {
    phase: Arc<watch::Receiver<Phase>>,
}

impl Draining {
    /// A signal that never comes, for what runs without a server.
    #[must_use]
    pub fn never() -> Self {
        static NEVER: std::sync::LazyLock<(Drain, Draining)> = std::sync::LazyLock::new(Drain::new);
        NEVER.1.clone()
    }

    /// The same signal for another thread: its clones count on a cache line of their own.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        Self { phase: Arc::new((*self.phase).clone()) }
    }

    /// Where the process is now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.phase() != Phase::Serving
    }

    /// When what still runs is cut off; `None` while nothing drains.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase() {
            Phase::Serving => None,
            Phase::Draining { until } => Some(until),
            Phase::Ended => Some(Instant::now()),
        }
    }

    /// Whether what still runs is being cut off.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Waits until the drain has begun; at once when it has. Safe to drop and to call again.
    pub async fn drained(&self) {
        self.until(|phase| phase != Phase::Serving).await;
    }

    /// Waits until what still runs is to be cut off.
    pub async fn expired(&self) {
        self.drained().await;
        if let Phase::Draining { until } = self.phase() {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.until(|phase| phase == Phase::Ended) => {}
            }
        }
    }

    /// A dropped [`Drain`] counts as every phase: nobody is left to give the signal.
    async fn until(&self, reached: impl Fn(Phase) -> bool) {
        let mut phase = (*self.phase).clone();
        drop(phase.wait_for(|phase| reached(*phase)).await);
    }
}

/// What ends with a request, handed over to the task that goes on after its response: a WebSocket
/// outlives the answer that it began with. An extension of that answer.
#[derive(Clone, Default)]
pub struct Handover(Arc<Mutex<Vec<Box<dyn Send>>>>);

impl Handover {
    /// Keeps a guard until the last clone is gone.
    pub fn add(&self, guard: impl Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(guard));
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handover")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn listeners_learn_of_the_drain_and_of_its_end() {
        let (drain, draining) = Drain::new();
        assert!(!draining.is_draining());
        assert_eq!(draining.deadline(), None);
        let until = soon();
        drain.begin(until);
        draining.drained().await;
        assert_eq!(draining.deadline(), Some(until));
        assert!(!draining.is_expired());
        draining.expired().await;
        assert!(Instant::now() >= until);
        assert!(draining.is_expired());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_begin_does_not_prolong() {
        let (drain, draining) = Drain::new();
        let until = soon();
        drain.begin(until);
        drain.begin(until + Duration::from_secs(100));
        assert_eq!(draining.deadline(), Some(until));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_the_deadline() {
        let (drain, draining) = Drain::new();
        let until = soon();
        drain.begin(until);
        let waiting = tokio::spawn(async move { draining.expired().await });
        tokio::task::yield_now().await;
        drain.end();
        waiting.await.unwrap();
        assert!(Instant::now() < until);
    }

    #[tokio::test]
    async fn a_dropped_signal_counts_as_given() {
        let (drain, draining) = Drain::new();
        drop(drain);
        draining.drained().await;
    }
}
