//! [`Shared`]: what the workers of a process have in common of each upstream, while each has its own
//! connections. Limits and retry tokens hold for the process, however many workers it has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::admit::Admission;
use super::retry::{Budget, Memory};

/// The counts of all upstreams; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    upstreams: Arc<Mutex<HashMap<Arc<str>, Weak<Counts>>>>,
    memory: Memory,
}

/// The counts of one upstream. They live as long as a worker has a channel to it, so also across reloads.
#[derive(Debug, Default)]
pub struct Counts {
    pub admission: Arc<Admission>,
    pub budget: Budget,
}

impl Shared {
    /// The counts of an upstream, those that other workers have.
    pub(super) fn of(&self, upstream: &Arc<str>) -> Arc<Counts> {
        let mut all = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = all.get(upstream).and_then(Weak::upgrade) {
            return counts;
        }
        all.retain(|_, counts| counts.strong_count() > 0);
        let budget = Budget { memory: self.memory.clone(), ..Budget::default() };
        let counts = Arc::new(Counts { budget, ..Counts::default() });
        all.insert(Arc::clone(upstream), Arc::downgrade(&counts));
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_counts_of_a_name_while_one_holds_them() {
        let shared = Shared::default();
        let name: Arc<str> = "shop".into();
        let (one, other) = (shared.of(&name), shared.clone().of(&name));
        assert!(Arc::ptr_eq(&one, &other));
        assert!(!Arc::ptr_eq(&one, &shared.of(&"other".into())));
        one.budget.tokens.failed();
        drop((one, other));
        assert_eq!(shared.of(&name).budget.tokens.tokens(), 100);
    }
}
