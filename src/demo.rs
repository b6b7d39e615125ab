//! The sample services behind `transom demo`.
