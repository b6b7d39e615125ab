//! Upstreams that are restarted one after the other, under streams of every transport: each client gets
//! every message once, in order, on the one connection that it opened.

use std::time::Duration;

use crate::support::feed::{self, Transport};
use crate::support::gateway::Gateway;
use crate::support::shop;
use crate::support::site::Site;
use crate::support::upstream::Upstream;

/// What happens to which streams.
#[derive(Clone, Copy)]
struct Course {
    /// Streams of each transport.
    streams: usize,
    /// Messages of each stream.
    messages: i64,
    /// The pause before each.
    pace: Duration,
    /// How often each endpoint is restarted in each way.
    rounds: usize,
}

/// How long an endpoint is away, and all are there again before the next goes.
const AWAY: Duration = Duration::from_millis(200);

async fn start(address: Option<std::net::SocketAddr>, course: Course) -> Upstream {
    let options = Upstream::options();
    let options = match address {
        Some(address) => options.listen(address),
        None => options,
    };
    options.start(move |_| feed::paced(course.messages, course.pace)).await
}

async fn gateway(upstreams: &[Upstream]) -> Gateway {
    let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
    let config = format!(
        "[[schema]]\nprotos = [\"shop.proto\"]\n[upstreams.shop]\nendpoints = {urls:?}\n{}\n",
        feed::RESUME
    );
    Site::new(&config).file("shop.proto", shop::PROTO).serve().await
}

/// Ends an endpoint, as its process ends when it is told to or when it is killed, and starts it again.
async fn restart(upstream: Upstream, graceful: bool, course: Course) -> Upstream {
    if graceful {
        upstream.go_away();
        tokio::time::sleep(AWAY).await;
    }
    let address = upstream.kill().await;
    tokio::time::sleep(AWAY).await;
    start(Some(address), course).await
}

async fn run(course: Course) {
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(start(None, course).await);
    }
    let gateway = std::sync::Arc::new(gateway(&upstreams).await);
    let mut watching = Vec::new();
    for transport in Transport::ALL.into_iter().cycle().take(course.streams * Transport::ALL.len()) {
        let gateway = std::sync::Arc::clone(&gateway);
        watching.push(tokio::spawn(async move { (transport, transport.watch(&gateway).await) }));
    }
    let mut resumed = 0;
    for round in 0..course.rounds {
        for graceful in [true, false] {
            for place in 0..upstreams.len() {
                tokio::time::sleep(AWAY).await;
                let upstream = upstreams.remove(place);
                let calls = upstream.calls();
                upstreams.insert(place, restart(upstream, graceful, course).await);
                resumed += calls.iter().filter(|seen| feed::is_resumed(seen)).count();
                let running = watching.iter().filter(|stream| !stream.is_finished()).count();
                assert!(running > 0, "the streams have ended before the restarts, in round {round}");
            }
        }
    }
    let expected: Vec<i64> = (1..=course.messages).collect();
    for stream in watching {
        let (transport, (found, ended_well)) = stream.await.unwrap();
        assert!(ended_well && found == expected, "{transport:?}: {} of {}", found.len(), expected.len());
    }
    // Each restart cut off about a third of all streams.
    assert!(resumed >= course.streams * Transport::ALL.len(), "only {resumed} were resumed");
}

#[tokio::test]
async fn no_restart_of_an_upstream_is_seen_by_a_client() {
    run(Course { streams: 4, messages: 500, pace: Duration::from_millis(10), rounds: 1 }).await;
}

#[tokio::test]
#[ignore = "64 streams of each transport for a minute; `tests/run --full` runs it"]
async fn no_restart_of_an_upstream_is_seen_by_any_of_many_clients() {
    run(Course { streams: 64, messages: 500, pace: Duration::from_millis(100), rounds: 8 }).await;
}
