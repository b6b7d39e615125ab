//! Client streams over HTTP and JSON: bodies of many messages, and both sides at once.

mod duplex;
mod elements;
mod product;
mod raw;
