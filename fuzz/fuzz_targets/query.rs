//! `cargo fuzz run query`, or `fuzz/run`: see `../request.rs` for what must hold.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::request::query(input));
