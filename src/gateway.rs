//! Resolves requests against a snapshot of routes and hands them to an adapter and the pool.
