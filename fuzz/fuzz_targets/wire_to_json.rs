//! `cargo fuzz run wire_to_json`: see `../codec.rs` for what must hold.

#![no_main]

#[path = "../codec.rs"]
mod codec;

libfuzzer_sys::fuzz_target!(|input: &[u8]| codec::wire_to_json(input));
