//! `GET /upstreams`: what those who operate the gateway see of its upstreams.

use std::time::Duration;

use serde_json::Value;

use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{PROTO, behind, item, wire};
use crate::support::site::Site;
use crate::support::upstream::{PATIENCE, Upstream};

/// The report of the only upstream, once it fits.
async fn report(gateway: &Gateway, fits: impl Fn(&Value) -> bool) -> Value {
    let waiting = async {
        loop {
            let report = gateway.admin("GET", "/upstreams").fetch().await.ok()[0].take();
            if fits(&report) {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(report) => report,
        Err(_) => panic!("it stays {}", gateway.admin("GET", "/upstreams").fetch().await.text()),
    }
}

fn states(report: &Value) -> Vec<&str> {
    let endpoints = report["endpoints"].as_array().unwrap();
    endpoints.iter().map(|endpoint| endpoint["state"].as_str().unwrap()).collect()
}

fn unary() -> Script {
    Script::unary(wire(&item("n")))
}

#[tokio::test]
async fn endpoints_are_shown_before_the_first_request_and_when_they_die() {
    let (one, other) = (Upstream::start(|_| unary()).await, Upstream::start(|_| unary()).await);
    let endpoints = format!("[\"{}\", {{ url = \"{}\", weight = 3 }}]", one.url(), other.url());
    let config =
        format!("[[schema]]\nprotos = [\"shop.proto\"]\n\n[upstreams.shop]\nendpoints = {endpoints}\n");
    let gateway = Site::new(&config).file("shop.proto", PROTO).serve().await;
    // A worker that has not started yet sees nothing.
    let both = serde_json::json!({ "ready": 2 });
    let shown = report(&gateway, |report| {
        [0, 1].iter().all(|endpoint| report["endpoints"][endpoint]["workers"] == both)
    })
    .await;
    assert_eq!((&shown["name"], &shown["retry_tokens"]), (&Value::from("shop"), &Value::from(100)));
    let endpoint = &shown["endpoints"][1];
    assert_eq!(endpoint["address"], other.address.to_string());
    assert_eq!((&endpoint["weight"], &endpoint["connections"]), (&Value::from(3), &Value::from(2)));
    assert!(endpoint.get("failure").is_none() && endpoint.get("serving").is_none());

    other.kill().await;
    let shown = report(&gateway, |report| states(report) == ["ready", "failed"]).await;
    assert!(shown["endpoints"][1]["failure"].as_str().unwrap().contains("refused"), "{shown}");
    gateway.get("/v1/items/1").fetch().await.ok();

    // A reload reaches workers that have no requests.
    gateway.site.write("gateway.toml", config.replace("weight = 3", "weight = 5"));
    gateway.admin("POST", "/reload").fetch().await;
    report(&gateway, |report| report["endpoints"][1]["weight"] == 5).await;
}

#[tokio::test]
async fn what_is_in_flight_is_counted_over_all_workers() {
    let (upstream, gateway) = behind(Script::new().head().message(wire(&item("n"))).stall()).await;
    let mut held = Vec::new();
    for call in 0..8 {
        held.push(gateway.get("/v1/items/1/changes").accept("text/event-stream").send().await);
        upstream.call(call).await;
    }
    let shown = report(&gateway, |report| report["streams"] == 8).await;
    assert_eq!(
        (&shown["in_flight"], &shown["endpoints"][0]["in_flight"]),
        (&Value::from(0), &Value::from(8))
    );
    drop(held);
    report(&gateway, |report| report["streams"] == 0 && report["endpoints"][0]["in_flight"] == 0).await;
}
