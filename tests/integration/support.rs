//! What tests share: real gateways, scripted upstreams, and short ways to make and read calls.

pub mod calls;
pub mod client;
pub mod events;
pub mod feed;
pub mod fleet;
pub mod gateway;
pub mod issuer;
pub mod load;
pub mod proxy;
pub mod raw;
pub mod reflecting;
pub mod script;
pub mod shop;
pub mod site;
pub mod tls;
pub mod upstream;
pub mod websocket;
