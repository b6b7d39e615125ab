//! Pages of other origins: who may call, what a preflight is told, and which writes may bring cookies.

use crate::support::client::{Answer, Request};
use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{self, config, item, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://app.example.com.evil.test";

/// A gateway whose methods need a key that nobody has, but for `Get`, which pages may call with cookies.
async fn shared() -> (Upstream, Gateway) {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let more = format!(
        r#"
[auth.keys]
type = "api_key"
keys = "file:keys.toml"

[defaults]
auth = "keys"
cors = {{ origins = ["{APP}", "http://localhost:*"] }}

[[policies]]
selector = "shop.v1.Shop.Get"
auth = "none"
cors = {{ credentials = true, max_age = "1m", headers = ["x-api-key", "Content-Type"], expose = ["X-Next", "etag"] }}

[[policies]]
selector = "shop.v1.Shop.Delete"
cors = {{ origins = [] }}
"#
    );
    let site =
        Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO).file("keys.toml", "[keys]\n");
    (upstream, site.serve().await)
}

fn preflight(gateway: &Gateway, target: &str, method: &str, origin: &str) -> Request {
    gateway
        .request("OPTIONS", target)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "x-api-key,content-type")
}

fn vary(answer: &Answer) -> String {
    let values = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_preflight_is_answered_before_authentication() {
    let (upstream, gateway) = shared().await;
    for (target, method) in [("/v1/items/1/changes", "GET"), (shop::WATCH, "POST")] {
        let answer = preflight(&gateway, target, method, APP).fetch().await;
        assert_eq!(answer.status, 204, "{target}");
        assert_eq!(answer.header("access-control-allow-origin"), APP);
        assert_eq!(answer.header("access-control-allow-methods"), method);
        assert_eq!(answer.header("access-control-allow-headers"), "x-api-key,content-type");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!(answer.header("access-control-max-age"), "600");
        let asked = "access-control-request-method, access-control-request-headers, origin";
        assert_eq!(vary(&answer), asked);
    }
    let answer = preflight(&gateway, "/v1/items/1", "GET", "http://localhost:5173").fetch().await;
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-max-age"), "60");
    // What is listed is told, whatever a page asks for; and nothing of networks.
    let asking =
        preflight(&gateway, "/v1/items/1", "GET", APP).header("access-control-request-headers", "x-evil");
    let answer = asking.header("access-control-request-private-network", "true").fetch().await;
    assert_eq!(answer.header("access-control-allow-headers"), "x-api-key, content-type");
    assert_eq!(answer.header("access-control-allow-private-network"), "");
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn a_preflight_of_another_page_is_refused() {
    let (_upstream, gateway) = shared().await;
    for origin in [EVIL, "null", "http://app.example.com", "http://localhost:1.evil.test", ""] {
        let answer = preflight(&gateway, "/v1/items/1", "GET", origin).fetch().await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        assert!(vary(&answer).contains("origin"), "{origin}");
    }
    let closed = preflight(&gateway, "/v1/items/1", "DELETE", APP).fetch().await;
    assert_eq!((closed.status, closed.header("access-control-allow-origin")), (204, ""));
    let unknown = preflight(&gateway, "/nowhere", "GET", APP).fetch().await;
    assert_eq!((unknown.status, unknown.header("access-control-allow-methods")), (404, ""));
}

#[tokio::test]
async fn a_page_reads_answers_and_errors_if_it_may() {
    let (_upstream, gateway) = shared().await;
    let good = gateway.get("/v1/items/1").header("origin", APP).fetch().await;
    assert_eq!((good.status, good.header("access-control-allow-origin")), (200, APP));
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "ratelimit", "ratelimit-policy"] {
        assert!(good.header("access-control-expose-headers").contains(name), "{name}");
    }
    assert!(good.header("access-control-expose-headers").ends_with(", x-next, etag"));
    let refused = gateway.get("/v1/items/1/changes").header("origin", APP).fetch().await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, APP));
    for request in [gateway.get("/v1/items/1"), gateway.get("/v1/items/1").header("origin", EVIL)] {
        let answer = request.fetch().await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
        assert_eq!(vary(&answer), "origin");
    }
}

#[tokio::test]
async fn a_page_reads_that_there_is_nothing() {
    let (_upstream, gateway) = shared().await;
    // What a path has decides for its other methods, and `[defaults]` for what nobody knows.
    for (method, target, status, shared) in [
        ("GET", "/nowhere", 404, true),
        ("PATCH", "/v1/items/1/changes", 405, true),
        ("OPTIONS", "/v1/items/1/changes", 204, true),
        ("POST", "/v1/items/1/changes", 405, true),
        ("GET", "//v1/items/1", 400, true),
    ] {
        let answer = gateway.request(method, target).header("origin", APP).fetch().await;
        let told = answer.header("access-control-allow-origin") == APP;
        assert_eq!((answer.status, told), (status, shared), "{method} {target}");
        assert_eq!(vary(&answer), "origin");
        let evil = gateway.request(method, target).header("origin", EVIL).fetch().await;
        assert_eq!(
            (evil.status, evil.header("access-control-allow-origin")),
            (status, ""),
            "{method} {target}"
        );
    }
}

#[tokio::test]
async fn a_write_with_cookies_proves_where_it_comes_from() {
    let (upstream, gateway) = shared().await;
    let own = format!("http://{}", gateway.public);
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[], 403),
        (&[("origin", EVIL)], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", &own)], 403),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("origin", &own)], 200),
        (&[("sec-fetch-site", "cross-site"), ("origin", APP)], 200),
    ];
    for (headers, status) in cases {
        let write = gateway.post(shop::GET, "{}").header("cookie", "session=1");
        let write = headers.iter().fold(write, |write, (name, value)| write.header(name, value));
        assert_eq!(write.fetch().await.status, status, "{headers:?}");
    }
    assert_eq!(upstream.calls().len(), 4);
    let watch = gateway.post(shop::WATCH, "{}").header("cookie", "session=1").header("origin", APP);
    assert_eq!(watch.fetch().await.status, 403, "that route shares no credentials");
    assert_eq!(gateway.get("/v1/items/1").header("cookie", "session=1").fetch().await.status, 200);
    let grpc = gateway.grpc(shop::GET, &[wire(&item("a"))]).header("cookie", "session=1");
    assert!(grpc.fetch().await.grpc().is_ok());
}

#[tokio::test]
async fn credentials_for_every_page_are_an_error() {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let more = "\n[defaults]\ncors = { origins = [\"*\"] }\n\n[[policies]]\nselector = \"shop.v1.*\"\ncors = { credentials = true }\n";
    let site = Site::new(&config(&upstream, more)).file("shop.proto", shop::PROTO);
    let output = site.command(&["check"]).output().await.unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("cookies of users would go along with the calls of any page"), "{said}");
}
