//! One worker: a thread with a runtime of its own, on which connections live from accept to end.
//!
//! A worker ends when its listeners are closed and its last connection is gone, or when the drain's
//! time is up; what still runs then ends with the runtime.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::connection;
use super::front::Door;
use super::limits::Limits;
use super::listener::{self, Accepted, Destination, Detached, Listener};
use super::socket::Socket;
use super::tls::Tls;
use crate::telemetry::guard::{ClientInfo, Draining};

/// Connections dealt to a worker that it has not taken yet.
const DEALT: usize = 256;

/// A place in a worker: while one is held, the worker waits.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    held: mpsc::Sender<Infallible>,
}

/// What a worker is made of.
pub(super) struct Worker {
    /// The sockets that are its own.
    pub listeners: Vec<Listener>,
    /// What is dealt to it from shared sockets.
    pub dealt: mpsc::Receiver<Detached>,
    pub tls: Option<Arc<Tls>>,
    pub limits: Arc<Limits>,
    pub draining: Draining,
}

impl Worker {
    /// Starts the thread. `door` is called on the worker's own runtime.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub(super) fn start(
        self,
        index: usize,
        door: impl FnOnce() -> Door + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            runtime.block_on(self.run(door));
            // What still runs is dropped here, without waiting for blocking work.
            runtime.shutdown_background();
        })
    }

    async fn run(mut self, door: impl FnOnce() -> Door) {
        let (home, mut released) = Home::new(door(), self.tls, self.limits);
        for listener in self.listeners {
            let (home, draining) = (home.clone(), self.draining.clone());
            tokio::spawn(async move {
                if let Err(error) = listener::accept(listener, draining, home).await {
                    tracing::error!(%error, "a listener ended");
                }
            });
        }
        // Who deals drops the sender when its sockets are closed.
        let mut dealer = home;
        tokio::spawn(async move {
            while let Some(detached) = self.dealt.recv().await {
                match detached.attach() {
                    Ok(accepted) => dealer.take(accepted),
                    Err(error) => tracing::debug!(%error, "a connection could not be taken"),
                }
            }
        });
        self.draining.drained().await;
        tokio::select! {
            _ = released.recv() => {}
            () = self.draining.expired() => {
                tracing::warn!(connections = released.sender_strong_count(), "cut off at the end of the drain");
            }
        }
    }
}

/// Where a worker's connections are served.
#[derive(Clone)]
pub(super) struct Home {
    door: Door,
    tls: Option<Arc<Tls>>,
    limits: Arc<Limits>,
    slot: Slot,
}

impl Home {
    /// A home, and what tells when the last clone of it and the last connection are gone.
    pub(super) fn new(
        door: Door,
        tls: Option<Arc<Tls>>,
        limits: Arc<Limits>,
    ) -> (Self, mpsc::Receiver<Infallible>) {
        let (held, released) = mpsc::channel(1);
        (Self { door, tls, limits, slot: Slot { held } }, released)
    }
}

impl Destination for Home {
    fn has_room(&self) -> bool {
        self.slot.held.strong_count() < self.limits.connections
    }

    fn take(&mut self, accepted: Accepted) {
        let home = self.clone();
        tokio::spawn(async move { home.serve(accepted).await });
    }
}

impl Home {
    async fn serve(self, accepted: Accepted) {
        let peer = accepted.client();
        let Some(socket) = self.open(accepted).await else { return };
        let certificate = socket.certificate().map(Arc::new);
        let tls = matches!(socket, Socket::Tls(_));
        let client = ClientInfo { peer, tls, certificate, ..ClientInfo::default() };
        connection::serve(socket, self.door.open(client), self.limits, self.slot).await;
    }

    /// The socket after its handshake, if it needs one; `None` when that failed. Who can reach a Unix
    /// socket is decided by its folder, so it has no TLS.
    async fn open(&self, accepted: Accepted) -> Option<Socket> {
        match (accepted, &self.tls) {
            (Accepted::Unix(stream), _) => Some(Socket::Unix(stream)),
            (Accepted::Tcp(stream, _), None) => Some(Socket::Tcp(stream)),
            (Accepted::Tcp(stream, _), Some(tls)) => {
                // Boxed, as all that a connection needs only once: its task is as large as its largest step.
                let stream = Box::pin(tls.accept(stream, self.limits.handshake)).await?;
                Some(Socket::Tls(Box::new(stream)))
            }
        }
    }
}

/// Deals the connections of a shared socket out to all workers in turn.
pub(super) struct Dealer {
    workers: Vec<mpsc::Sender<Detached>>,
    next: usize,
}

impl Dealer {
    /// A dealer for so many workers, and what each of them receives from.
    pub(super) fn new(workers: usize) -> (Self, Vec<mpsc::Receiver<Detached>>) {
        let (workers, receivers) = (0..workers).map(|_| mpsc::channel(DEALT)).unzip();
        (Self { workers, next: 0 }, receivers)
    }
}

impl Clone for Dealer {
    fn clone(&self) -> Self {
        Self { workers: self.workers.clone(), next: 0 }
    }
}

impl Destination for Dealer {
    fn has_room(&self) -> bool {
        self.workers.iter().any(|worker| worker.capacity() > 0)
    }

    /// A worker that is full is passed over; when all are, which only a drain lets happen, the
    /// connection is refused.
    fn take(&mut self, accepted: Accepted) {
        let mut detached = match accepted.detach() {
            Ok(detached) => detached,
            Err(error) => return tracing::debug!(%error, "a connection could not be dealt out"),
        };
        for _ in 0..self.workers.len() {
            self.next = (self.next + 1) % self.workers.len();
            let Some(worker) = self.workers.get(self.next) else { return };
            match worker.try_send(detached) {
                Ok(()) => return,
                Err(error) => detached = error.into_inner(),
            }
        }
        tracing::warn!("no worker had room for a connection");
    }
}

#[cfg(test)]
mod tests;
