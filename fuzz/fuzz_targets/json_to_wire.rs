//! `cargo fuzz run json_to_wire`, or `fuzz/run`: see `../codec.rs` for what must hold.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::codec::json_to_wire(input));
