//! Layers around the gateway. [`stack`] composes them, one commented line a layer.

pub mod access_log;
pub mod request_id;
pub mod rescue;
pub mod stack;
