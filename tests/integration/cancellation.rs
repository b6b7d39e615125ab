//! A client that leaves cancels its call upstream within a second, whatever it speaks and however it leaves.
//!
//! What it took is printed: `cargo test --test integration cancellation -- --nocapture`.

use std::time::Duration;

use h2::Reason;
use http::Version;
use tokio::time::{Instant, timeout};

use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{self, behind, item, wire};
use crate::support::upstream::Upstream;
use crate::support::websocket::{self, CLOSE, frame};

/// Five times what is promised.
const LIMIT: Duration = Duration::from_secs(5);

/// Waits until a call is cancelled whose client leaves now.
async fn cancelled(upstream: &Upstream, call: usize, what: &str) {
    let left = Instant::now();
    let reset = timeout(LIMIT, async { upstream.call(call).await.reset().await }).await;
    assert_eq!(reset.unwrap_or_else(|_| panic!("{what} is cancelled")), Reason::CANCEL, "{what}");
    println!("{what}: cancelled upstream after {:?}", left.elapsed());
}

/// Leaves in the middle of each request, before its answer has begun.
async fn leave_before(requests: impl Fn(&Gateway) -> Vec<(&'static str, Request)>) {
    let (upstream, gateway) = behind(Script::new().stall()).await;
    for (call, (what, request)) in requests(&gateway).into_iter().enumerate() {
        let pending = tokio::spawn(request.fetch());
        upstream.call(call).await;
        pending.abort();
        cancelled(&upstream, call, what).await;
    }
}

#[tokio::test]
async fn before_the_answer() {
    leave_before(|gateway| {
        let stream = || gateway.get("/v1/items/1/changes");
        vec![
            ("REST over HTTP/1.1", gateway.get("/v1/items/1")),
            ("REST over HTTP/2", gateway.get("/v1/items/1").http2()),
            ("events that have not begun", stream().accept("text/event-stream")),
            ("gRPC, unary", gateway.grpc(shop::GET, &[wire(&item("a"))])),
            ("gRPC, stream", gateway.grpc(shop::WATCH, &[wire(&item("a"))])),
        ]
    })
    .await;
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    let script = Script::new().head().message(wire(&item("n"))).stall();
    let (upstream, gateway) = behind(script).await;
    let stream = |media| gateway.get("/v1/items/1/changes").accept(media);
    let requests = [
        ("events over HTTP/1.1", stream("text/event-stream")),
        ("events over HTTP/2", stream("text/event-stream").http2()),
        ("NDJSON over HTTP/1.1", stream("application/x-ndjson")),
        ("an array over HTTP/2", stream("application/json").http2()),
        ("a gRPC stream", gateway.grpc(shop::WATCH, &[wire(&item("a"))])),
        ("a gRPC stream of both sides", gateway.grpc(shop::TALK, &[wire(&item("a"))])),
    ];
    for (call, (what, request)) in requests.into_iter().enumerate() {
        let mut response = request.send().await;
        response.chunk().await.expect("the stream has begun");
        drop(response);
        cancelled(&upstream, call, what).await;
    }
}

#[tokio::test]
async fn by_websocket() {
    let script = Script::new().head().message(wire(&item("n"))).stall();
    let (upstream, gateway) = behind(script).await;
    let mut call = 0;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for says_so in [true, false] {
            let mut socket = websocket::open(gateway.public, version, "/v1/items/1/changes", &[]).await;
            socket.next_text().await;
            if says_so {
                socket.raw(&frame(0x80 | CLOSE, &1000_u16.to_be_bytes())).await;
            }
            drop(socket);
            let how = if says_so { "a WebSocket that is closed" } else { "a WebSocket that is gone" };
            cancelled(&upstream, call, &format!("{how} over {version:?}")).await;
            call += 1;
        }
    }
}
