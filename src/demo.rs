//! The sample services behind `transom demo`: a bookshop, its till, a talk with the bookseller, imports
//! and files, with reflection, on a real tonic server with everything in memory and within limits.
//!
//! Look here to start them, for their descriptors and for a configuration of a gateway in front. What the
//! methods do is told in `proto/transom/demo/v1`. This layer knows nothing of the gateway.

mod bookshop;
mod chat;
mod failures;
mod fault;
mod files;
mod import;
pub mod proto;
mod serve;
mod ticker;

use std::net::SocketAddr;

pub use serve::{Running, start};

/// The descriptors of the sample services, of everything they import and of the error details they answer
/// with: a serialized `google.protobuf.FileDescriptorSet` with comments and `google.api.http` annotations.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo/descriptors.binpb"));

/// Where the commands of [`TRY`] expect the gateway.
pub const TRY_AT: &str = "127.0.0.1:8080";

/// Commands worth trying against a gateway at [`TRY_AT`]; [`commands`] are the same for another address.
pub const TRY: &[&str] = &[
    "curl http://127.0.0.1:8080/v1/shelves/2/books/1",
    "curl 'http://127.0.0.1:8080/v1/books?genre=GENRE_MYSTERY&published.to=1940&page_size=2'",
    r#"curl -X PATCH http://127.0.0.1:8080/v1/shelves/1/books/2 --json '{"rating":4.5,"labels":{"signed":"yes"}}'"#,
    "curl -N -H 'Accept: text/event-stream' 'http://127.0.0.1:8080/v1/ticker?count=5'",
    "curl -o cover.svg http://127.0.0.1:8080/v1/shelves/1/books/1/cover",
    r#"curl http://127.0.0.1:8080/v1/shelves/1/books:import --json '[{"title":"One"},{"title":"Two"}]'"#,
];

/// The commands of [`TRY`] for a gateway that listens at `listen`.
pub fn commands(listen: SocketAddr) -> impl Iterator<Item = String> {
    let listen = listen.to_string();
    TRY.iter().map(move |command| command.replace(TRY_AT, &listen))
}

/// A `gateway.toml` for a gateway that listens at `listen`, in front of sample services at `upstream`.
///
/// It names no schema: whoever loads it hands over [`DESCRIPTORS`]. The admin listener takes a free port,
/// so that a demo can run beside a gateway.
#[must_use]
pub fn gateway_toml(upstream: SocketAddr, listen: SocketAddr) -> String {
    format!(
        r#"# The gateway of `transom demo`.

[server]
listen = "{listen}"

[admin]
listen = "127.0.0.1:0"

[upstreams.demo]
endpoints = ["http://{upstream}"]
timeout = "5s"

# A route that no annotation names: http://{listen}/isbn/9780441478125
[[routes]]
selector = "transom.demo.v1.Bookshop.GetBook"
get = "/isbn/{{isbn}}"
"#
    )
}

#[cfg(test)]
mod tests;
