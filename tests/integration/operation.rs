//! What those who operate the gateway rely on: TLS, the admin listener, health, drain, the access log.

use crate::support::script::Script;
use crate::support::shop::{behind, config, item, scripted, wire};
use crate::support::site::Site;
use crate::support::tls::Identity;
use crate::support::upstream::Upstream;
use std::time::Duration;

fn unary() -> Script {
    Script::unary(wire(&item("n")))
}

#[tokio::test]
async fn one_port_speaks_both_versions_of_http() {
    let (_upstream, gateway) = behind(unary()).await;
    assert_eq!(gateway.get("/v1/items/1").fetch().await.version, http::Version::HTTP_11);
    let answer = gateway.get("/v1/items/1").http2().fetch().await;
    assert_eq!((answer.version, answer.ok()["name"].as_str()), (http::Version::HTTP_2, Some("n")));
}

#[tokio::test]
async fn tls_agrees_on_a_version() {
    let upstream = Upstream::start(|_| unary()).await;
    let identity = Identity::new();
    let site = Site::new(&format!(
        "[server]\ntls = {{ cert = \"tls.crt\", key = \"tls.key\" }}\n\n{}",
        config(&upstream, "")
    ))
    .file("shop.proto", crate::support::shop::PROTO)
    .file("tls.crt", &identity.cert)
    .file("tls.key", &identity.key);
    let gateway = site.serve().await;
    for (offered, version) in [
        (&["h2", "http/1.1"][..], http::Version::HTTP_2),
        (&["http/1.1"], http::Version::HTTP_11),
        (&[], http::Version::HTTP_11),
    ] {
        let answer = gateway.get("/v1/items/1").tls(&identity.trust(offered)).fetch().await;
        assert_eq!((answer.status, answer.version), (200, version), "{offered:?}");
    }
}

#[tokio::test]
async fn the_admin_listener_answers() {
    let (_upstream, gateway) = behind(unary()).await;
    for (target, status) in [("/livez", 200), ("/readyz", 200), ("/routes", 200), ("/nothing", 404)] {
        assert_eq!(gateway.admin("GET", target).fetch().await.status, status, "{target}");
    }
    let admin = format!("http://{}/readyz", gateway.admin);
    let healthy = gateway.site.run(&["healthcheck", "--url", &admin]).await;
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    let dead = gateway.site.run(&["healthcheck", "--url", "http://127.0.0.1:1/readyz"]).await;
    assert_eq!(dead.code, Some(1), "{dead:?}");
}

#[tokio::test]
async fn a_drain_lets_what_runs_end() {
    let script =
        |_: &_| unary().steps.into_iter().fold(Script::new().sleep(Duration::from_secs(1)), Script::step);
    let (upstream, mut gateway) = scripted("", script).await;
    let running = tokio::spawn(gateway.get("/v1/items/1").fetch());
    upstream.call(0).await;
    gateway.signal("TERM").await;
    running.await.unwrap().ok();
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (upstream, mut gateway) = scripted("", |_| Script::new().head().stall()).await;
    let running = tokio::spawn(gateway.get("/v1/items/1/changes").accept("application/x-ndjson").fetch());
    upstream.call(0).await;
    gateway.signal("TERM").await;
    gateway.log.find(|line| line.to_string().contains("drain")).await;
    gateway.signal("TERM").await;
    gateway.ended().await;
    drop(running);
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_sentence() {
    let (upstream, gateway) = behind(unary()).await;
    let config = format!(
        "[server]\nlisten = \"{}\"\naccept = \"shared\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n{}",
        gateway.public,
        config(&upstream, "")
    );
    let ran = Site::new(&config).file("shop.proto", crate::support::shop::PROTO).run(&["serve"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains(&gateway.public.to_string()) && ran.stderr.contains("in use"), "{ran:?}");
}

#[tokio::test]
async fn every_request_has_one_line() {
    let (_upstream, gateway) = behind(unary()).await;
    gateway.get("/v1/items/1?revision=5").header("x-request-id", "id-1").fetch().await.ok();
    gateway.get("/nothing").fetch().await;
    gateway.grpc(crate::support::shop::GET, &[wire(&item("a"))]).fetch().await;
    let lines = gateway.access.count(3).await;
    let by = |path: &str| lines.iter().find(|line| line["path"].as_str().unwrap().starts_with(path)).unwrap();
    let first = by("/v1/items/1");
    assert_eq!(
        (first["request_id"].as_str(), first["path"].as_str()),
        (Some("id-1"), Some("/v1/items/1?revision=*"))
    );
    assert_eq!(
        (first["status"].as_u64(), first["code"].as_str(), first["end"].as_str()),
        (Some(200), Some("OK"), Some("complete"))
    );
    assert_eq!(first["rpc_method"], "shop.v1.Shop.Get");
    assert_eq!(
        (by("/nothing")["status"].as_u64(), by("/nothing")["reason"].as_str()),
        (Some(404), Some("ROUTE_NOT_FOUND"))
    );
    let grpc = by("/shop.v1.Shop/Get");
    assert_eq!((grpc["protocol"].as_str(), grpc["end"].as_str()), (Some("grpc"), Some("complete")));
}
