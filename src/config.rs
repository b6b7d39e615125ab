//! The configuration: `gateway.toml`, its includes and the environment, read, checked and typed.
//!
//! [`load`] is the whole way. [`model`] holds what the rest of Transom works with: parsed types only.
//! [`policy`] says which level of policy keys wins. [`problem`] is how anything wrong with a
//! configuration, a schema or a route is told. This layer does not know how anything is built from a
//! configuration.
//!
//! Inside, in the order of the work: `raw` merges the sources into one tree and remembers the place of
//! every key, `read` makes the model of it with the readers of `table` and `entry`, `check` looks at what
//! concerns more than one key.

pub mod model;
pub mod auth;
pub mod policy;
pub mod proxies;
pub mod problem;
pub mod unit;
mod source;
mod raw;
mod suggest;
mod entry;
mod table;
mod read;
mod check;

pub use source::{Kind, Loaded, Source, load};

#[cfg(test)]
mod tests;
