//! The access log: one line a request, written when its body ends.
//!
//! [`AccessLog`] hands entries to a thread of its own over a bounded channel; when standard output
//! cannot keep up, entries are dropped and counted, and no request ever waits. How an entry looks is
//! in [`format`]; who makes entries is the gateway.

pub mod format;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use http::{Method, Uri, Version};

use super::log::Format;
use crate::rpc::{Code, Origin};

/// Entries that may wait for the writer: a tenth of a second at 100,000 requests a second.
const QUEUE: usize = 8_192;

/// How long the writer lets entries gather, so that it is not woken for each.
const GATHER: Duration = Duration::from_millis(20);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was sent.
    Complete,
    /// The client left before the end.
    ClientGone,
    /// The answer broke off.
    Error,
    /// The process ended first.
    Drain,
}

impl End {
    /// The word that stands in the line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::Error => "error",
            Self::Drain => "drain",
        }
    }
}

/// What is known of a request when its body has ended.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the request came.
    pub time: SystemTime,
    /// The other side of the connection; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The client behind it, as trusted proxies tell it.
    pub told: Option<IpAddr>,
    pub request_id: String,
    pub method: Method,
    /// The path and the names of the query; see [`redacted`].
    pub path: String,
    pub host: Option<String>,
    /// The client's protocol by its name, such as `rest` or `grpc`.
    pub protocol: &'static str,
    pub http_version: Version,
    /// The HTTP status.
    pub status: u16,
    /// `package.Service/Method`, once a route has been found.
    pub rpc_method: Option<Arc<str>>,
    /// The kind of the method, as `rpc::Kind::name` has it.
    pub kind: Option<&'static str>,
    /// How the call ended; `None` where none was made.
    pub code: Option<Code>,
    /// Whose fault an error is.
    pub origin: Option<Origin>,
    /// Why the gateway refused or failed, in `UPPER_SNAKE_CASE`.
    pub reason: Option<String>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the response's body.
    pub bytes_out: u64,
    pub messages_in: u64,
    pub messages_out: u64,
    pub duration: Duration,
    pub end: End,
}

impl Entry {
    /// An entry with all that is known when a request comes.
    #[must_use]
    pub fn new(method: Method, uri: &Uri, http_version: Version, peer: Option<SocketAddr>) -> Self {
        Self {
            time: SystemTime::now(),
            peer,
            told: None,
            request_id: String::new(),
            method,
            path: redacted(uri),
            host: None,
            protocol: "http",
            http_version,
            status: 0,
            rpc_method: None,
            kind: None,
            code: None,
            origin: None,
            reason: None,
            bytes_in: 0,
            bytes_out: 0,
            messages_in: 0,
            messages_out: 0,
            duration: Duration::ZERO,
            end: End::Complete,
        }
    }
}

/// The path of a target with its query's names, and `*` for each value: values may be secrets.
#[must_use]
pub fn redacted(uri: &Uri) -> String {
    let mut text = uri.path().to_owned();
    let mut separator = '?';
    for pair in uri.query().into_iter().flat_map(|query| query.split('&')) {
        text.push(separator);
        separator = '&';
        match pair.split_once('=') {
            Some((name, _)) => {
                text.push_str(name);
                text.push_str("=*");
            }
            None => text.push_str(pair),
        }
    }
    text
}

/// Where entries go. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct AccessLog {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    /// `None`: nothing is logged.
    queue: Option<SyncSender<Entry>>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// A log that writes nothing.
    #[must_use]
    pub fn disabled() -> Self {
        Self { inner: Arc::default() }
    }

    /// Starts the thread that writes to `output`. It ends, with everything written, when the last
    /// clone of the log has been dropped; join it to know.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(format: Format, output: impl Write + Send + 'static) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let inner = Inner { queue: Some(sender), dropped: Arc::clone(&dropped) };
        let log = Self { inner: Arc::new(inner) };
        let writer = Writer { queue: receiver, dropped, format, output };
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run())?;
        Ok((log, thread))
    }

    /// The same log for another thread: its clones count on a cache line of their own.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        Self { inner: Arc::new((*self.inner).clone()) }
    }

    /// Whether an entry would be written: if not, none needs to be made.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.inner.queue.is_some()
    }

    /// Writes an entry soon, or drops and counts it. Never waits.
    pub fn write(&self, entry: Entry) {
        if let Some(queue) = &self.inner.queue
            && let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(entry)
        {
            self.inner.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries dropped and not reported yet.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped.load(Ordering::Relaxed)
    }
}

/// The thread's side.
struct Writer<W> {
    queue: Receiver<Entry>,
    dropped: Arc<AtomicU64>,
    format: Format,
    output: W,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        let mut lines = String::new();
        while let Ok(first) = self.queue.recv() {
            thread::sleep(GATHER);
            format::line(&mut lines, self.format, &first);
            for entry in self.queue.try_iter().take(QUEUE) {
                format::line(&mut lines, self.format, &entry);
            }
            self.write(&lines);
            lines.clear();
        }
    }

    /// A log that cannot be written must not end the gateway: it is said in the program's own log.
    fn write(&mut self, lines: &str) {
        if let Err(error) = self.output.write_all(lines.as_bytes()).and_then(|()| self.output.flush()) {
            tracing::warn!(%error, "the access log cannot be written");
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "the access log could not keep up");
        }
    }
}

#[cfg(test)]
mod tests;
