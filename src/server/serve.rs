//! Brings everything up, and down again: binds, starts the workers, runs the control thread until the
//! process is told to end, and waits for the last connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::control::Control;
use super::front::Door;
use super::limits::Limits;
use super::listener::{self, Listener, Shown};
use super::open_files;
use super::tls::Tls;
use super::worker::{Dealer, Worker};
use crate::config::model::{Accept, Config, Listen};
use crate::config::problem::{Location, Problem};
use crate::gateway::Gateway;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::guard::{Drain, Draining};

/// How a server runs, beside what its configuration says.
#[derive(Clone, Debug)]
pub struct Options {
    pub limits: Limits,
    /// How long what runs may go on after the signal to end.
    pub drain: Duration,
    /// How often the watched files are looked at.
    pub poll: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), drain: Duration::from_secs(25), poll: Duration::from_millis(500) }
    }
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The public addresses, as they are written in the configuration.
    pub public: Vec<String>,
    /// Whether the public addresses speak TLS.
    pub tls: bool,
    pub admin: SocketAddr,
}

/// Serves until the process is told to end and everything has ended. `ready` is called when every
/// listener is bound and every worker runs.
///
/// # Errors
/// What keeps the server from starting: addresses in use, certificates that cannot be read.
pub fn serve(
    gateway: &Arc<Gateway>,
    access_log: AccessLog,
    options: &Options,
    ready: impl FnOnce(&Bound),
) -> Result<(), Vec<Problem>> {
    let config = gateway.config();
    let admin = listener::bind_one(&config.admin.listen).map_err(|problem| vec![problem]);
    let tls = config.server.tls.as_ref().map(Tls::load).transpose().map_err(|problem| vec![problem]);
    let ((sockets, admin), tls) = both(both(Sockets::bind(&config), admin), tls)?;
    let tls = tls.map(Arc::new);
    let bound = Bound {
        public: sockets.addresses.iter().map(|address| Shown(address).to_string()).collect(),
        tls: tls.is_some(),
        admin: admin.local_addr().map_err(|error| internal(&error))?,
    };
    let (drain, draining) = Drain::new();
    let control = Control::new(Arc::clone(gateway), tls.clone(), (drain, draining.clone()), options)
        .map_err(|error| internal(&error))?;
    let connections = options.limits.connections.min(open_files::for_clients(open_files::raise()));
    let limits = Arc::new(Limits {
        connections: connections.div_ceil(config.server.workers.max(1)),
        ..options.limits.clone()
    });
    let crew = Crew { gateway: Arc::clone(gateway), access_log, tls, limits, draining };
    let (workers, shared) = crew.start(sockets).map_err(|error| internal(&error))?;
    ready(&bound);
    control.run(admin, shared, workers).map_err(|error| internal(&error))
}

/// Both, or everything that is wrong with either.
fn both<A, B>(one: Result<A, Vec<Problem>>, other: Result<B, Vec<Problem>>) -> Result<(A, B), Vec<Problem>> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => {
            let problems = [one.err(), other.err()];
            Err(problems.into_iter().flatten().flatten().collect())
        }
    }
}

/// What the machine refuses, rather than what the configuration says.
fn internal(error: &io::Error) -> Vec<Problem> {
    vec![Problem::error(Location::default(), format!("the server cannot start: {error}"))]
}

/// The public sockets, sorted by who accepts from them.
struct Sockets {
    /// One list a worker.
    own: Vec<Vec<Listener>>,
    shared: Vec<Listener>,
    addresses: Vec<Listen>,
}

impl Sockets {
    /// Binds all addresses; finds all that cannot be bound.
    fn bind(config: &Config) -> Result<Self, Vec<Problem>> {
        let workers = config.server.workers.max(1);
        let group = if config.server.accept == Accept::PerCore { workers } else { 1 };
        let mut sockets = Self {
            own: (0..workers).map(|_| Vec::new()).collect(),
            shared: Vec::new(),
            addresses: Vec::new(),
        };
        let mut problems = Vec::new();
        for listen in &config.server.listen {
            match listener::bind(listen, group) {
                Ok(bound) => sockets.add(bound).map_err(|error| internal(&error))?,
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(sockets) } else { Err(problems) }
    }

    /// A group with one socket for each worker is theirs; a single socket is shared.
    fn add(&mut self, bound: Vec<Listener>) -> io::Result<()> {
        if let Some(first) = bound.first() {
            self.addresses.push(first.address()?);
        }
        if bound.len() == self.own.len() {
            self.own.iter_mut().zip(bound).for_each(|(own, listener)| own.push(listener));
        } else {
            self.shared.extend(bound);
        }
        Ok(())
    }
}

/// A shared socket and who deals its connections out.
pub(super) type Shared = (Listener, Dealer);

/// What every worker is given.
struct Crew {
    gateway: Arc<Gateway>,
    access_log: AccessLog,
    tls: Option<Arc<Tls>>,
    limits: Arc<Limits>,
    draining: Draining,
}

impl Crew {
    fn start(self, sockets: Sockets) -> io::Result<(Vec<JoinHandle<()>>, Vec<Shared>)> {
        let (dealer, receivers) = Dealer::new(sockets.own.len());
        let mut workers = Vec::new();
        for (index, (listeners, dealt)) in sockets.own.into_iter().zip(receivers).enumerate() {
            let worker = Worker {
                listeners,
                dealt,
                tls: self.tls.clone(),
                limits: Arc::clone(&self.limits),
                draining: self.draining.clone(),
            };
            workers.push(worker.start(index, self.door())?);
        }
        let shared = sockets.shared.into_iter().map(|listener| (listener, dealer.clone())).collect();
        Ok((workers, shared))
    }

    /// Makes a worker's door, on the worker's own runtime.
    fn door(&self) -> impl FnOnce() -> Door + Send + 'static {
        let (gateway, access_log) = (Arc::clone(&self.gateway), self.access_log.for_thread());
        let (limits, draining) = (Arc::clone(&self.limits), self.draining.for_thread());
        move || {
            let router = axum::Router::new().fallback_service(gateway.worker(access_log.clone()));
            Door::new(router, access_log, draining, limits)
        }
    }
}
