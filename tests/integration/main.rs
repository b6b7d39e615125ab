//! The integration tests, one binary; one file a behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "tests report by panicking"
)]

#[allow(dead_code, reason = "the tests of every part share it, and none needs all of it")]
mod support;

mod upstream;
