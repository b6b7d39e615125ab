//! How an exchange went, for whoever logs and counts it when its body has ended.
//!
//! A response may have begun before its call has ended, so the adapter notes here what happens, and
//! the edge reads it last.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::rpc::{Code, Origin, Status};

use super::{Client, Target};

/// Notes of one exchange. Only the task that serves it writes, so relaxed order suffices.
#[derive(Debug)]
pub struct Outcome {
    client: Client,
    target: OnceLock<Arc<Target>>,
    /// The number of the code; negative until there is one.
    code: AtomicI32,
    /// 0 for none, else the [`Origin`] and one.
    origin: AtomicU8,
    /// Why the gateway itself refused or failed.
    reason: OnceLock<String>,
    bytes_in: AtomicU64,
    /// Of what goes out behind the answer; its body is counted where it is logged.
    bytes_out: AtomicU64,
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    /// Whether an upgraded connection came to its end, and its client knows.
    closed: AtomicBool,
}

impl Outcome {
    /// Of an exchange that has just begun.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self {
            client,
            target: OnceLock::new(),
            code: AtomicI32::new(-1),
            origin: AtomicU8::new(0),
            reason: OnceLock::new(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            messages_in: AtomicU64::new(0),
            messages_out: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// A route has been found.
    pub fn set_target(&self, target: &Arc<Target>) {
        self.target.get_or_init(|| Arc::clone(target));
    }

    /// The call has ended well.
    pub fn succeed(&self) {
        self.code.store(Code::Ok.number(), Ordering::Relaxed);
    }

    /// The call has failed.
    pub fn fail(&self, status: &Status) {
        self.code.store(status.code.number(), Ordering::Relaxed);
        self.origin.store(status.origin as u8 + 1, Ordering::Relaxed);
        if let Some(reason) = status.reason() {
            self.reason.get_or_init(|| reason);
        }
    }

    /// Bytes of the request's body, or over an upgraded connection, have come.
    pub fn bytes_received(&self, count: usize) {
        self.bytes_in.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Bytes have gone to the client over an upgraded connection.
    pub fn bytes_sent(&self, count: usize) {
        self.bytes_out.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// An upgraded connection has come to its end, and its client has been told.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// A message came from the client.
    pub fn message_in(&self) {
        self.messages_in.fetch_add(1, Ordering::Relaxed);
    }

    /// A message went to the client.
    pub fn message_out(&self) {
        self.messages_out.fetch_add(1, Ordering::Relaxed);
    }

    /// The language of the client.
    #[must_use]
    pub const fn client(&self) -> Client {
        self.client
    }

    /// What the request was for, if a route was found.
    #[must_use]
    pub fn target(&self) -> Option<&Arc<Target>> {
        self.target.get()
    }

    /// Why the gateway itself refused or failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Bytes of the request's body.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }

    /// Bytes that have gone over an upgraded connection.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// Whether an upgraded connection came to its end, and its client knows.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// How the call ended, if it has.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        let number = self.code.load(Ordering::Relaxed);
        (number >= 0).then(|| Code::from_number(number))
    }

    /// Whose fault a failure is.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        [Origin::Client, Origin::Gateway, Origin::Upstream]
            .into_iter()
            .find(|origin| *origin as u8 + 1 == self.origin.load(Ordering::Relaxed))
    }

    /// Messages from the client.
    #[must_use]
    pub fn messages_in(&self) -> u64 {
        self.messages_in.load(Ordering::Relaxed)
    }

    /// Messages to the client.
    #[must_use]
    pub fn messages_out(&self) -> u64 {
        self.messages_out.load(Ordering::Relaxed)
    }
}
