//! What a connection is doing, and when it has done nothing for too long.
//!
//! hyper has one knob for the header timer and for the idle timer, none for a client that does not
//! read, and none for an idle HTTP/2 connection; so all timers of a connection are here. The socket and
//! the requests note what happens, which costs a few plain stores; the connection's task asks
//! [`Activity::due`] when it has nothing else to do, and keeps one timer.
//!
//! This file does not know what is done when time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::limits::Limits;

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Why a connection's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A request head has begun and does not end.
    Head,
    /// The client does not take what it is sent.
    Write,
    /// Nothing has been asked for long.
    Idle,
}

/// The state of one connection. Its task alone writes it, so nothing here is ever contended.
#[derive(Debug)]
pub(super) struct Activity {
    version: Version,
    born: Instant,
    requests: AtomicU32,
    /// Answers of HTTP/2 whose last piece waits for the client to open its window.
    waiting: AtomicU32,
    /// Since when, in milliseconds from `born`, plus one; 0: not now.
    head: AtomicU64,
    blocked: AtomicU64,
    stuck: AtomicU64,
    idle: AtomicU64,
    overdue: AtomicBool,
}

impl Activity {
    /// A connection whose first bytes have been read: over HTTP/1.1 its first head has begun.
    pub(super) fn new(version: Version) -> Arc<Self> {
        let activity = Self {
            version,
            born: Instant::now(),
            requests: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            head: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            idle: AtomicU64::new(1),
            overdue: AtomicBool::new(false),
        };
        activity.read();
        Arc::new(activity)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Bytes came: between two requests of HTTP/1.1 they begin a head.
    pub(super) fn read(&self) {
        let begins = self.version == Version::Http1
            && self.requests.load(Relaxed) == 0
            && self.head.load(Relaxed) == 0;
        if begins {
            self.head.store(self.now(), Relaxed);
        }
    }

    /// Bytes went, or none wait.
    pub(super) fn wrote(&self) {
        self.blocked.store(0, Relaxed);
    }

    /// Bytes wait to be written.
    pub(super) fn blocked(&self) {
        if self.blocked.load(Relaxed) == 0 {
            self.blocked.store(self.now(), Relaxed);
        }
    }

    /// Requests that have not ended yet.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Which HTTP the connection speaks.
    pub(super) const fn version(&self) -> Version {
        self.version
    }

    /// The connection is closed for what it failed to do in time.
    pub(super) fn close_overdue(&self) {
        self.overdue.store(true, Relaxed);
    }

    /// Whether it is: then nothing more is waited for.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.load(Relaxed)
    }

    /// What is due next, and when.
    pub(super) fn due(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        let due = |since: &AtomicU64, limit: Duration, why| {
            let since = Duration::from_millis(since.load(Relaxed).checked_sub(1)?);
            Some((self.born + since + limit, why))
        };
        let idle = match self.version {
            Version::Http1 => limits.idle_http1,
            Version::Http2 => limits.idle_http2,
        };
        let quiet = self.requests() == 0;
        [
            due(&self.blocked, limits.write_stall, Overdue::Write),
            due(&self.stuck, limits.write_stall, Overdue::Write),
            due(&self.head, limits.head_time, Overdue::Head).filter(|_| quiet),
            due(&self.idle, idle, Overdue::Idle).filter(|_| quiet),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }
}

/// One request, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    waiting: bool,
}

impl InFlight {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Relaxed);
        activity.head.store(0, Relaxed);
        activity.stuck.store(0, Relaxed);
        Self { activity: Arc::clone(activity), waiting: false }
    }

    /// A piece of the answer was handed over. Over HTTP/2 the next is asked for when the client's
    /// window has room; when all answers wait for that, the connection is stuck.
    pub(super) fn handed_over(&mut self) {
        let activity = &self.activity;
        if activity.version == Version::Http2 && !self.waiting {
            self.waiting = true;
            let waiting = activity.waiting.fetch_add(1, Relaxed) + 1;
            if waiting == activity.requests() {
                activity.stuck.store(activity.now(), Relaxed);
            }
        }
    }

    /// The next piece is asked for.
    pub(super) fn asked(&mut self) {
        if self.waiting {
            self.waiting = false;
            self.activity.waiting.fetch_sub(1, Relaxed);
            self.activity.stuck.store(0, Relaxed);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.asked();
        let activity = &self.activity;
        let left = activity.requests.fetch_sub(1, Relaxed) - 1;
        if left == 0 {
            activity.idle.store(activity.now(), Relaxed);
        } else if left == activity.waiting.load(Relaxed) {
            activity.stuck.store(activity.now(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(activity: &Activity) -> Option<(u64, Overdue)> {
        let due = activity.due(&Limits::default());
        due.map(|(at, why)| ((at - activity.born).as_secs(), why))
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte() {
        let activity = Activity::new(Version::Http1);
        assert_eq!(due(&activity), Some((10, Overdue::Head)));
        pass(5).await;
        activity.read();
        assert_eq!(due(&activity), Some((10, Overdue::Head)), "later bytes do not prolong it");
        let request = InFlight::new(&activity);
        assert_eq!(due(&activity), None, "what a request may take is not decided here");
        activity.read();
        drop(request);
        assert_eq!(due(&activity), Some((80, Overdue::Idle)));
        pass(20).await;
        activity.read();
        assert_eq!(due(&activity), Some((35, Overdue::Head)));
    }

    #[tokio::test(start_paused = true)]
    async fn http2_is_idle_without_streams_whatever_frames_come() {
        let activity = Activity::new(Version::Http2);
        pass(100).await;
        activity.read();
        assert_eq!(due(&activity), Some((300, Overdue::Idle)));
        let streams = [InFlight::new(&activity), InFlight::new(&activity)];
        pass(900).await;
        assert_eq!(due(&activity), None);
        drop(streams);
        assert_eq!(due(&activity), Some((1300, Overdue::Idle)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_does_not_move_is_overdue_whatever_else_happens() {
        let activity = Activity::new(Version::Http2);
        let _stream = InFlight::new(&activity);
        activity.blocked();
        pass(20).await;
        activity.blocked();
        assert_eq!(due(&activity), Some((30, Overdue::Write)));
        activity.wrote();
        assert_eq!(due(&activity), None);
    }

    #[tokio::test(start_paused = true)]
    async fn http2_is_stuck_when_every_answer_waits() {
        let activity = Activity::new(Version::Http2);
        let [mut one, mut two] = [InFlight::new(&activity), InFlight::new(&activity)];
        one.handed_over();
        assert_eq!(due(&activity), None, "the other goes on");
        pass(5).await;
        two.handed_over();
        assert_eq!(due(&activity), Some((35, Overdue::Write)));
        two.asked();
        assert_eq!(due(&activity), None);
        drop(two);
        assert_eq!(due(&activity), Some((35, Overdue::Write)), "the one that is left waits");
        drop(one);
        assert_eq!(due(&activity), Some((305, Overdue::Idle)));
    }
}
