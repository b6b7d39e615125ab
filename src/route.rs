//! Path templates and the router: which value stands for a method and a path, and what the path captures.
//!
//! Look here for the grammar of `google.api.http` templates ([`Template`]), for the order in which
//! templates are tried ([`Router`]) and for what a path may hold ([`PathError`]).
//! This layer knows neither protobuf nor HTTP types: it matches strings and returns `T`.
//!
//! ```text
//! template   the model        parser   the grammar
//! path       a request path   segment  one segment: what it may hold, percent-encoding
//! trie       the tree         walk     the order of matching
//! builder    filling it       router   asking it         near   explaining a miss
//! captures   what variables took from the path
//! ```

mod segment;
mod template;
mod parser;
mod path;
mod captures;
mod trie;
mod walk;
mod builder;
mod near;
mod router;

pub use builder::{Collision, RouterBuilder};
pub use captures::Captures;
pub use near::Near;
pub use path::PathError;
pub use router::{Found, Miss, Router};
pub use segment::Flaw;
pub use template::{Template, TemplateError, Variable};
