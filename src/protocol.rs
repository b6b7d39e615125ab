//! One adapter per client language.
