//! One adapter per client language: a request becomes a `Call`, a `Reply` becomes a response.
//!
//! [`adapter`] chooses and calls them. An adapter ([`rest`], [`rest_stream`], [`rest_upload`], [`sse`], [`grpc`],
//! [`websocket`]) never knows another; what they share (bodies, headers, errors, the route's [`Target`]) stands
//! beside them. Nothing here knows sockets, pools or how routes are found.

pub mod detect;
pub mod headers;
pub mod target;
pub mod outcome;
pub mod body;
pub mod json_error;
mod head;
mod accept;
mod content_type;
mod form;
mod event_id;
mod invalid;
mod bindings;
pub mod stream_body;
pub mod success;
mod rest;
mod rest_stream;
mod rest_upload;
mod sse;
mod grpc;
pub mod websocket;
pub mod adapter;

#[cfg(test)]
mod fixture;

pub use adapter::Adapter;
pub use body::Body;
pub use detect::Client;
pub use event_id::LAST_EVENT_ID_PARAMETER;
pub use outcome::Outcome;
pub use target::Target;
