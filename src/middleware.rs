//! Layers around the gateway. [`stack`] composes them, one commented line a layer.

pub mod access;
pub mod access_log;
pub mod api_key;
pub mod basic;
mod clock;
pub mod cors;
pub mod credential;
pub mod expiry;
pub mod forwarded;
pub mod headers;
pub mod identity;
pub mod jwt;
mod listed;
pub mod mtls;
pub mod proof;
pub mod rate_limit;
mod recent;
pub mod render;
pub mod request_id;
pub mod rescue;
pub mod routed;
pub mod stack;
