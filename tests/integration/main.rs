//! The integration tests, one binary; one file a behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::format_collect,
    clippy::match_wild_err_arm,
    reason = "tests report by panicking, and read better than they run"
)]

#[allow(dead_code, reason = "the tests of every part share it, and none needs all of it")]
mod support;

mod attacks;
mod auth;
mod callers;
mod cancellation;
mod chaos;
mod check;
mod compression;
mod cors;
mod errors;
mod events;
mod faults;
mod forms;
mod grpc;
mod headers;
mod hostile;
mod init;
mod limits;
mod metadata;
mod operation;
mod partial;
mod peers;
mod product;
mod proxies;
mod reflection;
mod reload;
mod rest;
mod resilience;
mod resume;
mod restarts;
mod routing;
mod streams;
mod uploads;
mod upstream;
mod upstreams;
mod websocket;
mod issuers;
