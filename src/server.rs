//! Sockets, TLS, connections, drain, the admin listener: everything between the kernel and the gateway.
//!
//! A connection's life is told by [`listener`] → [`tls`] → [`connection`] → [`front`], who talks to the
//! gateway; [`serve`] runs them on one thread a core, with [`control`] on a thread of its own for
//! what no request waits for. This layer knows no client's protocol: what it has to refuse, it refuses
//! in HTTP.

mod activity;
mod admin;
mod admit;
mod connection;
mod control;
mod front;
mod limits;
mod listener;
mod open_files;
mod reload;
mod serve;
mod socket;
mod tls;
mod upload;
mod watch;
mod worker;

#[cfg(test)]
mod testing;

pub use limits::Limits;
pub use serve::{Bound, Options, serve};
