//! How many calls are in flight and how many wait: more than the limits are refused at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::rpc::CallPolicy;
use crate::upstream::lane::Sort;
use crate::upstream::spec::Limits;

/// The counts of one upstream.
#[derive(Debug, Default)]
pub struct Admission {
    unary: AtomicUsize,
    streams: AtomicUsize,
    waiting: AtomicUsize,
}

/// A place among those counted; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    counted: Counted,
}

#[derive(Clone, Copy, Debug)]
enum Counted {
    Unary,
    Stream,
    Waiting,
}

impl Admission {
    /// Counts a call in flight; `None` when there are as many as allowed.
    pub fn admit(self: &Arc<Self>, sort: Sort, policy: &CallPolicy) -> Option<Permit> {
        match sort {
            Sort::Unary => self.enter(Counted::Unary, policy.in_flight),
            Sort::Stream => self.enter(Counted::Stream, policy.streams),
        }
    }

    /// Counts a call that waits; `None` when there are as many as allowed.
    pub fn queue(self: &Arc<Self>, limits: Limits) -> Option<Permit> {
        self.enter(Counted::Waiting, limits.queue)
    }

    /// How many unary calls and streams are in flight, and how many calls wait for a connection.
    pub fn counted(&self) -> (usize, usize, usize) {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (read(&self.unary), read(&self.streams), read(&self.waiting))
    }

    fn count(&self, counted: Counted) -> &AtomicUsize {
        match counted {
            Counted::Unary => &self.unary,
            Counted::Stream => &self.streams,
            Counted::Waiting => &self.waiting,
        }
    }

    fn enter(self: &Arc<Self>, counted: Counted, limit: usize) -> Option<Permit> {
        let count = self.count(counted);
        if count.fetch_add(1, Ordering::Relaxed) >= limit {
            count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit { admission: self.clone(), counted })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.count(self.counted).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_own_limit_and_comes_back() {
        let admission = Arc::new(Admission::default());
        let limits = Limits { queue: 0, ..Limits::default() };
        let policy = CallPolicy { in_flight: 2, streams: 1, ..CallPolicy::new("shop") };
        let unary = [admission.admit(Sort::Unary, &policy), admission.admit(Sort::Unary, &policy)];
        assert!(unary.iter().all(Option::is_some));
        assert!(admission.admit(Sort::Unary, &policy).is_none());
        let stream = admission.admit(Sort::Stream, &policy);
        assert!(stream.is_some() && admission.admit(Sort::Stream, &policy).is_none());
        assert!(admission.queue(limits).is_none());
        assert_eq!(admission.counted(), (2, 1, 0));
        drop((unary, stream));
        assert_eq!(admission.counted(), (0, 0, 0));
        assert!(admission.admit(Sort::Unary, &policy).is_some());
    }
}
