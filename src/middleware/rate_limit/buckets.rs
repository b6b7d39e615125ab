//! [`Buckets`]: what is known of every key that is counted, for all workers together and across reloads.
//!
//! The room for keys is bounded. A key is forgotten when it is rested, for then it is as one that never
//! called; while it owes something it is kept, however many others come. When a shard is full of keys that owe, a new
//! key is counted together with others of its shard that came too late, under the same limit: whoever
//! floods the table with keys neither frees anybody nor takes what others have, and those who come during
//! the flood share what one of them would have. Which of these few places a key gets is not foreseeable.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::gcra::{Limit, Taken};

/// Keys are spread over these, so that workers seldom wait for each other.
const SHARDS: usize = 64;

/// Keys of a shard that may owe something at a time: 131072 in all, about 4 MiB.
const MOST_KEYS: usize = 2048;

/// Places of a shard, for each limit, that latecomers share: 4096 in all.
const SHARED: u64 = 64;

/// See the module.
#[derive(Debug)]
pub struct Buckets {
    shards: Box<[Mutex<Shard>]>,
    /// Keyed at random, so that nobody can choose keys that fall together. A key is its hash: with 2¹⁷ of
    /// them, two of one hash are not to be expected.
    hasher: RandomState,
    started: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    /// When each key is rested.
    keys: HashMap<u64, u64>,
    /// The same of the places that latecomers share.
    shared: HashMap<u64, u64>,
    /// No key is rested before this.
    earliest: u64,
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            started: Instant::now(),
        }
    }
}

impl Buckets {
    /// Takes a call of a key under a limit. The same key under another limit, or under the same in another
    /// scope, is another key.
    pub fn take(&self, scope: &str, limit: Limit, key: impl Hash) -> Taken {
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.take_at(scope, limit, key, now)
    }

    fn take_at(&self, scope: &str, limit: Limit, key: impl Hash, now: u64) -> Taken {
        let hash = self.hasher.hash_one((scope, limit, key));
        let latecomer = || self.hasher.hash_one((scope, limit, hash % SHARED));
        let at = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        match self.shards.get(at) {
            Some(shard) => {
                shard.lock().unwrap_or_else(PoisonError::into_inner).take(hash, latecomer, limit, now)
            }
            None => limit.take(0, now),
        }
    }
}

impl Shard {
    fn take(&mut self, key: u64, latecomer: impl FnOnce() -> u64, limit: Limit, now: u64) -> Taken {
        let is_new = !self.keys.contains_key(&key);
        if is_new && self.keys.len() >= MOST_KEYS {
            self.forget_rested(now);
        }
        let (states, key) = if is_new && self.keys.len() >= MOST_KEYS {
            (&mut self.shared, latecomer())
        } else {
            (&mut self.keys, key)
        };
        let taken = limit.take(states.get(&key).copied().unwrap_or(0), now);
        if let Taken::Granted { rested, .. } = taken {
            states.insert(key, rested);
            self.earliest = self.earliest.min(rested);
        }
        taken
    }

    /// Looks through the shard, though not when there can be nothing to find.
    fn forget_rested(&mut self, now: u64) {
        if now < self.earliest {
            return;
        }
        self.keys.retain(|_, rested| *rested > now);
        self.shared.retain(|_, rested| *rested > now);
        self.earliest = self.keys.values().copied().min().unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    /// Two calls an hour.
    fn limit() -> Limit {
        Limit::new(2, Duration::from_secs(3_600), 2)
    }

    fn is_granted(buckets: &Buckets, key: impl Hash, now: u64) -> bool {
        matches!(buckets.take_at("defaults", limit(), key, now), Taken::Granted { .. })
    }

    fn keys(buckets: &Buckets) -> usize {
        buckets.shards.iter().map(|shard| shard.lock().unwrap().keys.len()).sum()
    }

    /// A table that is full of keys that owe something.
    fn flooded(now: u64) -> Buckets {
        let buckets = Buckets::default();
        for key in 0..3 * SHARDS * MOST_KEYS {
            is_granted(&buckets, ("flood", key), now);
        }
        assert_eq!(keys(&buckets), SHARDS * MOST_KEYS);
        buckets
    }

    #[test]
    fn keys_scopes_and_limits_are_counted_apart() {
        let buckets = Buckets::default();
        assert!([true, true, false] == [(); 3].map(|()| is_granted(&buckets, "a", 0)));
        assert!(is_granted(&buckets, "b", 0));
        assert!(matches!(buckets.take_at("routes", limit(), "a", 0), Taken::Granted { .. }));
        let other = Limit::new(2, Duration::from_secs(3_600), 3);
        assert!(matches!(buckets.take_at("defaults", other, "a", 0), Taken::Granted { .. }));
        assert!(!is_granted(&buckets, "a", HOUR / 2 - 1));
        assert!(is_granted(&buckets, "a", HOUR / 2));
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_frees_nobody() {
        let buckets = Buckets::default();
        while is_granted(&buckets, "spent", 0) {}
        assert!(is_granted(&buckets, "half", 0));
        for key in 0..3 * SHARDS * MOST_KEYS {
            is_granted(&buckets, key, 0);
        }
        assert_eq!(keys(&buckets), SHARDS * MOST_KEYS);
        assert!(!is_granted(&buckets, "spent", 0), "it is not forgotten");
        assert!(is_granted(&buckets, "half", 0), "what it has is not taken from it");
        assert!(!is_granted(&buckets, "half", 0));
    }

    #[test]
    fn latecomers_share_what_one_of_them_would_have() {
        let buckets = flooded(0);
        let granted = (0..20_000).filter(|key| is_granted(&buckets, ("late", key), 0)).count() as u64;
        let most = SHARDS as u64 * SHARED * limit().burst();
        assert!(granted <= most, "{granted} of 20000");
        let shared: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().shared.len()).sum();
        assert!(shared as u64 <= SHARDS as u64 * SHARED);
        // Another limit is not spent by that.
        let other = Limit::new(5, Duration::from_secs(1), 5);
        assert!(matches!(buckets.take_at("routes", other, "x", 0), Taken::Granted { .. }));
    }

    #[test]
    fn who_is_rested_makes_room() {
        let buckets = flooded(0);
        for key in 0..1000 {
            assert!(is_granted(&buckets, ("next day", key), 24 * HOUR));
            assert!(is_granted(&buckets, ("next day", key), 24 * HOUR));
        }
        assert!(keys(&buckets) < SHARDS * MOST_KEYS);
    }

    #[test]
    fn threads_share_what_is_granted() {
        let buckets = Buckets::default();
        let limit = Limit::new(100, Duration::from_secs(3_600), 100);
        let count =
            || (0..1000).filter(|_| matches!(buckets.take("s", limit, "k"), Taken::Granted { .. })).count();
        let granted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 100);
    }
}
