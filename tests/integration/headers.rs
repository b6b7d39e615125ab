//! What the configuration adds to and takes from calls and answers, over each front; and what answers that
//! went well say beside their content.

use http::Version;

use serde_json::json;

use crate::support::gateway::Gateway;
use crate::support::issuer::Issuer;
use crate::support::script::Script;
use crate::support::shop::{self, config, item, scripted, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;
use crate::support::websocket::open;

const EDITS: &str = r#"
[defaults]
headers = { request = { set = { "x-via" = "transom", "x-level" = "far" }, remove = ["x-spy"] }, response = { set = { "strict-transport-security" = "max-age=63072000", "x-level" = "far" }, remove = ["etag"] } }

[[policies]]
selector = "shop.v1.Shop.Get"
headers = { request = { set = { "x-level" = "near" }, add = { "x-via" = "twice" } }, response = { remove = ["x-level"], add = { "link" = "</help>" } } }
"#;

fn answer() -> Script {
    Script::new().head_with(&[("etag", "\"1\""), ("link", "</own>")]).message(wire(&item("n"))).ok()
}

#[tokio::test]
async fn levels_have_their_say_from_the_farthest_to_the_nearest() {
    let (upstream, gateway) = scripted(EDITS, |_| answer()).await;
    let near = gateway.get("/v1/items/1").fetch().await;
    assert_eq!((near.header("strict-transport-security"), near.header("x-level")), ("max-age=63072000", ""));
    assert_eq!(near.header("etag"), "");
    assert_eq!(near.headers.get_all("link").iter().collect::<Vec<_>>(), ["</own>", "</help>"]);
    let far = gateway.get("/v1/items/1/changes").accept("text/event-stream").fetch().await;
    assert_eq!((far.status, far.header("x-level")), (200, "far"));
    let calls = [upstream.call(0).await, upstream.call(1).await];
    let levels = calls.map(|seen| {
        let via: Vec<_> =
            seen.headers.get_all("x-via").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
        (seen.header("x-level").to_owned(), via.join(","))
    });
    assert_eq!(levels, [("near".into(), "transom,twice".into()), ("far".into(), "transom".into())]);
}

#[tokio::test]
async fn every_answer_is_edited_and_no_client_gets_past() {
    let (upstream, gateway) = scripted(EDITS, |_| answer()).await;
    let hsts = "strict-transport-security";
    for (method, target, status) in [
        ("GET", "/nowhere", 404),
        ("PATCH", "/v1/items/1/changes", 405),
        ("OPTIONS", "/v1/items/1", 204),
        ("GET", "/v1/items/1?size=x", 400),
        ("GET", "/v1/items/1", 200),
    ] {
        let answer = gateway.request(method, target).fetch().await;
        assert_eq!((answer.status, answer.header(hsts).is_empty()), (status, false), "{method} {target}");
    }
    let native = gateway.grpc(shop::GET, &[wire(&item("a"))]);
    let native =
        native.header("x-spy", "1").header("x_spy", "2").header("x-via", "me").header("x_level", "me");
    let native = native.header("x-other", "stays").fetch().await;
    assert!(native.grpc().is_ok());
    assert_eq!((native.header(hsts), native.header("etag")), ("max-age=63072000", ""));
    let seen = upstream.call(1).await;
    assert_eq!((seen.header("x-spy"), seen.header("x_spy"), seen.header("x_level")), ("", "", ""));
    assert_eq!(
        (seen.header("x-via"), seen.header("x-level"), seen.header("x-other")),
        ("transom", "near", "stays")
    );
    let socket = open(gateway.public, Version::HTTP_11, "/v1/items/1", &[]).await.rest().await;
    assert_eq!(socket.1, 1000);
    assert_eq!(upstream.call(2).await.header("x-level"), "near");
}

#[tokio::test]
async fn what_one_route_sets_no_client_sends_on_another() {
    let more = "[[policies]]\nselector = \"shop.v1.Shop.Get\"\nheaders = { request = { set = { \"x-inside\" = \"yes\" } } }";
    let (upstream, gateway) = scripted(more, |_| Script::unary(wire(&item("n")))).await;
    for path in [shop::GET, "/shop.v1.Shop/Sell"] {
        let call =
            gateway.grpc(path, &[wire(&item("a"))]).header("x-inside", "forged").header("x_inside", "forged");
        assert!(call.fetch().await.grpc().is_ok());
    }
    assert_eq!(
        (upstream.call(0).await.header("x-inside"), upstream.call(1).await.header("x-inside")),
        ("yes", "")
    );
    assert_eq!(upstream.call(1).await.header("x_inside"), "");
}

#[tokio::test]
async fn secrets_stand_elsewhere_are_never_shown_and_change_with_their_file() {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let more = r#"headers = { request = { set = { "authorization" = "file:token" } }, response = { set = { "x-key" = "file:key" } } }"#;
    let site = shop::site(&upstream, more).file("token", "Bearer one\n").file("key", "s3cret\n");
    let explained = site.run(&["explain", "GET", "/v1/items/1"]).await;
    assert!(explained.stdout.contains("headers.request") && explained.stdout.contains("token"));
    assert!(!explained.stdout.contains("Bearer one") && !explained.stdout.contains("s3cret"));
    let gateway = site.serve().await;
    let answer = gateway.get("/v1/items/1").header("authorization", "Bearer client").fetch().await;
    assert_eq!(answer.header("x-key"), "s3cret");
    assert_eq!(upstream.call(0).await.header("authorization"), "Bearer one");
    gateway.site.write("token", "Bearer two\n");
    gateway.admin("POST", "/reload").fetch().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    assert_eq!(upstream.call(1).await.header("authorization"), "Bearer two");
    assert!(!gateway.log.so_far().concat().contains("Bearer"));
}

#[tokio::test]
async fn claims_of_a_token_go_both_ways_and_no_client_writes_them() {
    let issuer = Issuer::start().await;
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let edits = r#"headers = { request = { set = { "x-tenant" = "claim:/tenant/id", "x-roles" = "claim:/roles" }, add = { "x-seen" = "claim:/sub" } }, response = { set = { "x-tenant" = "claim:/tenant/id" } } }"#;
    let site = Site::new(&config(&upstream, &(issuer.config("") + edits))).file("shop.proto", shop::PROTO);
    let gateway = site.serve().await;
    let full = issuer.token_with(&json!({ "tenant": { "id": "t-1" }, "roles": ["a", "b"] }));
    // A claim that would end a header and begin another is left out, and what a client wrote goes with it.
    let empty = issuer.token_with(&json!({ "tenant": { "id": "t\r\nx-admin: 1" }, "roles": 1.5 }));
    let forged = [("x-tenant", "forged"), ("x_tenant", "forged"), ("x-roles", "root"), ("x-seen", "root")];
    for (token, tenant, roles) in [(full, "t-1", "a,b"), (empty, "", "1.5")] {
        let with = |request: crate::support::client::Request| {
            let request = request.header("authorization", &format!("Bearer {token}"));
            forged.iter().fold(request, |request, (name, value)| request.header(name, value))
        };
        let events = gateway.get("/v1/items/1/changes").accept("text/event-stream");
        let native = gateway.grpc(shop::GET, &[wire(&item("a"))]);
        for request in [gateway.get("/v1/items/1"), events, native] {
            let calls = upstream.calls().len();
            let answer = with(request).fetch().await;
            assert_eq!((answer.status, answer.header("x-tenant")), (200, tenant));
            let seen = upstream.call(calls).await;
            let told = ["x-tenant", "x_tenant", "x-roles", "x-seen"].map(|name| seen.header(name).to_owned());
            assert_eq!(told, [tenant, "", roles, "ada"]);
            assert_eq!(seen.header("x-admin"), "");
        }
    }
    let refused = gateway.get("/v1/items/1").fetch().await;
    assert_eq!((refused.status, refused.header("x-tenant")), (401, ""));
}

/// What an answer says of the route, on `Create`, `Delete` and `Get`.
async fn saying() -> (Upstream, Gateway) {
    let more = r#"
[defaults]
success = { empty = "no_content" }

[[policies]]
selector = "shop.v1.Shop.Create"
success = { status = 201, location = "/v1/{name}?of={price}" }

[[policies]]
selector = "shop.v1.Shop.Watch"
success = { status = 202 }
"#;
    scripted(more, |seen| match seen.path.as_str() {
        "/shop.v1.Shop/Delete" => Script::unary(Vec::new()),
        "/shop.v1.Shop/Create" => {
            let name = seen.header("user-agent");
            Script::unary(wire(&shop::Item {
                price: 7,
                ..item(if name == "none" { "" } else { "items/a b?\u{e4}" })
            }))
        }
        _ => Script::unary(wire(&item("n"))),
    })
    .await
}

#[tokio::test]
async fn what_was_made_says_where_it_is() {
    let (_upstream, gateway) = saying().await;
    let made = gateway.post("/v1/items", "{}").fetch().await;
    assert_eq!((made.status, made.header("location")), (201, "/v1/items/a%20b%3F%C3%A4?of=7"));
    assert_eq!(made.json()["name"], "items/a b?\u{e4}");
    // Without the field there is no place to name.
    let nameless = gateway.post("/v1/items", "{}").header("user-agent", "none").fetch().await;
    assert_eq!((nameless.status, nameless.headers.contains_key("location")), (201, false));
    let native = gateway.grpc("/shop.v1.Shop/Create", &[Vec::new()]).fetch().await;
    assert!(native.grpc().is_ok());
    assert_eq!((native.status, native.headers.contains_key("location")), (200, false));
    assert_eq!(gateway.post("/v1/items", "[").fetch().await.status, 400, "failures keep their status");
}

#[tokio::test]
async fn nothing_is_said_of_nothing() {
    let (_upstream, gateway) = saying().await;
    for request in [gateway.request("DELETE", "/v1/items/1"), gateway.post("/shop.v1.Shop/Delete", "{}")] {
        let gone = request.fetch().await;
        assert_eq!((gone.status, gone.body.len(), gone.complete), (204, 0, true));
        assert!(!gone.headers.contains_key("content-type") && !gone.headers.contains_key("content-length"));
    }
    let events = gateway.get("/v1/items/1/changes").accept("text/event-stream").fetch().await;
    assert_eq!(events.status, 200, "a stream is always 200");
    assert_eq!(gateway.get("/v1/items/1").fetch().await.status, 200);
}

#[tokio::test]
async fn a_location_of_fields_that_are_not_there_is_an_error() {
    let upstream = Upstream::start(|_| Script::unary(Vec::new())).await;
    for (template, wrong) in
        [("/v1/{nome}", "shop.v1.Item has no field \"nome\""), ("/v1/{tags}", "\"tags\" is repeated")]
    {
        let more = format!(
            "[[policies]]\nselector = \"shop.v1.Shop.Create\"\nsuccess = {{ location = \"{template}\" }}"
        );
        let site = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO);
        let ran = site.run(&["check"]).await;
        let said = ran.stdout + &ran.stderr;
        assert!(ran.code != Some(0) && said.contains(wrong) && said.contains("gateway.toml:8:"), "{said}");
    }
}
