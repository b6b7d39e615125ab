//! `cargo fuzz run router`, or `fuzz/run`: see `../route.rs` for what must hold.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::route::router(input));
