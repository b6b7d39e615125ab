//! Reloads, one at a time, whoever asks: a signal, the watcher, the admin listener. Says in the log what
//! happened.
//!
//! What a reload does is the gateway's; here are the order, the certificate, and the note that the
//! addresses of a running server stay as they are.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::tls::Tls;
use crate::config::model::{Config, Server};
use crate::config::problem::{Location, Problem};
use crate::gateway::{Gateway, Reloaded};

/// Who asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Signal,
    Admin,
    Change,
    /// The change before could not be loaded for something that may have passed.
    Again,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "SIGHUP",
            Self::Admin => "POST /reload",
            Self::Change => "a file changed",
            Self::Again => "another try",
        })
    }
}

/// Whoever may reload has a clone.
#[derive(Clone)]
pub(super) struct Reloader {
    shared: Arc<Inner>,
}

struct Inner {
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    /// What the server was started with.
    started: Arc<Config>,
    one_at_a_time: Mutex<()>,
}

impl Reloader {
    pub(super) fn new(gateway: Arc<Gateway>, tls: Option<Arc<Tls>>) -> Self {
        let started = gateway.config();
        Self { shared: Arc::new(Inner { gateway, tls, started, one_at_a_time: Mutex::new(()) }) }
    }

    /// Every file whose content matters, the certificate's included.
    pub(super) fn watched(&self) -> Vec<PathBuf> {
        let mut files = self.shared.gateway.watched();
        if let Some(tls) = &self.shared.gateway.config().server.tls {
            files.extend([tls.cert.value.clone(), tls.key.value.clone()]);
            files.extend(tls.clients.iter().map(|clients| clients.ca.value.clone()));
        }
        files.sort();
        files.dedup();
        files
    }

    /// Reloads, when no other reload runs.
    ///
    /// # Errors
    /// What is wrong; then everything is as it was.
    pub(super) async fn reload(&self, cause: Cause) -> Result<Reloaded, Vec<Problem>> {
        let _turn = self.shared.one_at_a_time.lock().await;
        let shared = Arc::clone(&self.shared);
        let outcome = tokio::task::spawn_blocking(move || shared.reload()).await.unwrap_or_else(|error| {
            let message = format!("the reload itself failed: {error}");
            Err(vec![Problem::error(Location::default(), message)])
        });
        log(cause, &outcome);
        outcome
    }
}

impl Inner {
    fn reload(&self) -> Result<Reloaded, Vec<Problem>> {
        let mut reloaded = self.gateway.reload()?;
        let config = self.gateway.config();
        if let (Some(tls), Some(files)) = (&self.tls, &config.server.tls) {
            // The routes are live already: a bad certificate keeps the old one, and nothing else.
            tls.reload(files).unwrap_or_else(|problem| reloaded.warnings.push(as_warning(problem)));
        }
        reloaded.warnings.extend(needs_restart(&self.started, &config));
        Ok(reloaded)
    }
}

fn as_warning(problem: Problem) -> Problem {
    let help = "the certificate that was loaded before is still used";
    Problem { severity: crate::config::problem::Severity::Warning, ..problem }.help(help)
}

/// What a running server cannot change.
fn needs_restart(started: &Config, now: &Config) -> Option<Problem> {
    let listen =
        |server: &Server| -> Vec<_> { server.listen.iter().map(|listen| listen.value.clone()).collect() };
    let key = |config: &Config| {
        let server = &config.server;
        (listen(server), server.workers, server.accept, server.tls.is_some(), config.admin.listen.value)
    };
    (key(started) != key(now)).then(|| {
        let at = now.server.listen.first().map(|listen| listen.at.clone()).unwrap_or_default();
        Problem::warning(at, "addresses, workers and the use of TLS change with a restart only")
    })
}

fn log(cause: Cause, outcome: &Result<Reloaded, Vec<Problem>>) {
    match outcome {
        Ok(reloaded) => {
            for warning in &reloaded.warnings {
                tracing::warn!(place = %warning.at, "{}", warning.message);
            }
            let Reloaded { generation, changed, routes, .. } = reloaded;
            tracing::info!(%cause, generation, changed, routes, "reloaded");
        }
        Err(problems) => {
            for problem in problems {
                tracing::error!(place = %problem.at, "{}", problem.message);
            }
            tracing::error!(%cause, problems = problems.len(), "not reloaded: the old configuration serves on");
        }
    }
}

#[cfg(test)]
mod tests;
