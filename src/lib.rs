//! Transom puts REST, JSON and server-sent events in front of gRPC services.
//!
//! The layers stand here in order: each may use only those above it. `docs/architecture.md` tells
//! what each is for, `tests/architecture.rs` holds them to it.

pub mod rpc;
pub mod route;
pub mod config;
pub mod telemetry;
pub mod schema;
pub mod transcode;
pub mod upstream;
pub mod protocol;
pub mod middleware;
pub mod gateway;
pub mod server;
pub mod demo;
pub mod cli;
