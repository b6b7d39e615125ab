//! The keys of an issuer that are fetched by URL: the ones that are good now, and when to fetch again.
//!
//! Whoever fetches ([`Issuer::begin`], [`Issuer::end`]) runs on a thread that no request waits for; here
//! is what both sides know. A token that names an unknown key asks for one fetch, whoever else asks for
//! it too, and waits for its end. If that brings nothing new, a pause follows in which nobody can ask
//! for another, so that made-up names of keys do not become a flood upon the issuer; one that does bring
//! something starts none, for only the issuer can cause it. How a document is fetched is not known here.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::keys::KeySet;

/// How long nobody can ask for a fetch after one that brought nothing new.
const PAUSE: Duration = Duration::from_secs(10);

/// When a failed fetch is tried again: as long as there are no keys at all sooner, and doubling.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// For how long keys are taken for fresh when their issuer does not say, and the bounds of what it says.
const FRESH: Duration = Duration::from_secs(300);
const FRESH_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));

/// How long keys are good while their issuer cannot be asked.
const STALE: Duration = Duration::from_secs(86_400);

/// How long a request waits for a fetch: longer than a fetch takes.
const WAIT: Duration = Duration::from_secs(6);

/// How long readiness waits for the first keys.
const SETTLING: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct Issuer {
    keys: ArcSwapOption<Current>,
    rounds: watch::Sender<Rounds>,
    /// Wakes whoever fetches; also when there is nobody left to fetch for.
    wanted: Arc<Notify>,
    made: Instant,
}

/// The keys that are good now.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) set: Arc<KeySet>,
    /// Counts up when the keys change: what was verified with those before is verified again.
    pub(super) version: u64,
    text: Bytes,
    fetched: Instant,
}

/// The fetches until now.
#[derive(Clone, Copy, Debug)]
struct Rounds {
    ended: u64,
    /// Whether one runs, or is to run at once.
    pending: bool,
    /// Whether it was asked for.
    asked: bool,
    /// When the next can be asked for.
    next: Instant,
    /// How many have failed in a row.
    failures: u32,
}

/// What a fetch brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Other keys than before.
    New,
    Same,
    /// No keys, and why. Those before are kept, for as long as this tells.
    Failed {
        why: String,
        kept: Option<Duration>,
    },
}

impl Issuer {
    /// An issuer whose keys have not been fetched yet. The first fetch is under way from now on.
    #[must_use]
    pub fn new() -> Self {
        let made = Instant::now();
        let rounds = Rounds { ended: 0, pending: true, asked: false, next: made, failures: 0 };
        Self {
            keys: ArcSwapOption::empty(),
            rounds: watch::Sender::new(rounds),
            wanted: Arc::default(),
            made,
        }
    }

    /// What wakes whoever fetches.
    #[must_use]
    pub fn wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.wanted)
    }

    /// Whether there are keys, or there has been time enough for them to come.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.keys.load().is_some() || self.made.elapsed() >= SETTLING
    }

    /// The keys that are good now.
    pub(super) fn current(&self) -> Option<Arc<Current>> {
        self.keys.load_full().filter(|current| current.is_good())
    }

    /// The version of the keys that are good now.
    pub(super) fn version(&self) -> Option<u64> {
        let keys = self.keys.load();
        keys.as_ref().filter(|current| current.is_good()).map(|current| current.version)
    }

    /// How many fetches have ended.
    pub(super) fn ended(&self) -> u64 {
        self.rounds.borrow().ended
    }

    /// Waits for a fetch that ends after so many have: for one that has ended meanwhile, for the one that is
    /// under way, or for a new one. `false`: none can be asked for now.
    pub(super) async fn refreshed(&self, after: u64) -> bool {
        let mut rounds = self.rounds.subscribe();
        if !self.ask(after) {
            return false;
        }
        let ended = rounds.wait_for(|rounds| rounds.ended > after);
        timeout(WAIT, ended).await.is_ok_and(|ended| ended.is_ok())
    }

    /// Whether a fetch has ended after so many, or will.
    fn ask(&self, after: u64) -> bool {
        let mut waits = false;
        self.rounds.send_if_modified(|rounds| {
            waits = rounds.ended > after || rounds.pending;
            if !waits && rounds.next <= Instant::now() {
                (rounds.pending, rounds.asked, waits) = (true, true, true);
                self.wanted.notify_one();
            }
            false
        });
        waits
    }

    /// A fetch begins.
    pub fn begin(&self) {
        self.rounds.send_if_modified(|rounds| {
            rounds.pending = true;
            false
        });
    }

    /// A fetch has ended with a document and for how long it says to be fresh, or with why there is none.
    /// Gives what it brought, and how long to wait for the next unless somebody asks for it.
    pub fn end(&self, document: Result<(Bytes, Option<Duration>), String>) -> (Fetched, Duration) {
        let (fetched, max_age) = match document.and_then(|(text, age)| Ok((self.take(text)?, age))) {
            Ok((fetched, max_age)) => (fetched, max_age),
            Err(why) => {
                let kept = self.current().map(|current| STALE.saturating_sub(current.fetched.elapsed()));
                (Fetched::Failed { why, kept }, None)
            }
        };
        let mut pause = Duration::ZERO;
        self.rounds.send_modify(|rounds| {
            rounds.ended += 1;
            rounds.pending = false;
            let failed = matches!(fetched, Fetched::Failed { .. });
            rounds.failures = if failed { rounds.failures.saturating_add(1) } else { 0 };
            pause = rounds.pause(max_age);
            let asked = std::mem::take(&mut rounds.asked);
            rounds.next = rounds.next.max(Instant::now() + self.quiet(&fetched, asked, pause));
        });
        (fetched, pause)
    }

    /// Takes a document for the keys that are good from now on.
    fn take(&self, text: Bytes) -> Result<Fetched, String> {
        let before = self.keys.load_full();
        let (fetched, current) = match before {
            Some(before) if before.text == text => {
                (Fetched::Same, Current { fetched: Instant::now(), ..Current::clone(&before) })
            }
            before => {
                let set = KeySet::parse(&text)?;
                let fetched = Instant::now();
                match before {
                    // Written differently: no reason to verify every token again, or to fetch without a pause.
                    Some(before) if before.set.is_same(&set) => {
                        (Fetched::Same, Current { text, fetched, ..Current::clone(&before) })
                    }
                    before => {
                        let version = before.map_or(0, |before| before.version) + 1;
                        (Fetched::New, Current { set: Arc::new(set), version, text, fetched })
                    }
                }
            }
        };
        self.keys.store(Some(Arc::new(current)));
        Ok(fetched)
    }

    /// How long nobody can ask for another fetch.
    fn quiet(&self, fetched: &Fetched, asked: bool, pause: Duration) -> Duration {
        match fetched {
            Fetched::New => Duration::ZERO,
            // Whoever joined it may know of a key that is newer than what it brought.
            Fetched::Same if !asked => Duration::ZERO,
            // Every token waits for keys: sooner than with keys, but not with each of them.
            Fetched::Failed { .. } if self.current().is_none() => pause.min(PAUSE),
            Fetched::Same | Fetched::Failed { .. } => PAUSE,
        }
    }
}

impl Current {
    fn is_good(&self) -> bool {
        self.fetched.elapsed() < STALE
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

/// Whoever fetches for it shall notice.
impl Drop for Issuer {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}

impl Rounds {
    /// How long until the next fetch: when four fifths of the freshness are over, or doubling after
    /// failures.
    fn pause(&self, max_age: Option<Duration>) -> Duration {
        if let Some(doublings) = self.failures.checked_sub(1) {
            return RETRY.1.min(RETRY.0 * 2_u32.saturating_pow(doublings.min(10)));
        }
        max_age.unwrap_or(FRESH).clamp(FRESH_BOUNDS.0, FRESH_BOUNDS.1) * 4 / 5
    }
}

#[cfg(test)]
mod tests;
