//! The connections of one endpoint that carry calls of one sort.
//!
//! Unary calls and streams have separate lanes, so that long streams never take the slots that unary
//! calls wait for. A lane knows how full it is, not how connections are made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::{Connection, Slot};
use crate::rpc::Kind;

/// Which lane a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Calls that end soon.
    Unary,
    /// Calls that may last.
    Stream,
}

impl Sort {
    /// The sort of a kind of call.
    pub const fn of(kind: Kind) -> Self {
        if kind.client_streams() || kind.server_streams() { Self::Stream } else { Self::Unary }
    }
}

/// The connections of a lane.
#[derive(Default)]
pub struct Lane {
    connections: Mutex<Vec<Arc<Connection>>>,
    dialing: AtomicBool,
}

/// What a lane has for one more stream.
pub struct Offer {
    /// A slot on its emptiest connection.
    pub slot: Option<Slot>,
    /// Whether another connection is wanted: there is none, or the best is nearly full.
    pub wants_more: bool,
}

impl Lane {
    /// A slot on the emptiest connection, if any has one. At most `limit` connections are wanted.
    pub fn offer(&self, limit: usize) -> Offer {
        let connections = self.lock();
        let best = connections
            .iter()
            .map(|connection| (connection.free(), connection))
            .filter(|(free, _)| *free > 0)
            .max_by_key(|(free, _)| *free);
        let wants_more = connections.len() < limit
            && best.is_none_or(|(free, connection)| free - 1 < connection.capacity() / 5);
        Offer { slot: best.map(|(_, connection)| connection.slot()), wants_more }
    }

    /// Whether calls can be sent, or could if there were fewer.
    pub fn is_ready(&self) -> bool {
        self.lock().iter().any(|connection| connection.is_open() && !connection.is_silent())
    }

    /// Whether there is no connection at all.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Adds a connection.
    pub fn add(&self, connection: Arc<Connection>) {
        self.lock().push(connection);
    }

    /// Takes a connection out: it drains or has ended.
    pub fn remove(&self, connection: &Arc<Connection>) {
        self.lock().retain(|kept| !Arc::ptr_eq(kept, connection));
    }

    /// Lets all connections end when their calls have.
    pub fn drain(&self) {
        let connections = std::mem::take(&mut *self.lock());
        for connection in connections {
            connection.drain();
        }
    }

    /// Claims the task of dialing; `false` when it is claimed already.
    pub fn start_dialing(&self) -> bool {
        !self.dialing.swap(true, Ordering::Relaxed)
    }

    /// Gives the task back.
    pub fn stop_dialing(&self) {
        self.dialing.store(false, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
