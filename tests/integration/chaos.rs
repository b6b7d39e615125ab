//! Everything goes wrong at once, under load: endpoints die, freeze and restart, clients leave in
//! hundreds. The short runs belong to every change, the long ones (`--ignored`) to `tests/run --full`.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use h2::Reason;
use http_body_util::Full;
use tokio::process::{Child, Command};
use tokio::time::sleep;
use transom::upstream::{Limits, Spec};

use crate::support::calls::{self, spec};
use crate::support::fleet::{Make, Server};
use crate::support::gateway::{Gateway, Lines};
use crate::support::load::{Load, request};
use crate::support::script::{Script, Step};
use crate::support::shop::{PROTO, item, scripted, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

fn read(_: usize, _: usize) -> http::Request<Full<Bytes>> {
    request("GET", "/v1/items/1", "")
}

fn write(client: usize, number: usize) -> http::Request<Full<Bytes>> {
    request("POST", "/v1/items", format!("{{\"name\":\"{client}-{number}\"}}"))
}

fn stream(_: usize, _: usize) -> http::Request<Full<Bytes>> {
    request("GET", "/v1/items/1/changes", "")
}

fn shelf(_: usize, _: usize) -> http::Request<Full<Bytes>> {
    request("GET", "/v1/shelves/1", "")
}

async fn before(addresses: impl Iterator<Item = String>) -> Gateway {
    let endpoints: Vec<_> = addresses.map(|address| format!("http://{address}")).collect();
    let config =
        format!("[[schema]]\nprotos = [\"shop.proto\"]\n\n[upstreams.shop]\nendpoints = {endpoints:?}\n");
    Site::new(&config).file("shop.proto", PROTO).serve().await
}

async fn fleet(make: Make) -> (Vec<Server>, Gateway) {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(make.start(None).await);
    }
    let gateway = before(servers.iter().map(|server| server.address().to_string())).await;
    (servers, gateway)
}

/// One of three endpoints is killed, and revived before the next is, so often.
async fn flapping(rounds: usize) {
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(Upstream::start(|_| Script::unary(wire(&item("n")))).await);
    }
    let gateway = before(upstreams.iter().map(|upstream| upstream.address.to_string())).await;
    let load = Load::start(gateway.public, 64, read);
    for _ in 0..rounds {
        sleep(Duration::from_millis(500)).await;
        let address = upstreams.remove(0).kill().await;
        sleep(Duration::from_millis(500)).await;
        let revived = Upstream::options().listen(address);
        upstreams.push(revived.start(|_| Script::unary(wire(&item("n")))).await);
    }
    let (count, bad) = load.finish().await;
    assert!(bad.is_empty(), "of {count:?}: {:#?}", &bad[..bad.len().min(5)]);
    assert!(count.good > rounds * 64, "{count:?}");
}

#[tokio::test]
async fn one_of_three_endpoints_dies_every_second_and_no_read_notices() {
    flapping(4).await;
}

#[tokio::test]
#[ignore = "a minute long"]
async fn one_of_three_endpoints_dies_every_second_for_a_minute() {
    flapping(60).await;
}

#[tokio::test]
async fn when_all_endpoints_are_dead_every_call_is_told_so() {
    let (mut servers, gateway) = fleet(Make::Scripted).await;
    let load = Load::start(gateway.public, 32, write);
    sleep(Duration::from_millis(300)).await;
    for server in &mut servers {
        server.stop().await;
    }
    drop(servers);
    sleep(Duration::from_secs(1)).await;
    let before = load.count();
    sleep(Duration::from_secs(1)).await;
    let dead = load.count().since(before);
    let (_, bad) = load.finish().await;
    assert!(dead.good == 0 && dead.bad > 32, "{dead:?}");
    for told in &bad {
        let body = told.strip_prefix("503 Service Unavailable: ").unwrap_or_else(|| panic!("{told}"));
        let status: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(status["code"], 14, "{told}");
    }
}

/// All three servers are restarted, one after another, so often; nothing fails, and nothing is done twice.
async fn rolling(make: Make, rounds: usize) {
    let (mut servers, gateway) = fleet(make).await;
    let streams = Load::start(gateway.public, 64, stream);
    let reads = Load::start(gateway.public, 16, read);
    let writes = Load::start(gateway.public, 16, write);
    let mut executed = Vec::new();
    for _ in 0..rounds {
        for server in &mut servers {
            sleep(Duration::from_millis(400)).await;
            server.stop().await;
            let next = make.start(Some(server.address())).await;
            executed.extend(std::mem::replace(server, next).writes());
        }
    }
    sleep(Duration::from_millis(400)).await;
    for (what, load) in [("reads", reads), ("writes", writes), ("streams", streams)] {
        let (count, bad) = load.finish().await;
        assert!(bad.is_empty(), "{what}, of {count:?}: {:#?}", &bad[..bad.len().min(5)]);
        assert!(count.good > 64, "{what}: {count:?}");
    }
    executed.extend(servers.iter().flat_map(Server::writes));
    let once: HashSet<_> = executed.iter().collect();
    assert_eq!(once.len(), executed.len(), "no write is executed twice");
}

#[tokio::test]
async fn a_rolling_restart_costs_no_call_and_repeats_no_write() {
    rolling(Make::Scripted, 1).await;
}

#[tokio::test]
#[ignore = "needs the server of tests/go, which tests/run --full builds"]
async fn a_rolling_restart_of_grpc_go_costs_no_call_and_repeats_no_write() {
    rolling(Make::Go, 3).await;
}

/// `transom demo` as a process of its own, and where its samples are.
async fn samples(site: &Site) -> (Child, String) {
    let mut child = site.command(&["demo", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let log = Lines::of(child.stderr.take().unwrap());
    let says = |line: &serde_json::Value| {
        line.as_str().is_some_and(|line| line.contains("with reflection, are at "))
    };
    let line = log.find(says).await;
    let address = line.as_str().unwrap().rsplit("http://").next().unwrap().trim_end_matches('.');
    (child, address.to_owned())
}

async fn signal(process: &Child, name: &str) {
    let kill = format!("kill -{name} {}", process.id().unwrap());
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
}

#[tokio::test]
async fn a_frozen_process_is_noticed_by_few_calls_and_soon_by_none() {
    const CLIENTS: usize = 16;
    let site = Site::new("");
    let mut processes = Vec::new();
    for _ in 0..3 {
        processes.push(samples(&site).await);
    }
    let endpoints: Vec<_> = processes.iter().map(|(_, address)| format!("http://{address}")).collect();
    let config =
        format!("[[schema]]\nreflection = \"demo\"\n\n[upstreams.demo]\nendpoints = {endpoints:?}\n");
    let gateway = Site::new(&config).serve().await;
    let load = Load::start(gateway.public, CLIENTS, shelf);
    sleep(Duration::from_millis(500)).await;
    signal(&processes[0].0, "STOP").await;
    sleep(Duration::from_secs(5)).await;
    let before = load.count();
    sleep(Duration::from_secs(3)).await;
    let after = load.count().since(before);
    signal(&processes[0].0, "CONT").await;
    let (count, bad) = load.finish().await;
    assert!(bad.is_empty(), "of {count:?}: {:#?}", &bad[..bad.len().min(5)]);
    assert!(after.slow * 100 < after.all(), "{after:?}");
    assert!(count.slow <= CLIENTS, "only those that waited there already: {count:?}");
}

/// Half of all clients leave at once; the others get their answers.
async fn storm(pending: usize, then_goaway: bool) {
    let upstream = Upstream::options()
        .http2(|http| {
            http.max_pending_accept_reset_streams(pending);
        })
        .start(|_| Script::new().step(Step::Request).sleep(Duration::from_secs(2)).head().message("m").ok())
        .await;
    let one = spec(&[&upstream]);
    let pool = calls::pool(Spec { limits: Limits { connections: 1, ..one.limits }, ..one });
    let ask = || {
        let pool = pool.clone();
        tokio::spawn(async move { calls::whole(&pool, calls::idempotent("")).await })
    };
    let (leave, stay): (Vec<_>, Vec<_>) = (0..64).map(|_| (ask(), ask())).unzip();
    upstream.call(127).await;
    assert_eq!(upstream.connections(), 1);
    leave.iter().for_each(tokio::task::JoinHandle::abort);
    if then_goaway {
        sleep(Duration::from_millis(100)).await;
        upstream.abort(Reason::ENHANCE_YOUR_CALM);
    }
    for answer in join_all(stay).await {
        assert_eq!(answer.unwrap().unwrap_or_else(|status| panic!("{status}")).0, ["m"]);
    }
    assert_eq!(upstream.connections(), if then_goaway { 2 } else { 1 });
}

#[tokio::test]
async fn a_storm_of_resets_ends_no_connection() {
    storm(20, false).await;
}

#[tokio::test]
async fn a_goaway_after_a_storm_costs_no_read() {
    storm(20, true).await;
}

#[tokio::test]
async fn half_of_all_clients_leave_the_gateway_at_once() {
    let (upstream, gateway) = scripted("", |_| {
        Script::new().step(Step::Request).sleep(Duration::from_secs(2)).head().message(wire(&item("n"))).ok()
    })
    .await;
    // Writes: none could be sent again.
    let ask = || tokio::spawn(gateway.post("/v1/items", "{}").fetch());
    let (leave, stay): (Vec<_>, Vec<_>) = (0..64).map(|_| (ask(), ask())).unzip();
    upstream.call(127).await;
    let connections = upstream.connections();
    leave.iter().for_each(tokio::task::JoinHandle::abort);
    for answer in join_all(stay).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!((upstream.calls().len(), upstream.connections()), (128, connections));
}
