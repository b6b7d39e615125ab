//! The sample services over real connections, and their descriptors.

mod calls;
mod descriptors;
