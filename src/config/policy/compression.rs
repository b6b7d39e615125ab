//! Policy key `compression`: of messages between the gateway and its upstreams.

use super::group::group;
use super::value::{PolicyValue, words};
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::entry::Choice;
use crate::config::problem::Located;
use crate::config::table::Table;
use crate::rpc::{self, Algorithm};

group! {
    /// `compression`: of messages between the gateway and its upstreams, for clients other than gRPC's.
    CompressionKeys => Compression {
        /// Whether upstreams are offered to compress their answers.
        answers: bool = true;
        /// How messages to upstreams are compressed.
        requests: RequestCompression = RequestCompression::None;
    }
}

words! {
    /// `compression.requests`.
    RequestCompression {
        None = "none",
        Gzip = "gzip",
        Zstd = "zstd",
    }
}

impl Compression {
    /// As the pool takes it.
    #[must_use]
    pub const fn for_calls(&self) -> rpc::Compression {
        let requests = match self.requests {
            RequestCompression::None => None,
            RequestCompression::Gzip => Some(Algorithm::Gzip),
            RequestCompression::Zstd => Some(Algorithm::Zstd),
        };
        rpc::Compression { answers: self.answers, requests }
    }
}
