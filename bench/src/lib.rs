//! What the benchmark sends and what it expects back: look here for the size and shape of each case.
//!
//! It knows nothing of gateways; `bench/run` points the generator at them.

pub mod messages;
pub mod usage;
pub mod work;

use std::net::SocketAddr;

/// The address that an argument names.
///
/// # Errors
/// When the text is no address.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address such as 127.0.0.1:50051"))
}
