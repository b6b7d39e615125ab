//! `balance = { hash = … }`: calls that belong together meet on one endpoint, whichever way they came.

use std::collections::HashSet;

use http::Version;
use transom::rpc::Algorithm;

use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{self, GetRequest, PROTO, item, wire};
use crate::support::site::{Ran, Site};
use crate::support::upstream::Upstream;
use crate::support::websocket;

/// Endpoints of one upstream, and a gateway that deals calls out to them.
struct Shop {
    upstreams: Vec<Upstream>,
    gateway: Gateway,
}

fn config(endpoints: &[String], balance: &str) -> Site {
    let text = format!(
        "[[schema]]\nprotos = [\"shop.proto\"]\n\n[upstreams.shop]\nendpoints = {endpoints:?}\nbalance = {balance}\n"
    );
    Site::new(&text).file("shop.proto", PROTO)
}

impl Shop {
    async fn start(balance: &str) -> Self {
        let mut upstreams = Vec::new();
        for _ in 0..4 {
            let script = Script::new().step(Step::Request).head().message(wire(&item("n"))).ok();
            upstreams.push(Upstream::start(move |_| script.clone()).await);
        }
        let urls: Vec<_> = upstreams.iter().map(Upstream::url).collect();
        let gateway = config(&urls, balance).serve().await;
        let shop = Self { upstreams, gateway };
        // All are ready before it matters which one is asked.
        for upstream in &shop.upstreams {
            upstream.connected(2).await;
        }
        shop
    }

    fn counts(&self) -> Vec<usize> {
        self.upstreams.iter().map(|upstream| upstream.calls().len()).collect()
    }

    /// Which endpoint had the one call that was made.
    async fn where_goes(&self, call: impl Future<Output = ()>) -> usize {
        let before = self.counts();
        call.await;
        let went: Vec<_> = (0..before.len()).filter(|&at| self.counts()[at] > before[at]).collect();
        assert_eq!(went.len(), 1, "one call goes to one endpoint");
        went[0]
    }

    async fn sent(&self, request: Request) -> usize {
        self.where_goes(async { assert_eq!(Box::pin(request.fetch()).await.status, 200) }).await
    }
}

fn named(name: &str) -> Vec<u8> {
    // Long enough that compression makes it shorter.
    wire(&GetRequest { name: name.to_owned(), after: "x".repeat(1000), ..GetRequest::default() })
}

#[tokio::test]
async fn a_field_keeps_calls_together_whatever_the_client_speaks() {
    let shop = Shop::start("{ hash = \"field:name\" }").await;
    let gateway = &shop.gateway;
    let mut seen = HashSet::new();
    for number in 0..12 {
        let name = format!("items/{number}");
        let home = shop.sent(gateway.get(&format!("/v1/{name}"))).await;
        seen.insert(home);
        let body = format!("{{\"name\":\"{name}\"}}");
        let auto = gateway.post(shop::GET, &body);
        let stream = gateway.get(&format!("/v1/{name}/changes")).accept("text/event-stream");
        let native = gateway.grpc(shop::GET, &[named(&name)]);
        let streamed = gateway.grpc(shop::WATCH, &[named(&name)]);
        for (what, request) in [
            ("a body", auto),
            ("another binding", gateway.post(&format!("/v1/{name}:sell"), "{}")),
            ("events", stream),
            ("gRPC", native),
            ("a stream of gRPC", streamed),
        ] {
            assert_eq!(shop.sent(request).await, home, "{what} of {name}");
        }
        let socket = async {
            let target = format!("/v1/{name}/changes");
            let mut socket = websocket::open(gateway.public, Version::HTTP_11, &target, &[]).await;
            assert_eq!(socket.rest().await.1, 1000);
        };
        assert_eq!(shop.where_goes(socket).await, home, "a WebSocket of {name}");
    }
    assert!(seen.len() > 1, "and names that differ are dealt out: {seen:?}");
}

#[tokio::test]
async fn a_compressed_message_is_read_too() {
    let shop = Shop::start("{ hash = \"field:name\" }").await;
    for number in 0..6 {
        let name = format!("items/{number}");
        let home = shop.sent(shop.gateway.get(&format!("/v1/{name}"))).await;
        for algorithm in Algorithm::ALL {
            let bytes = algorithm.compress(&named(&name)).unwrap();
            let mut body = vec![1];
            body.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            body.extend(bytes);
            let request = shop.gateway.grpc(shop::GET, &[]).header("grpc-encoding", algorithm.name());
            assert_eq!(shop.sent(request.body(body)).await, home, "{algorithm:?} {name}");
        }
    }
}

#[tokio::test]
async fn what_has_no_value_is_dealt_out() {
    for balance in ["{ hash = \"field:shelf.number\" }", "{ hash = \"header:x-user\" }"] {
        let shop = Shop::start(balance).await;
        // No value, no message of the type, a stream: nobody is refused for it.
        for _ in 0..20 {
            shop.sent(shop.gateway.get("/v1/items/1")).await;
            shop.sent(shop.gateway.grpc(shop::GET, &[vec![0xff]])).await;
            shop.sent(shop.gateway.grpc(shop::TALK, &[wire(&item("a"))])).await;
        }
        let counts = shop.counts();
        assert!(counts.iter().all(|&count| count > 0), "{balance}: {counts:?}");
    }
}

#[tokio::test]
async fn a_header_keeps_calls_together() {
    let shop = Shop::start("{ hash = \"header:X-User\" }").await;
    for user in ["ada", "grace", "edsger"] {
        let home = shop.sent(shop.gateway.get("/v1/items/1").header("x-user", user)).await;
        for number in 0..5 {
            let read = shop.gateway.get(&format!("/v1/items/{number}")).header("x-user", user);
            assert_eq!(shop.sent(read).await, home);
            let native = shop.gateway.grpc(shop::GET, &[named("n")]).header("x-user", user);
            assert_eq!(shop.sent(native).await, home);
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_dies_moves_its_own_calls_only() {
    let mut shop = Shop::start("{ hash = \"field:name\" }").await;
    let mut homes = Vec::new();
    for number in 0..12 {
        homes.push(shop.sent(shop.gateway.get(&format!("/v1/items/{number}"))).await);
    }
    let dead = homes[0];
    let address = shop.upstreams.remove(dead).kill().await;
    shop.upstreams.insert(dead, Upstream::start(|_| Script::new()).await);
    for (number, home) in homes.iter().enumerate() {
        let now = shop.sent(shop.gateway.get(&format!("/v1/items/{number}"))).await;
        assert!(now == *home || (*home == dead && now != dead), "item {number} of {address}");
    }
}

#[tokio::test]
async fn a_field_that_no_request_has_is_told() {
    for path in ["nmae", "shelf", "deep", "fields", "name.first"] {
        let site = config(&["http://127.0.0.1:1".to_owned()], &format!("{{ hash = \"field:{path}\" }}"));
        let Ran { code, stderr, stdout } = site.run(&["check"]).await;
        let text = format!("{stdout}{stderr}");
        assert_eq!(code, Some(1), "{path}: {text}");
        let expected = format!("no request to the upstream `shop` has a field \"{path}\" to hash");
        assert!(text.contains("gateway.toml:6:") && text.contains(&expected), "{text}");
    }
}
