//! Routes and descriptors change while traffic flows: nothing is lost, and nothing bad gets in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{self, config, item, scripted, wire};
use crate::support::upstream::{PATIENCE, Upstream};

const EXTRA: &str = "[[routes]]\nselector = \"shop.v1.Shop.Get\"\nget = \"/extra/{name}\"\n";

async fn behind() -> (Upstream, Gateway) {
    scripted("", |_| Script::unary(wire(&item("n")))).await
}

/// Asks until the status is there, or patience ends.
async fn becomes(gateway: &Gateway, target: &str, status: u16) {
    let waiting = async {
        while gateway.get(target).fetch().await.status != status {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{target} becomes {status}"));
}

#[tokio::test]
async fn an_edited_route_is_live_and_no_request_is_lost() {
    let (upstream, gateway) = behind().await;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let gateway = Arc::new(gateway);
    let load = {
        let (gateway, stop, served) = (Arc::clone(&gateway), Arc::clone(&stop), Arc::clone(&served));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(gateway.get("/v1/items/1").fetch().await.status, 200);
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for round in 0..3 {
        let more = if round % 2 == 0 { EXTRA } else { "" };
        gateway.site.write("gateway.toml", config(&upstream, more));
        becomes(&gateway, "/extra/1", if more.is_empty() { 404 } else { 200 }).await;
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    assert!(served.load(Ordering::Relaxed) > 10);
    assert!(
        upstream.connections() <= 2,
        "each of two workers keeps its connection: {}",
        upstream.connections()
    );
}

#[tokio::test]
async fn a_changed_descriptor_is_live() {
    let (_upstream, gateway) = behind().await;
    assert_eq!(gateway.get("/v9/items/1").fetch().await.status, 404);
    gateway.site.write(
        "shop.proto",
        shop::PROTO.replace("get: \"/v1/{name=items/*}\"\n", "get: \"/v9/{name=items/*}\"\n"),
    );
    becomes(&gateway, "/v9/items/1", 200).await;
}

#[tokio::test]
async fn a_bad_change_changes_nothing_and_is_told() {
    let (upstream, gateway) = behind().await;
    gateway.site.write("gateway.toml", config(&upstream, "tiemout = \"1s\""));
    let told = gateway.log.find(|line| line.to_string().contains("tiemout")).await;
    assert!(told.to_string().contains("gateway.toml:6:"), "{told}");
    gateway.get("/v1/items/1").fetch().await.ok();
    let answer = gateway.admin("POST", "/reload").fetch().await;
    assert!(answer.status >= 400, "{}", answer.text());
    assert!(answer.text().contains("tiemout"), "{}", answer.text());
    gateway.site.write("gateway.toml", config(&upstream, EXTRA));
    becomes(&gateway, "/extra/1", 200).await;
}

#[tokio::test]
async fn a_reload_can_be_asked_for() {
    let (upstream, gateway) = behind().await;
    gateway.site.write("gateway.toml", config(&upstream, EXTRA));
    let answer = gateway.admin("POST", "/reload").fetch().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["generation"], 2, "{}", answer.text());
    gateway.get("/extra/1").fetch().await.ok();
    gateway.site.write("gateway.toml", config(&upstream, ""));
    gateway.signal("HUP").await;
    becomes(&gateway, "/extra/1", 404).await;
}

#[tokio::test]
async fn a_stream_outlives_reloads() {
    let script = |_: &_| {
        Script::new()
            .head()
            .message(wire(&item("a")))
            .sleep(Duration::from_secs(2))
            .message(wire(&item("b")))
            .ok()
    };
    let (upstream, gateway) = scripted("", script).await;
    let mut response = gateway.get("/v1/items/1/changes").accept("text/event-stream").send().await;
    response.until("{\"name\":\"a\"}").await;
    gateway.site.write("gateway.toml", config(&upstream, EXTRA));
    gateway.admin("POST", "/reload").fetch().await;
    let rest = response.whole().await;
    assert!(rest.complete && rest.text().contains("{\"name\":\"b\"}"), "{}", rest.text());
}
