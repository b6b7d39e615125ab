//! The control thread: what no request waits for. It accepts from shared sockets, answers the admin
//! listener, watches files, reloads, and turns signals into the process's end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admin;
use super::front::Door;
use super::limits::Limits;
use super::listener::{self, Listener};
use super::reload::{Cause, Reloader};
use super::serve::{Options, Shared};
use super::tls::Tls;
use super::watch::Watcher;
use super::worker::Home;
use crate::gateway::Gateway;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::guard::{Drain, Draining};

/// The control thread's runtime and what it works on.
pub(super) struct Control {
    runtime: Runtime,
    gateway: Arc<Gateway>,
    reloader: Reloader,
    watcher: Watcher,
    drain: Drain,
    draining: Draining,
    options: Options,
}

impl Control {
    /// Takes note of what the watched files hold now, so that every later change is seen.
    ///
    /// # Errors
    /// When the runtime cannot be made.
    pub(super) fn new(
        gateway: Arc<Gateway>,
        tls: Option<Arc<Tls>>,
        (drain, draining): (Drain, Draining),
        options: &Options,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reloader = Reloader::new(Arc::clone(&gateway), tls);
        let watcher = Watcher::new(reloader.watched());
        Ok(Self { runtime, gateway, reloader, watcher, drain, draining, options: options.clone() })
    }

    /// Runs until every worker has ended.
    ///
    /// # Errors
    /// When signals or sockets cannot be registered with the runtime.
    pub(super) fn run(
        self,
        admin: TcpListener,
        shared: Vec<Shared>,
        workers: Vec<JoinHandle<()>>,
    ) -> io::Result<()> {
        let signals = {
            let _entered = self.runtime.enter();
            Signals::new()?
        };
        for (listener, dealer) in shared {
            let accepting = listener::accept(listener, self.draining.clone(), dealer);
            self.runtime.spawn(async move {
                if let Err(error) = accepting.await {
                    tracing::error!(%error, "a listener ended");
                }
            });
        }
        self.runtime.spawn(self.gateway.tend());
        self.runtime.spawn(self.admin(admin));
        self.runtime.spawn(self.watcher.run(self.options.poll, self.reloader.clone()));
        let ended = self.runtime.spawn_blocking(move || join(workers));
        let end = End { drain: self.drain, patience: self.options.drain, reloader: self.reloader };
        self.runtime.block_on(async {
            tokio::select! {
                _ = ended => {}
                () = end.obey(signals) => {}
            }
        });
        self.runtime.shutdown_background();
        Ok(())
    }

    /// The admin listener, with the same limits as the public one. It answers until the very end.
    fn admin(&self, listener: TcpListener) -> impl Future<Output = ()> + use<> {
        let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
        let router =
            admin::router(Arc::clone(&self.gateway), self.reloader.clone(), self.draining.clone(), loopback);
        let limits = Arc::new(Limits { connections: 100, ..self.options.limits.clone() });
        async move {
            let door = Door::new(router, AccessLog::disabled(), Draining::never(), Arc::clone(&limits));
            let (home, _released) = Home::new(door, None, limits);
            let listening = listener::accept(Listener::Tcp(listener), Draining::never(), home).await;
            if let Err(error) = listening {
                tracing::error!(%error, "the admin listener ended");
            }
        }
    }
}

/// Waits for all workers. One that panicked is told; the others go on without it.
fn join(workers: Vec<JoinHandle<()>>) {
    for worker in workers {
        if worker.join().is_err() {
            tracing::error!("a worker panicked");
        }
    }
}

/// The signals that a gateway obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What is asked of the process.
enum Asked {
    End,
    Reload,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}

/// How the process ends.
struct End {
    drain: Drain,
    patience: std::time::Duration,
    reloader: Reloader,
}

impl End {
    /// The first signal to end begins the drain, the second ends it. Never returns: the workers do.
    async fn obey(self, mut signals: Signals) {
        let (asked, mut reloads) = mpsc::channel(1);
        let reloader = self.reloader;
        tokio::spawn(async move {
            while reloads.recv().await.is_some() {
                // What happened has been logged; nobody else waits for it.
                drop(reloader.reload(Cause::Signal).await);
            }
        });
        let mut draining = false;
        loop {
            match signals.next().await {
                // One that waits already will see what is there then.
                Asked::Reload => drop(asked.try_send(())),
                Asked::End if draining => {
                    tracing::warn!("second signal: ending now");
                    self.drain.end();
                }
                Asked::End => {
                    draining = true;
                    tracing::info!(seconds = self.patience.as_secs(), "draining; signal again to end now");
                    self.drain.begin(Instant::now() + self.patience);
                }
            }
        }
    }
}
