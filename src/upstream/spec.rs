//! [`Spec`]: all that a snapshot says of one upstream. The pool reconciles its connections to it.

mod load;

use std::sync::Arc;
use std::time::Duration;

use super::outlier::Outlier;
use super::tls::Tls;
use crate::config::model::Address;
use crate::rpc::Metadata;

/// One upstream: where it is, how it is reached, how much it may be asked.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The name by which `rpc::CallPolicy` refers to it.
    pub name: Arc<str>,
    pub endpoints: Vec<Weighted>,
    /// What `https://` endpoints are verified with, and `unix:` and `dns:` ones where it is set; without
    /// it, `https://` is verified with the system's roots.
    pub tls: Option<Arc<Tls>>,
    pub balance: Balance,
    pub limits: Limits,
    pub timers: Timers,
    /// When an endpoint is left out because its calls fail.
    pub outlier: Outlier,
    /// The service whose health each endpoint is asked for by `grpc.health.v1`, "" for the whole server;
    /// `None`: they are not asked.
    pub health: Option<Arc<str>>,
    /// What questions of the gateway's own carry, to health services and to reflection.
    pub metadata: Metadata,
}

/// An address and its share of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    pub address: Address,
    /// Relative to the other endpoints'; zero takes calls only while no other endpoint can.
    pub weight: u32,
}

/// How calls are dealt out to endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Of two endpoints by chance, the one with fewer calls in flight (gRFC A48).
    #[default]
    P2c,
    /// In turn.
    RoundRobin,
    /// By `rpc::Call::affinity`: equal keys meet on one endpoint as long as it can take calls.
    Hash,
}

/// How much an upstream may be asked at once, beside what the policy of each call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls that may wait for a connection; more are refused at once.
    pub queue: usize,
    /// How long a call may wait for a connection.
    pub queue_time: Duration,
    /// Connections for unary calls to one endpoint.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue: 1024, queue_time: Duration::from_secs(1), connections: 8 }
    }
}

/// How long connections may take, be silent and live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// TCP, TLS and the peer's SETTINGS together.
    pub connect: Duration,
    /// A connection that owes an answer and is silent for this long is asked by PING; when it is silent
    /// for as long again, it gets no new calls until it speaks.
    pub silence: Duration,
    /// A connection that owes an answer and has been silent for this long is asked again (gRFC A8).
    pub keepalive: Duration,
    /// A PING that is not answered within this ends the connection.
    pub ping: Duration,
    /// How long a health service may take to say the first time how it is.
    pub health: Duration,
    /// How often the addresses of a name are looked up again.
    pub resolve: Duration,
    /// The age at which a connection is replaced, ±10 %.
    pub max_age: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            silence: Duration::from_secs(1),
            keepalive: Duration::from_secs(300),
            ping: Duration::from_secs(10),
            health: Duration::from_secs(5),
            resolve: Duration::from_secs(30),
            max_age: Duration::from_secs(1800),
        }
    }
}

impl Spec {
    /// An upstream with default settings.
    #[must_use]
    pub fn new(name: &str, addresses: impl IntoIterator<Item = Address>) -> Self {
        let endpoints = addresses.into_iter().map(|address| Weighted { address, weight: 1 }).collect();
        Self {
            name: name.into(),
            endpoints,
            tls: None,
            balance: Balance::default(),
            limits: Limits::default(),
            timers: Timers::default(),
            outlier: Outlier::default(),
            health: None,
            metadata: Metadata::new(),
        }
    }
}
