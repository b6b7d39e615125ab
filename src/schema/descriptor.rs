//! The slim descriptor messages, generated from proto/transom/schema/descriptor.proto.

#![allow(clippy::pedantic, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/transom.schema.rs"));

/// The descriptors of the standard types that every schema may rely on: google/protobuf, google/rpc
/// and google/api as far as errors and raw bodies need them.
pub const STANDARD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/standard.binpb"));
