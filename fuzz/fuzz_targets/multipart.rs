//! `cargo fuzz run multipart`, or `fuzz/run`: see `../request.rs` for what must hold.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::request::multipart(input));
