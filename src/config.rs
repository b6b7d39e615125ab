//! The configuration: `gateway.toml`, its includes and the environment, read, checked and typed.
//!
//! [`model`] holds what the rest of Transom works with: parsed types only. [`problem`] is how anything
//! wrong with a configuration, a schema or a route is told. This layer does not know how anything is
//! built from a configuration.

pub mod model;
pub mod problem;
pub mod source;

pub use source::{Source, load};
