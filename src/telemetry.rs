//! What operators see, and what tells them whose request it was.
//!
//! [`guard`] holds what travels with every request beside its HTTP: the client's address and the
//! signal that the process drains. [`log`] sets up the program's own log, [`access_log`] writes one
//! line a request. This layer knows no descriptors, no routes and no sockets.

pub mod access_log;
pub mod guard;
pub mod log;
mod timestamp;

pub use guard::{ClientInfo, Drain, Draining};
