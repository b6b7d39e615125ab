//! Limits on rates: who is counted, over each front, on all workers, across reloads.

use http::Version;
use transom::rpc::Code;

use crate::support::client::{Answer, Request};
use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{self, config, item, scripted, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;
use crate::support::websocket::{connect, open};

/// The SHA-256 of `secret`.
const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// A gateway that answers well as often as `limit` lets it.
async fn limited(limit: &str) -> (Upstream, Gateway) {
    let more = format!("rate_limit = {{ {limit} }}");
    scripted(&more, |_| Script::unary(wire(&item("n")))).await
}

/// Asserts that an answer is the refusal of too many calls.
fn assert_too_many(answer: &Answer, by: &str) {
    assert_eq!(answer.refusal(), (429, 8, "RATE_LIMITED".into(), "client".into()));
    let after: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=3_600).contains(&after), "{after}");
    assert_eq!(answer.header("ratelimit"), format!("\"{by}\";r=0;t={after}"));
    assert!(!answer.header("ratelimit-policy").is_empty());
    let details = answer.json()["details"].clone();
    assert_eq!(details[1]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
    assert!(details[1]["retryDelay"].as_str().unwrap().ends_with('s'), "{details}");
    assert_eq!(details[2]["@type"], "type.googleapis.com/google.rpc.QuotaFailure");
    assert_eq!(details[2]["violations"][0]["subject"], by);
}

#[tokio::test]
async fn a_burst_is_granted_and_told_and_no_more() {
    let (upstream, gateway) = limited("rate = \"2/h\", burst = 4, by = \"address\"").await;
    // Each on a connection of its own, so on either worker.
    for left in (0..4).rev() {
        let answer = gateway.get("/v1/items/1").fetch().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"address\";q=4;w=7200");
        assert!(answer.header("ratelimit").starts_with(&format!("\"address\";r={left};t=")));
    }
    for _ in 0..5 {
        assert_too_many(&gateway.get("/v1/items/1").fetch().await, "address");
    }
    assert_eq!(upstream.calls().len(), 4);
    assert_eq!(gateway.get("/nowhere").fetch().await.status, 404, "what has no route is not counted");
    let line = gateway.access.find(|line| line["reason"] == "RATE_LIMITED").await;
    assert_eq!((&line["status"], &line["code"]), (&429.into(), &"RESOURCE_EXHAUSTED".into()));
}

#[tokio::test]
async fn every_front_is_counted_and_refused_in_its_language() {
    let (upstream, gateway) = limited("rate = \"5/h\", by = \"route\"").await;
    let body = wire(&item("a"));
    gateway.get("/v1/items/1").fetch().await.ok();
    gateway.post(shop::GET, "{}").fetch().await.ok();
    let native = gateway.grpc(shop::GET, std::slice::from_ref(&body)).fetch().await;
    assert!(native.grpc().is_ok());
    assert!(native.header("ratelimit").starts_with("\"route\";r=2;"));
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut socket = open(gateway.public, version, "/v1/items/1", &[]).await;
        assert_eq!(socket.rest().await.1, 1000);
    }
    assert_too_many(&gateway.get("/v1/items/1").fetch().await, "route");
    assert_too_many(&gateway.post(shop::GET, "{}").fetch().await, "route");
    let refused = gateway.grpc(shop::GET, &[body]).fetch().await;
    assert_eq!((refused.status, refused.trailers.is_none()), (200, true), "trailers only");
    let status = refused.grpc().unwrap_err();
    assert_eq!((status.code, status.details.len()), (Code::ResourceExhausted, 3));
    assert!(!refused.header("retry-after").is_empty());
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let refused = connect(gateway.public, version, "/v1/items/1", &[]).await;
        assert_eq!(refused.err().map(|status| status.as_u16()), Some(429), "{version:?}");
    }
    assert_eq!(upstream.calls().iter().filter(|seen| seen.path == shop::GET).count(), 5);
    // Another method is another route, and its events have a status line too.
    for status in [200, 200, 200, 200, 200, 429] {
        let answer = gateway.get("/v1/items/1/changes").accept("text/event-stream").fetch().await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn failures_count_and_tell_what_is_left() {
    let (_upstream, gateway) =
        scripted("rate_limit = { rate = \"3/h\", by = \"address\" }", |_| Script::status(5, "none")).await;
    let missing = gateway.get("/v1/items/1").fetch().await;
    assert_eq!(missing.status, 404);
    assert!(missing.header("ratelimit").starts_with("\"address\";r=2;"));
    let wrong = gateway.get("/v1/items/1?size=x").fetch().await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.header("ratelimit").starts_with("\"address\";r=1;"));
}

/// Two callers with keys, and a limit.
async fn with_keys(more: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let more = format!(
        "\n[auth.keys]\ntype = \"api_key\"\nkeys = \"file:keys.toml\"\n\n[defaults]\nauth = \"keys\"\n{more}\n"
    );
    let keys = format!("[keys.a]\nsha256 = \"{HASH}\"\n[keys.b]\nsha256 = \"{HASH}\"\n");
    let site = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO).file("keys.toml", keys);
    (upstream, site.serve().await)
}

fn by_key(gateway: &Gateway, target: &str, key: &str) -> Request {
    gateway.get(target).header("x-api-key", key)
}

#[tokio::test]
async fn callers_are_counted_apart_and_strangers_spend_nothing() {
    let (_upstream, gateway) = with_keys("rate_limit = { rate = \"2/h\" }").await;
    for _ in 0..10 {
        let refused = by_key(&gateway, "/v1/items/1", "a.wrong").fetch().await;
        assert_eq!((refused.status, refused.header("ratelimit")), (401, ""));
    }
    // All routes of the level are counted together.
    by_key(&gateway, "/v1/items/1", "a.secret").fetch().await.ok();
    by_key(&gateway, "/v1/items/1/changes", "a.secret").fetch().await.ok();
    assert_too_many(&by_key(&gateway, "/v1/items/1", "a.secret").fetch().await, "identity");
    assert_eq!(by_key(&gateway, "/v1/items/1", "b.secret").fetch().await.status, 200);
}

#[tokio::test]
async fn an_address_is_counted_before_its_credentials_are_looked_at() {
    let (_upstream, gateway) = with_keys("rate_limit = { rate = \"2/h\", by = \"address\" }").await;
    for left in [1, 0] {
        let refused = by_key(&gateway, "/v1/items/1", "a.wrong").fetch().await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("ratelimit").starts_with(&format!("\"address\";r={left};")));
    }
    assert_too_many(&by_key(&gateway, "/v1/items/1", "a.secret").fetch().await, "address");
}

#[tokio::test]
async fn header_values_are_counted_apart() {
    let (_upstream, gateway) = limited("rate = \"1/h\", by = \"header:x-tenant\"").await;
    for (tenant, status) in [("a", 200), ("b", 200), ("a", 429), ("b", 429)] {
        let answer = gateway.get("/v1/items/1").header("X-Tenant", tenant).fetch().await;
        assert_eq!(answer.status, status, "{tenant}");
    }
    for status in [200, 429] {
        assert_eq!(gateway.get("/v1/items/1").fetch().await.status, status);
    }
}

#[tokio::test]
async fn nearer_levels_count_for_themselves_and_may_lift_the_limit() {
    let more = r#"
[defaults]
rate_limit = { rate = "1/h", by = "address" }

[[policies]]
selector = "shop.v1.Shop.Watch"
rate_limit = { rate = "2/h" }

[[policies]]
selector = "shop.v1.Shop.Delete"
rate_limit = { rate = "none" }
"#;
    let (_upstream, gateway) = scripted(more, |_| Script::unary(wire(&item("n")))).await;
    for (method, target, statuses) in [
        ("GET", "/v1/items/1", &[200, 429][..]),
        ("GET", "/v1/items/1/changes", &[200, 200, 429]),
        ("DELETE", "/v1/items/1", &[200, 200, 200, 200]),
    ] {
        for status in statuses {
            let answer = gateway.request(method, target).fetch().await;
            assert_eq!(answer.status, *status, "{method} {target}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_reload_keeps_what_was_counted() {
    let limit = "rate_limit = { rate = \"1/h\", by = \"address\" }";
    let (upstream, gateway) = scripted(limit, |_| Script::unary(wire(&item("n")))).await;
    assert_eq!(gateway.get("/v1/items/1").fetch().await.status, 200);
    let extra = "[[routes]]\nselector = \"shop.v1.Shop.Get\"\nget = \"/extra/{name}\"\n";
    gateway.site.write("gateway.toml", config(&upstream, &format!("{limit}\n{extra}")));
    gateway.admin("POST", "/reload").fetch().await;
    for target in ["/extra/1", "/v1/items/1"] {
        assert_too_many(&gateway.get(target).fetch().await, "address");
    }
    // What is changed starts anew.
    gateway.site.write("gateway.toml", config(&upstream, &limit.replace("1/h", "2/h")));
    gateway.admin("POST", "/reload").fetch().await;
    assert_eq!(gateway.get("/v1/items/1").fetch().await.status, 200);
}
