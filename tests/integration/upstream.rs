//! The pool against upstreams that do as they are told.

mod addresses;
mod calls;
mod clients;
mod hostile;
mod failover;
mod health;
mod hedges;
mod limits;
mod outliers;
mod raw;
mod retries;
