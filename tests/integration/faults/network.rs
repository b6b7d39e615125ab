//! N: what the network between gateway and upstream does. The table is in `faults.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{before, read_ends, reads_go_well};
use crate::support::gateway::Gateway;
use crate::support::proxy::{Proxy, Weather};
use crate::support::script::{Script, Step};
use crate::support::shop::{Item, item, wire};
use crate::support::upstream::{PATIENCE, Upstream};

const CHANGES: &str = "/v1/items/1/changes";

fn well() -> Script {
    Script::unary(wire(&item("n")))
}

/// An item of so many bytes.
fn large(size: usize) -> Script {
    Script::unary(wire(&Item { title: "x".repeat(size), ..item("n") }))
}

/// A gateway and an upstream, with a network between them.
async fn over(weather: Weather, script: Script, more: &str) -> (Upstream, Proxy, Gateway) {
    let upstream = Upstream::start(move |_| script.clone()).await;
    let proxy = Proxy::to(upstream.address, weather).await;
    let gateway = before(&[&proxy.url()], more).await;
    (upstream, proxy, gateway)
}

/// Reads until one goes well.
async fn recovers(gateway: &Gateway) {
    let waiting = async { while gateway.get("/v1/items/1").fetch().await.status != 200 {} };
    timeout(3 * PATIENCE, waiting).await.expect("reads go well again");
}

#[tokio::test]
async fn n01_latency() {
    let weather =
        Weather { latency: (Duration::from_millis(200), Duration::from_millis(50)), ..Weather::FAIR };
    let (_upstream, _proxy, gateway) = over(weather, well(), "").await;
    for answer in join_all((0..50).map(|_| gateway.post("/v1/items", "{}").fetch())).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Reads and writes at once, all of which go well, the writes once.
async fn all_goes_well(upstream: &Upstream, gateway: &Gateway, count: usize) {
    let asks = (0..count).flat_map(|_| [gateway.get("/v1/items/1"), gateway.post("/v1/items", "{}")]);
    for answer in join_all(asks.map(crate::support::client::Request::fetch)).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let writes = upstream.calls().iter().filter(|seen| seen.path.ends_with("/Create")).count();
    assert_eq!(writes, count, "no write is sent twice");
}

/// A stream brings all of its messages, in order.
async fn a_stream_is_whole(gateway: &Gateway, messages: usize) {
    let stream = gateway.get(CHANGES).accept("application/x-ndjson").fetch().await;
    let names: Vec<_> = stream.text().lines().map(str::to_owned).collect();
    let expected: Vec<_> = (0..messages).map(|number| format!("{{\"name\":\"{number}\"}}")).collect();
    assert!(stream.complete && names == expected, "{names:?}");
}

/// An answer to each method: so many messages where they are streamed.
async fn over_all(weather: Weather, messages: usize) -> (Upstream, Proxy, Gateway) {
    let upstream = Upstream::start(move |seen| {
        if !seen.path.ends_with("/Watch") {
            return Script::new().step(Step::Request).head().message(wire(&item("n"))).ok();
        }
        let numbers = (0..messages).map(|number| wire(&item(&number.to_string())));
        numbers.fold(Script::new().head(), Script::message).ok()
    })
    .await;
    let proxy = Proxy::to(upstream.address, weather).await;
    let gateway = before(&[&proxy.url()], "timeout = \"60s\"").await;
    (upstream, proxy, gateway)
}

#[tokio::test]
async fn n02_loss() {
    // 5 %.
    let weather = Weather { lost: Some(20), ..Weather::FAIR };
    let (upstream, _proxy, gateway) = over_all(weather, 200).await;
    all_goes_well(&upstream, &gateway, 100).await;
    a_stream_is_whole(&gateway, 200).await;
}

#[tokio::test]
async fn n07_reordered_and_duplicated_packets() {
    // Every frame is cut, mostly within its head.
    for pieces in [1, 7, 10] {
        let weather = Weather { pieces: Some(pieces), ..Weather::FAIR };
        let (upstream, _proxy, gateway) = over_all(weather, 20).await;
        all_goes_well(&upstream, &gateway, 5).await;
        a_stream_is_whole(&gateway, 20).await;
    }
}

#[tokio::test]
async fn n03_a_narrow_line() {
    let weather = Weather { rate: Some(8 * 1024), ..Weather::FAIR };
    let (_upstream, _proxy, gateway) = over(weather, large(20_000), "").await;
    reads_go_well(&gateway, 1).await;
    let hurried = gateway.get("/v1/items/1").header("grpc-timeout", "500m").fetch().await;
    assert_eq!((hurried.status, hurried.json()["code"].as_u64()), (504, Some(4)));
}

#[tokio::test]
async fn n04_a_reset_in_flight() {
    for (method, target, status, sent) in [("GET", "/v1/items/1", 200, 2), ("POST", "/v1/items", 503, 1)] {
        let count = AtomicUsize::new(0);
        let upstream = Upstream::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
            0 => Script::new().step(Step::Request).stall(),
            _ => well(),
        })
        .await;
        let proxy = Proxy::to(upstream.address, Weather::FAIR).await;
        let gateway = before(&[&proxy.url()], "").await;
        let asked = tokio::spawn(gateway.request(method, target).json("{}").fetch());
        upstream.call(0).await;
        proxy.reset();
        assert_eq!((asked.await.unwrap().status, upstream.calls().len()), (status, sent), "{method}");
    }
}

#[tokio::test]
async fn n05_a_partition_that_heals() {
    let script = Script::new()
        .head()
        .message(wire(&item("a")))
        .sleep(Duration::from_secs(1))
        .message(wire(&item("b")))
        .ok();
    let (_upstream, proxy, gateway) = over(Weather::FAIR, script, "").await;
    let mut stream = gateway.get(CHANGES).accept("application/x-ndjson").send().await;
    stream.until("\"a\"").await;
    proxy.set(|weather| weather.passes = false);
    let lost = gateway.get("/v1/items/1").header("grpc-timeout", "1S").fetch().await;
    // Whichever comes first: its deadline, or the end of the wait for a connection of the other worker.
    assert!(matches!(lost.status, 503 | 504), "{}", lost.text());
    proxy.set(|weather| weather.passes = true);
    let rest = stream.whole().await;
    assert!(rest.complete && rest.text().contains("\"b\""), "the stream goes on: {}", rest.text());
}

#[tokio::test]
async fn n05_after_a_partition_calls_go_well_again() {
    let (_upstream, proxy, gateway) = over(Weather::FAIR, well(), "timeout = \"1s\"").await;
    reads_go_well(&gateway, 3).await;
    proxy.set(|weather| weather.passes = false);
    let (http, code, ..) = gateway.get("/v1/items/1").fetch().await.refusal();
    assert!(matches!((http, code), (504, 4) | (503, 14)), "{http} {code}");
    proxy.set(|weather| weather.passes = true);
    recovers(&gateway).await;
}

#[tokio::test]
async fn n06_large_packets_that_vanish() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => large(8000),
        _ => well(),
    })
    .await;
    let weather = Weather { largest: Some(1400), ..Weather::FAIR };
    let proxy = Proxy::to(upstream.address, weather).await;
    let gateway = before(&[&proxy.url()], "timeout = \"2s\"").await;
    read_ends(&gateway, (504, 4, "DEADLINE_EXCEEDED")).await;
    // Nothing comes through that connection any more, which is noticed.
    recovers(&gateway).await;
}

#[tokio::test]
async fn n09_a_connection_that_was_forgotten_on_the_way() {
    let (upstream, proxy, gateway) = over(Weather::FAIR, well(), "timeout = \"60s\"").await;
    reads_go_well(&gateway, 4).await;
    let asked = upstream.calls().len();
    proxy.forget();
    // Nobody tells either side; a PING without an answer does.
    reads_go_well(&gateway, 4).await;
    assert_eq!(upstream.calls().len(), asked + 4);
}

#[tokio::test]
async fn n10_an_endpoint_without_power() {
    let (one, other) = (Upstream::start(|_| well()).await, Upstream::start(|_| well()).await);
    let proxy = Proxy::to(one.address, Weather::FAIR).await;
    let gateway = before(&[&proxy.url(), &other.url()], "").await;
    reads_go_well(&gateway, 20).await;
    let there = one.calls().len();
    assert!(there > 0, "both are asked");
    proxy.set(|weather| weather.passes = false);
    for answer in join_all((0..100).map(|_| gateway.get("/v1/items/1").fetch())).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(one.calls().len(), there);
}
