//! Descriptors, read into flat tables.
