//! The pool of connections to gRPC services; [`Pool`] implements `rpc::Caller`.
//!
//! Look here for all that happens between a `Call` and the sockets of an upstream: which endpoint and
//! which connection take it, how it is framed, what every failure becomes. This layer moves encoded
//! messages: it knows no descriptors and none of the clients' protocols.
//!
//! One worker runtime has one pool, so little here is contended: locks and atomics are held for a few
//! instructions by one thread and are there so that all types stay `Send`. Only what [`Shared`] counts,
//! limits and retry tokens, belongs to all workers.

mod admit;
mod backoff;
mod balance;
mod channel;
mod compression;
mod connection;
mod deadline;
mod dial;
mod dispatch;
mod endpoint;
mod failure;
pub mod fetch;
mod grpc;
mod hedge;
mod lane;
mod outlier;
mod pool;
mod random;
mod report;
mod resolve;
mod retry;
mod shared;
mod spec;
mod stack;
mod timer;
mod tls;
mod wire;

pub use outlier::Outlier;
pub use pool::Pool;
pub use report::{EndpointReport, EndpointState, UpstreamReport};
pub use shared::Shared;
pub use spec::{Balance, Limits, Spec, Timers, Weighted};
pub use tls::{Tls, TlsError, TlsFiles};
