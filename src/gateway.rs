//! The gateway: a snapshot of configuration, schema and routes, and the way of a request through it.
//!
//! [`Gateway`] is shared by all threads and reloads; [`Worker`] serves requests on one of them. The way of
//! a request is [`service`] → [`resolve`] → [`dispatch`] → the adapter → [`exchange`] → the adapter. How routes are made
//! is in [`snapshot`] and what stands below it. Nothing here knows sockets.

mod assign;
mod auth;
mod compile;
mod credentials;
mod dispatch;
mod exchange;
mod explain;
mod issuers;
mod policy;
pub mod reflection;
mod resolve;
mod resume;
mod routes;
mod secrets;
mod service;
mod snapshot;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::watch;

pub use explain::Explanation;
pub use routes::RouteRow;
pub use service::Worker;

use crate::config::Source;
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::middleware::forwarded::Trusted;
use crate::middleware::rate_limit::buckets::Buckets;
use crate::telemetry::access_log::AccessLog;
use crate::upstream::{self, Pool, UpstreamReport};
use issuers::Issuers;
use snapshot::Snapshot;

/// What all threads share: the current snapshot and where the next one comes from.
#[derive(Debug)]
pub struct Gateway {
    source: Source,
    current: ArcSwap<Snapshot>,
    /// Held while a snapshot is built, so that reloads come one after the other.
    reloading: Mutex<()>,
    /// Limits and retry tokens of upstreams, which hold for all workers together.
    calls: upstream::Shared,
    /// Issuers of tokens whose keys are fetched.
    issuers: Issuers,
    /// Whom `rate_limit` counts, for all workers and snapshots together.
    buckets: Arc<Buckets>,
    /// Who is believed about where requests come from; as the current snapshot says, for what has none yet.
    trusted: Trusted,
    /// The connections of each worker, for those who ask.
    pools: Mutex<Vec<Pool>>,
    /// The number of the current snapshot, for workers that have nothing else to do.
    generation: watch::Sender<u64>,
}

/// What a reload did.
#[derive(Clone, Debug, Serialize)]
pub struct Reloaded {
    /// The number of the snapshot that serves now; the first is 1.
    pub generation: u64,
    /// Whether it differs from the one before.
    pub changed: bool,
    pub warnings: Vec<Problem>,
    /// How many routes there are.
    pub routes: usize,
}

impl Gateway {
    /// Loads a configuration with all that it names. Reads files, so it blocks.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, the schema and the routes.
    pub fn load(source: Source) -> Result<(Arc<Self>, Vec<Problem>), Vec<Problem>> {
        let issuers = Issuers::default();
        let (snapshot, warnings) = Snapshot::load(&source, 1, &issuers)?;
        let trusted = Arc::new(ArcSwap::from_pointee(snapshot.config.server.proxies.clone()));
        let current = ArcSwap::from_pointee(snapshot);
        Ok((
            Arc::new(Self {
                source,
                current,
                reloading: Mutex::default(),
                calls: upstream::Shared::default(),
                issuers,
                buckets: Arc::default(),
                trusted,
                pools: Mutex::default(),
                generation: watch::Sender::new(1),
            }),
            warnings,
        ))
    }

    /// Loads everything anew and serves it from the next request on. Reads files, so it blocks.
    ///
    /// # Errors
    /// Everything that is wrong; the snapshot before then stays.
    pub fn reload(&self) -> Result<Reloaded, Vec<Problem>> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        let (snapshot, warnings) = Snapshot::load(&self.source, before.generation + 1, &self.issuers)?;
        let changed = snapshot.fingerprint != before.fingerprint;
        let routes = snapshot.routes.rows().len();
        let generation = if changed { snapshot.generation } else { before.generation };
        if changed {
            self.trusted.store(Arc::new(snapshot.config.server.proxies.clone()));
            self.current.store(Arc::new(snapshot));
            self.generation.send_replace(generation);
        }
        Ok(Reloaded { generation, changed, warnings, routes })
    }

    /// The configuration of the current snapshot.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.current.load().config)
    }

    /// Every file and pattern whose content decides the snapshot.
    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        self.current.load().watched.clone()
    }

    /// The route table.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteRow> {
        self.current.load().routes.rows()
    }

    /// What can be seen of the upstreams, of all workers together.
    #[must_use]
    pub fn upstreams(&self) -> Vec<UpstreamReport> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        UpstreamReport::together(pools.iter().map(Pool::report))
    }

    /// What would become of a request: which route matches and why, or which came close.
    #[must_use]
    pub fn explain(&self, method: &str, target: &str, host: Option<&str>) -> Explanation {
        explain::explain(&self.current.load(), method, target, host)
    }

    /// A server of requests, to be made on the thread that it serves on: its connections to the upstreams
    /// belong to that thread's runtime.
    #[must_use]
    pub fn worker(self: &Arc<Self>, access_log: AccessLog) -> Worker {
        Worker::new(Arc::clone(self), access_log)
    }

    /// What no request waits for, such as fetching the keys of issuers: to be run once, on a runtime that goes
    /// on for as long as the gateway serves.
    pub fn tend(&self) -> impl Future<Output = ()> + Send + use<> {
        self.issuers.tend()
    }

    /// Whether everything is there that requests may need: the keys of issuers, unless those do not answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.issuers.are_settled()
    }

    /// The connections of one more worker, which are then reported, too.
    fn pool(&self) -> Pool {
        let pool = Pool::sharing(&self.calls);
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pool.clone());
        pool
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }
}
