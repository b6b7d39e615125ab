//! How many files the process may have open, which is how many connections it can hold.
//!
//! The soft limit is 1,024 on most systems, for the sake of programs that use `select`; those that do
//! not are meant to raise it to the hard limit themselves.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit as far as it goes and tells where it stands; `None`: nowhere.
pub(super) fn raise() -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, ..before };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files cannot be raised");
            before.current
        }
    }
}

/// How many of so many open files may be connections of clients: the rest is for the upstreams'
/// connections, the files of the configuration and the logs.
pub(super) fn for_clients(open_files: Option<u64>) -> usize {
    open_files.and_then(|files| usize::try_from(files / 5 * 4).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
    }

    #[test]
    fn a_fifth_is_kept_back() {
        assert_eq!(for_clients(Some(1000)), 800);
        assert_eq!(for_clients(None), usize::MAX);
    }
}
