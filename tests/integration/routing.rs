//! Where routes come from and which of them wins: annotations, `[[routes]]`, hosts and prefixes.

use crate::support::script::Script;
use crate::support::shop::{self, GetRequest, item, request, scripted, site, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

fn unary() -> Script {
    Script::unary(wire(&item("n")))
}

#[tokio::test]
async fn routes_of_the_configuration_add_and_replace() {
    let routes = r#"
[[routes]]
selector = "shop.v1.Shop.Get"
get = "/v2/{name}"

[[routes]]
selector = "shop.v1.Shop.Sell"
post = "/v2/{name}:buy"
body = "*"
replace = true
additional_bindings = [{ get = "/v2/{name}/bought" }]
"#;
    let (upstream, gateway) = scripted(routes, |_| unary()).await;
    gateway.get("/v2/x").fetch().await.ok();
    gateway.get("/v1/items/y").fetch().await.ok();
    gateway.post("/v2/z:buy", "{}").fetch().await.ok();
    gateway.get("/v2/w/bought").fetch().await.ok();
    assert_eq!(gateway.post("/v1/items/1:sell", "{}").fetch().await.status, 405);
    let names: Vec<String> = upstream.calls().iter().map(|seen| request::<GetRequest>(seen).name).collect();
    assert_eq!(names, ["x", "items/y", "z", "w"]);
}

#[tokio::test]
async fn a_route_of_the_configuration_beats_an_annotation_of_the_same_shape() {
    let routes = "[[routes]]\nselector = \"shop.v1.Shop.Read\"\nget = \"/v1/items/{name}\"\n";
    let (upstream, gateway) = scripted(routes, |_| Script::unary(Vec::new())).await;
    gateway.get("/v1/items/1").fetch().await;
    assert_eq!(upstream.call(0).await.path, "/shop.v1.Shop/Read");
}

const TWIN: &str = r#"
syntax = "proto3";
package twin.v1;
import "google/api/annotations.proto";
service Twin {
  rpc Get(Request) returns (Request) { option (google.api.http) = {get: "/v1/{name=items/*}"}; }
}
message Request { string name = 1; }
"#;

fn twins(one: &Upstream, other: &Upstream, more: &str, other_keys: &str) -> Site {
    let config = format!(
        "{more}\n[[schema]]\nprotos = [\"*.proto\"]\n\n[upstreams.shop]\nendpoints = [\"{}\"]\nservices = [\"shop.v1.Shop\"]\n\n[upstreams.twin]\nendpoints = [\"{}\"]\nservices = [\"twin.v1.Twin\"]\n{other_keys}\n",
        one.url(),
        other.url()
    );
    Site::new(&config).file("shop.proto", shop::PROTO).file("twin.proto", TWIN)
}

#[tokio::test]
async fn two_services_of_one_path_collide() {
    let (one, other) = (Upstream::start(|_| unary()).await, Upstream::start(|_| unary()).await);
    let ran = twins(&one, &other, "", "").run(&["check"]).await;
    assert_eq!(ran.code, Some(1));
    let text = ran.stdout + &ran.stderr;
    assert!(
        text.contains("twin.v1.Twin.Get collides with GET /v1/{name=items/*} of shop.v1.Shop.Get"),
        "{text}"
    );
    let gateway = twins(&one, &other, "collisions = \"warn\"", "").serve().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    assert_eq!((one.calls().len(), other.calls().len()), (1, 0), "the first in order wins");
    gateway.post("/twin.v1.Twin/Get", "{}").fetch().await.ok();
    assert_eq!(other.calls().len(), 1, "the other keeps its automatic route");
}

#[tokio::test]
async fn hosts_and_prefixes_keep_services_apart() {
    let (one, other) = (Upstream::start(|_| unary()).await, Upstream::start(|_| unary()).await);
    let gateway = twins(&one, &other, "", "hosts = [\"Twin.example.com\"]").serve().await;
    gateway.get("/v1/items/1").header("host", "twin.example.com:8080").fetch().await.ok();
    gateway.get("/v1/items/1").header("host", "elsewhere").fetch().await.ok();
    gateway.get("/v1/items/1").http2().header("host", "TWIN.example.com").fetch().await.ok();
    // What the host itself does not have, every host has.
    gateway.post("/v1/items", "{}").header("host", "twin.example.com").fetch().await.ok();
    assert_eq!((one.calls().len(), other.calls().len()), (2, 2));

    let (one, other) = (Upstream::start(|_| unary()).await, Upstream::start(|_| unary()).await);
    let gateway = twins(&one, &other, "", "prefix = \"/twin\"").serve().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    gateway.get("/twin/v1/items/1").fetch().await.ok();
    gateway.post("/twin.v1.Twin/Get", "{}").fetch().await.ok();
    assert_eq!((one.calls().len(), other.calls().len()), (1, 2));
}

#[tokio::test]
async fn automatic_routes_can_be_left_out() {
    let (upstream, gateway) = scripted("auto_routes = false", |_| unary()).await;
    assert_eq!(gateway.post(shop::GET, "{}").fetch().await.status, 404);
    gateway.get("/v1/items/1").fetch().await.ok();
    assert!(gateway.grpc(shop::GET, &[wire(&item("a"))]).fetch().await.grpc().is_ok(), "gRPC needs no route");
    assert_eq!(upstream.calls().len(), 2);
}

#[tokio::test]
async fn what_is_routed_can_be_seen_and_explained() {
    let upstream = Upstream::start(|_| unary()).await;
    let site = site(&upstream, "timeout = \"5s\"");
    let table = site.run(&["routes", "--format", "json"]).await;
    let rows: serde_json::Value = serde_json::from_str(&table.stdout).unwrap();
    let row =
        rows.as_array().unwrap().iter().find(|row| row["template"] == "/v1/{name=items/*}:sell").unwrap();
    let expected = serde_json::json!({
        "method": "POST", "template": "/v1/{name=items/*}:sell", "grpc_method": "shop.v1.Shop.Sell",
        "kind": "unary", "source": "annotation", "host": null, "upstream": "shop",
    });
    assert_eq!(*row, expected);
    let explained = site.run(&["explain", "GET", "/v1/shelves/7/items/1?deep=true&nothing=x"]).await;
    for part in [
        "GET /v1/shelves/{shelf.number}/{name=items/*}  (annotation)",
        "shop.v1.Shop.Get  (unary, upstream shop)",
        "shelf.number = \"7\"  (from the path)",
        "deep = \"true\"  (from the query)",
        "nothing: shop.v1.GetRequest has no field \"nothing\"",
        "timeout",
        "gateway.toml",
    ] {
        assert!(explained.stdout.contains(part), "{part}: {}", explained.stdout);
    }
    let missed = site.run(&["explain", "GET", "/v1/itms/1"]).await;
    assert!(
        missed.stdout.contains("404") && missed.stdout.contains("one segment differs"),
        "{}",
        missed.stdout
    );
}
