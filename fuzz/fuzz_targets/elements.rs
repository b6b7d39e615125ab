//! `cargo fuzz run elements`, or `fuzz/run`: see `../upload.rs` for what must hold.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::upload::elements(input));
