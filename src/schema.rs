//! Descriptors, read into flat tables: messages, enums, services and their HTTP annotations.
//!
//! Look here for what a type or a method *is*. [`load`] reads the sources that a configuration names,
//! [`tables`] holds the result, [`comments`] gives documentation and places on demand, and
//! [`field_path`] resolves the dotted paths of templates and queries. Nothing here knows HTTP, JSON or
//! sockets.

mod builder;
pub mod comments;
mod descriptor;
mod features;
pub mod field_path;
mod http_rule;
pub mod load;
mod proto_source;
mod tables;
mod views;

pub use builder::{Builder, is_standard, standard};
pub use http_rule::HttpRule;
pub use tables::{Cardinality, EnumId, FieldType, Idempotency, MessageId, MethodId, Schema};
pub use views::{Enum, Field, Message, Method};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
