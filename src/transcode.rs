//! ProtoJSON to protobuf and back, by compiled plans: bytes in, bytes out.
//!
//! [`Codec`] is what others use. Beneath it: `plan` says what there is to do for each type, `json_reader`
//! and `json_writer` do it, and `wire`, `text`, `number`, `base64`, `scan` and `well_known` know one format
//! each. Nothing here knows HTTP, sockets or clocks.
//!
//! Memory is bounded by the input: wire is at most seven times as long as its JSON (the fuzz targets hold that),
//! keys that have to be told apart and values that came out of order are kept as places, and whatever a body says,
//! all of it takes less than 16 times the body's length (`tests/integration/hostile.rs` measures that).

mod base64;
pub mod binding;
mod canonical;
mod codec;
mod decimal;
mod distinct;
pub mod elements;
pub mod field_text;
pub mod form;
pub mod http_body;
mod json_reader;
mod json_writer;
mod mask;
pub mod multipart;
mod names;
mod number;
mod options;
mod plan;
mod problem;
pub mod query;
pub mod request;
pub mod response;
pub mod resume;
mod room;
mod scan;
mod seen;
mod text;
mod well_known;
mod wire;

#[cfg(test)]
mod fixture;

pub use codec::Codec;
pub use mask::{Mask, MaskError};
pub use options::{DEFAULT_MAX_DEPTH, ReadOptions, WriteOptions};
pub use problem::{JsonError, WireError};
