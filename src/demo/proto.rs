//! The messages, servers and clients that build.rs generates from `proto/transom/demo/v1` and its
//! imports, in modules by package. Look into the protos for what they mean.
#![allow(
    clippy::all,
    clippy::pedantic,
    reason = "generated code: what it looks like is decided by prost and tonic"
)]

include!(concat!(env!("OUT_DIR"), "/demo/protos.rs"));
