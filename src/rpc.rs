//! The waist: what every client language becomes and what every upstream answers.
//!
//! Look here for the types that all layers share: [`Call`], [`Reply`], [`Caller`], [`Status`],
//! [`Code`], [`Metadata`], [`Deadline`] and gRPC's message [`envelope`]; and for [`Client`], by which the
//! gateway itself calls services.
//! This layer knows no sockets, no descriptors and no configuration.

mod attempt;
mod call;
mod client;
mod code;
mod compression;
pub mod deadline;
pub mod envelope;
mod error_details;
pub mod metadata;
mod policy;
pub mod services;
mod status;
pub mod trailers;

pub use attempt::{Again, Attempt, Tried};
pub use call::{Call, Caller, Frame, Kind, Message, Messages, Method, Reply, ReplyStream};
pub use client::Client;
pub use code::Code;
pub use compression::{Algorithm, CompressionError};
pub use deadline::Deadline;
pub use metadata::Metadata;
pub use policy::{CallPolicy, Compression, Hedge, Retry};
pub use status::{Any, DOMAIN, FieldViolation, Origin, Status};
