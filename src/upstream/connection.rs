//! One HTTP/2 connection: its free slots, and how its streams are opened and cancelled.
//!
//! [`Connection`] is the side that calls see; [`driver`] moves the frames. It knows neither gRPC nor how
//! connections are chosen.

mod driver;
mod pulse;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio::sync::Notify;

use super::spec::Timers;
use super::wire::{Socket, Wire};
pub use driver::{Driver, End};

/// The window of each stream: the default of HTTP/2, so that it needs no round trip to be known.
const STREAM_WINDOW: u32 = 65_535;

/// The window of the connection. Streams that nobody reads hold at most their own windows of it, so as
/// many streams as fit into it can never starve one another.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// How many streams fit into the connection's window.
const WINDOW_STREAMS: usize = (CONNECTION_WINDOW / STREAM_WINDOW) as usize;

/// The largest head or trailers accepted.
const HEADER_LIST: u32 = 32 * 1024;

/// What h2 may hold for the overhead of small DATA frames, in bytes. All frames are taken at once
/// (see `grpc::inbox`), so that only a stream about to be cancelled can have any.
const FRAME_BUDGET: usize = 4 * CONNECTION_WINDOW as usize;

/// A connection, shared by the calls on it.
pub struct Connection {
    /// Gone once no new stream may be opened.
    sender: Mutex<Option<SendRequest<Bytes>>>,
    in_flight: AtomicUsize,
    /// Heads and bodies that have arrived: what tells an answer from a sign of life.
    answers: AtomicU64,
    silent: AtomicBool,
    /// Whether a call has paid for its failure.
    blamed: AtomicBool,
    abandoned: Mutex<Abandoned>,
    driver: AtomicWaker,
    freed: Arc<Notify>,
    silenced: Notify,
}

/// The streams that nobody waits for any longer, until they are reset.
struct Abandoned {
    streams: VecDeque<Box<dyn Cancel>>,
    /// The connection has ended, and its streams with it.
    ended: bool,
}

/// A stream that can be reset with the error code CANCEL; it is dropped afterwards.
pub trait Cancel: Send {
    /// Sends RST_STREAM.
    fn cancel(&mut self);
}

impl Connection {
    /// Speaks HTTP/2 on a socket and waits for the peer's SETTINGS. `freed` is told when a slot becomes
    /// free, and when the connection takes no more streams.
    ///
    /// # Errors
    /// When the peer does not speak HTTP/2, or hangs up.
    pub async fn open(
        socket: Box<dyn Socket>,
        timers: Timers,
        freed: Arc<Notify>,
    ) -> Result<(Arc<Self>, Driver), End> {
        let wire = Wire::new(socket);
        let (sender, http) = builder().handshake(wire.clone()).await.map_err(End::Failed)?;
        let connection = Arc::new(Self {
            sender: Mutex::new(Some(sender)),
            in_flight: AtomicUsize::new(0),
            answers: AtomicU64::new(0),
            silent: AtomicBool::new(false),
            blamed: AtomicBool::new(false),
            abandoned: Mutex::new(Abandoned { streams: VecDeque::new(), ended: false }),
            driver: AtomicWaker::new(),
            freed,
            silenced: Notify::new(),
        });
        let mut driver = Driver::new(connection.clone(), http, wire, timers);
        driver.settled().await?;
        Ok((connection, driver))
    }

    /// How many more streams it may carry: what the peer allows and the window holds, less those in
    /// flight. Zero when it takes none.
    pub fn free(&self) -> usize {
        if self.silent.load(Ordering::Relaxed) {
            return 0;
        }
        self.capacity().saturating_sub(self.in_flight())
    }

    /// How many streams it may carry at once; zero when it takes none.
    pub fn capacity(&self) -> usize {
        lock(&self.sender).as_ref().map_or(0, |sender| sender.current_max_send_streams().min(WINDOW_STREAMS))
    }

    /// How many streams it carries.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it takes new streams at all, now or when others have ended.
    pub fn is_open(&self) -> bool {
        lock(&self.sender).is_some()
    }

    /// Whether the peer owes an answer and has not shown any life for long.
    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Whether a call is the first to pay for the failure of this connection.
    pub fn takes_blame(&self) -> bool {
        !self.blamed.swap(true, Ordering::Relaxed)
    }

    /// Waits until it is silent.
    pub async fn silence(&self) {
        let mut changed = self.silenced.notified();
        while !self.is_silent() {
            changed.await;
            changed = self.silenced.notified();
        }
    }

    /// Takes a slot for one stream.
    pub fn slot(self: &Arc<Self>) -> Slot {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Slot(self.clone())
    }

    /// Opens no more streams; ends when those in flight have.
    pub fn drain(&self) {
        drop(lock(&self.sender).take());
        self.driver.wake();
        self.freed.notify_waiters();
    }

    /// Resets a stream when its turn has come: many resets at once look like an attack to the peer.
    pub fn abandon(&self, stream: impl Cancel + 'static) {
        let mut abandoned = lock(&self.abandoned);
        if !abandoned.ended {
            abandoned.streams.push_back(Box::new(stream));
            self.driver.wake();
        }
    }

    fn set_silent(&self, silent: bool) {
        if self.silent.swap(silent, Ordering::Relaxed) != silent {
            self.silenced.notify_waiters();
            self.freed.notify_waiters();
        }
    }

    /// No stream lives any longer.
    fn end(&self) {
        drop(lock(&self.sender).take());
        let streams = {
            let mut abandoned = lock(&self.abandoned);
            abandoned.ended = true;
            std::mem::take(&mut abandoned.streams)
        };
        // Outside the lock: they hold slots, whose release wakes others.
        drop(streams);
        self.freed.notify_waiters();
    }
}

/// One stream's place on a connection, given back when dropped.
pub struct Slot(Arc<Connection>);

impl Slot {
    /// Opens a stream.
    ///
    /// # Errors
    /// When the connection takes none any longer; nothing was sent then.
    pub fn open(
        &self,
        request: http::Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Option<h2::Error>> {
        let mut sender = lock(&self.0.sender).clone().ok_or(None)?;
        sender.send_request(request, end).map_err(Some)
    }

    /// Notes that the peer answers.
    pub fn answered(&self) {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection.
    pub const fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

fn builder() -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .data_frame_budget(FRAME_BUDGET)
        .enable_push(false);
    builder
}

/// A panic elsewhere leaves these values usable: each is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
