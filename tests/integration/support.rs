//! What tests share: scripted upstreams, and short ways to make and read calls.

pub mod calls;
pub mod raw;
pub mod script;
pub mod upstream;
