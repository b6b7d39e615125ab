//! What the fuzz targets check; `tests/corpora.rs` replays their corpora with it.

#![allow(dead_code, reason = "each fuzz target runs one of them")]

pub mod codec;
pub mod request;
pub mod route;
pub mod upload;
