//! `cargo fuzz run json_to_wire`: see `../codec.rs` for what must hold.

#![no_main]

#[path = "../codec.rs"]
mod codec;

libfuzzer_sys::fuzz_target!(|input: &[u8]| codec::json_to_wire(input));
