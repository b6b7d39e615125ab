//! `cargo fuzz run wire_to_json`, or `fuzz/run`: see `../codec.rs` for what must hold.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::codec::wire_to_json(input));
