//! [`Recent`]: a map of bounded size that forgets what was not asked for lately.
//!
//! Two generations: when the young one is full it becomes the old one, and what was old is dropped. A
//! flood of new keys costs a fixed amount of memory, and what is in use survives it.

use std::collections::HashMap;
use std::hash::Hash;

/// See the module.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// Of each generation.
    capacity: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// Holds at most `capacity` entries, and at least the half of it that was used last.
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity: capacity.div_ceil(2).max(1) }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&mut V>
    where
        K: Clone,
    {
        if let Some(value) = self.old.remove(key) {
            self.insert(key.clone(), value);
        }
        self.young.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.capacity && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_is_bounded_and_spares_what_is_used() {
        let mut recent = Recent::new(100);
        recent.insert(u64::MAX, "used");
        for key in 0..10_000 {
            recent.insert(key, "flood");
            assert_eq!(recent.get(&u64::MAX).map(|value| *value), Some("used"));
            assert!(recent.young.len() + recent.old.len() <= 100);
        }
        assert_eq!(recent.get(&1), None);
    }
}
