//! Headers that become metadata and metadata that become headers, over each front.

use std::time::Duration;

use http::Version;
use tokio::time::timeout;

use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{self, item, scripted, wire};
use crate::support::site::Site;
use crate::support::upstream::{PATIENCE, Seen, Upstream};
use crate::support::websocket;

const LISTED: &str = "metadata = { request = [\"x-tenant\", \"key-bin\"], response = [\"x-next\", \"x-cost\", \"key-bin\"], \
     set = { \"x-via\" = \"transom\" } }";

const HEAD: [(&str, &str); 3] = [("x-next", "7"), ("x-internal", "1"), ("key-bin", "AAE")];

/// A message, with metadata before and behind it.
fn talkative() -> Script {
    let trailers = [("grpc-status", "0"), ("x-cost", "3"), ("x-internal", "2")];
    Script::new().step(Step::Request).head_with(&HEAD).message(wire(&item("n"))).trailers(&trailers)
}

async fn gateway(more: &str, script: Script) -> (Upstream, Gateway) {
    scripted(more, move |_| script.clone()).await
}

/// What no client may send, beside what it may.
const SENT: [(&str, &str); 11] = [
    ("x-tenant", "a"),
    ("key-bin", "AAE="),
    ("x-via", "forged"),
    ("x_via", "forged"),
    ("x-secret", "mine"),
    ("connection", "x-secret"),
    ("te", "trailers"),
    ("keep-alive", "1"),
    ("proxy-authorization", "Basic x"),
    ("grpc-previous-rpc-attempts", "9"),
    ("traceparent", "00-1-2-3"),
];

fn with_all(request: Request) -> Request {
    SENT.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// The names that matter, as the upstream got them.
fn told(seen: &Seen) -> Vec<(&str, &str)> {
    let names = [
        "x-tenant",
        "key-bin",
        "x-via",
        "x_via",
        "x-secret",
        "keep-alive",
        "proxy-authorization",
        "grpc-previous-rpc-attempts",
        "traceparent",
        "connection",
    ];
    names.into_iter().map(|name| (name, seen.header(name))).filter(|(_, value)| !value.is_empty()).collect()
}

const TOLD: [(&str, &str); 4] =
    [("x-tenant", "a"), ("key-bin", "AAE"), ("x-via", "transom"), ("traceparent", "00-1-2-3")];

#[tokio::test]
async fn every_front_passes_what_is_listed_and_nothing_forged() {
    let (upstream, gateway) = gateway(LISTED, talkative()).await;
    with_all(gateway.get("/v1/items/1")).fetch().await.ok();
    with_all(gateway.get("/v1/items/1/changes").accept("text/event-stream")).fetch().await;
    with_all(gateway.get("/v1/items/1/changes").accept("application/x-ndjson")).fetch().await;
    let headers: Vec<_> = SENT.iter().filter(|(name, _)| *name != "connection").copied().collect();
    for (index, name) in ["x-secret", "none"].into_iter().enumerate() {
        // HTTP/1.1 needs `Connection: upgrade`, HTTP/2 has none.
        let headers: Vec<_> =
            headers.iter().filter(|(sent, _)| *sent != name || index > 0).copied().collect();
        let version = if index == 0 { Version::HTTP_11 } else { Version::HTTP_2 };
        let headers: Vec<_> = headers.into_iter().filter(|(sent, _)| *sent != "keep-alive").collect();
        websocket::open(gateway.public, version, "/v1/items/1/changes", &headers).await.rest().await;
    }
    for call in 0..5 {
        let seen = upstream.call(call).await;
        assert_eq!(told(&seen), TOLD, "call {call}");
    }
    // A gRPC client's own metadata pass; not what the gateway writes, nor what belongs to the transport.
    let sent = SENT.iter().filter(|(name, _)| !["connection", "keep-alive", "te"].contains(name));
    let request = sent.fold(gateway.grpc(shop::GET, &[wire(&item("a"))]), |request, (name, value)| {
        request.header(name, value)
    });
    request.fetch().await.grpc().unwrap();
    let seen = upstream.call(5).await;
    assert_eq!(told(&seen), [&TOLD[..3], &[("x-secret", "mine"), TOLD[3]]].concat());
}

#[tokio::test]
async fn answers_bring_what_is_listed() {
    let (_upstream, gateway) = gateway(LISTED, talkative()).await;
    let rest = gateway.get("/v1/items/1").fetch().await;
    let shown = |name: &str| rest.header(name).to_owned();
    assert_eq!(
        [shown("x-next"), shown("x-cost"), shown("key-bin"), shown("x-internal")],
        ["7", "3", "AAE=", ""]
    );

    for (media, http2) in
        [("text/event-stream", false), ("application/x-ndjson", true), ("application/json", false)]
    {
        let request = gateway.get("/v1/items/1/changes").accept(media).header("te", "trailers");
        let stream = if http2 { request.http2() } else { request }.fetch().await;
        assert_eq!((stream.header("x-next"), stream.header("x-internal")), ("7", ""), "{media}");
        let trailers = stream.trailers.as_ref().unwrap();
        assert_eq!((trailers.len(), &trailers["x-cost"]), (1, &"3".parse().unwrap()), "{media}");
    }
    // Who does not say that it takes trailers gets none over HTTP/1.1, and still a whole body.
    let stream = gateway.get("/v1/items/1/changes").accept("application/json").fetch().await;
    assert!(stream.complete && stream.trailers.is_none());

    let protocol = [("sec-websocket-protocol", "transom.json")];
    let mut socket =
        websocket::open(gateway.public, Version::HTTP_11, "/v1/items/1/changes", &protocol).await;
    let (texts, code) = socket.rest().await;
    assert_eq!(code, 1000);
    assert_eq!(texts[0], "{\"headers\":{\"key-bin\":\"AAE=\",\"x-next\":\"7\"}}");
    assert_eq!(texts[texts.len() - 2..], ["{\"trailers\":{\"x-cost\":\"3\"}}", "{\"status\":{\"code\":0}}"]);

    let grpc = gateway.grpc(shop::GET, &[wire(&item("a"))]).fetch().await;
    assert_eq!((grpc.header("x-internal"), grpc.header("key-bin")), ("1", "AAE"));
    assert_eq!(grpc.grpc().unwrap().get("x-internal").unwrap(), "2");
}

#[tokio::test]
async fn errors_bring_what_is_listed() {
    let trailers = [("grpc-status", "9"), ("x-cost", "3"), ("x-internal", "2"), ("retry-after", "4")];
    for script in [Script::new().trailers(&trailers), Script::new().head_with(&HEAD).trailers(&trailers)] {
        let (_upstream, gateway) = gateway(LISTED, script).await;
        for target in ["/v1/items/1", "/v1/items/1/changes"] {
            let error = gateway.get(target).fetch().await;
            assert_eq!(error.status, 400);
            assert_eq!(
                (error.header("x-cost"), error.header("retry-after"), error.header("x-internal")),
                ("3", "4", "")
            );
        }
    }
}

#[tokio::test]
async fn too_much_and_what_is_no_base64_is_refused_cleanly() {
    let (upstream, gateway) = gateway(LISTED, talkative()).await;
    let large = "v".repeat(17 * 1024);
    let cases = [("x-tenant", &*large, 431, 8), ("key-bin", "!", 400, 3)];
    for (name, value, status, code) in cases {
        let rest = gateway.get("/v1/items/1").header(name, value).fetch().await;
        assert_eq!((rest.status, rest.refusal().1), (status, code), "{name}");
        let refused =
            websocket::connect(gateway.public, Version::HTTP_11, "/v1/items/1/changes", &[(name, value)])
                .await;
        assert_eq!(refused.err().map(|status| status.as_u16()), Some(status), "{name}");
        let grpc = gateway.grpc(shop::GET, &[wire(&item("a"))]).header(name, value).fetch().await;
        assert_eq!(grpc.grpc().unwrap_err().code.number(), i32::try_from(code).unwrap(), "{name}");
    }
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn grpc_gateways_names_hold_where_they_are_asked_for() {
    let (upstream, gateway) = gateway("metadata = { profile = \"grpc-gateway\" }", talkative()).await;
    let request = gateway.get("/v1/items/1").header("Grpc-Metadata-X-User", "ada").header("if-match", "e");
    let answer = request.header("Grpc-Metadata-Te", "x").header("authorization", "Basic a").fetch().await;
    assert_eq!((answer.header("grpc-metadata-x-next"), answer.header("grpc-metadata-x-cost")), ("7", "3"));
    let seen = upstream.call(0).await;
    let told = [
        "x-user",
        "grpcgateway-if-match",
        "authorization",
        "grpcgateway-authorization",
        "x-forwarded-for",
        "te",
    ];
    assert_eq!(
        told.map(|name| seen.header(name)),
        ["ada", "e", "Basic a", "Basic a", "127.0.0.1", "trailers"]
    );
}

#[tokio::test]
async fn secrets_are_read_anew_and_shown_nowhere() {
    let upstream = Upstream::start(|_| talkative()).await;
    let set = "metadata = { set = { authorization = \"file:token\", \"x-key\" = \"env:TRANSOM_TEST_KEY\" } }";
    let site = shop::site(&upstream, set).file("token", "Bearer s3cret\n");
    let missing = site.run(&["check"]).await;
    let told = missing.stdout + &missing.stderr;
    assert!(told.contains("TRANSOM_TEST_KEY") && missing.code == Some(1), "{told}");
    let site = shop::site(&upstream, &set.replace("env:TRANSOM_TEST_KEY", "file:key"))
        .file("token", "Bearer s3cret\n")
        .file("key", "k3y");
    let explained = site.run(&["explain", "GET", "/v1/items/1"]).await.stdout;
    assert!(explained.contains("file:") && !explained.contains("s3cret") && !explained.contains("k3y"));
    let gateway = site.serve().await;
    gateway.get("/v1/items/1").header("authorization", "mine").fetch().await.ok();
    let seen = upstream.call(0).await;
    assert_eq!((seen.header("authorization"), seen.header("x-key")), ("Bearer s3cret", "k3y"));
    gateway.site.write("token", "Bearer n3w");
    gateway.admin("POST", "/reload").fetch().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    assert_eq!(upstream.call(1).await.header("authorization"), "Bearer n3w");
    let log = gateway.log.so_far().join("\n");
    assert!(!log.contains("s3cret") && !log.contains("n3w") && !log.contains("k3y"), "{log}");
}

#[tokio::test]
async fn what_is_set_for_one_method_is_taken_from_the_clients_of_all() {
    let more = "[[policies]]\nselector = \"shop.v1.Shop.Watch\"\n\
        metadata = { set = { \"x-role\" = \"watcher\", \"user-agent\" = \"ours\" } }";
    let (upstream, gateway) = gateway(more, talkative()).await;
    for (call, path, role, agent) in [(0, shop::GET, "", "mine"), (1, shop::WATCH, "watcher", "ours")] {
        let request =
            gateway.grpc(path, &[wire(&item("a"))]).header("x-role", "root").header("x_role", "root");
        request.header("user-agent", "mine").fetch().await.grpc().unwrap();
        let seen = upstream.call(call).await;
        let told = ["x-role", "x_role", "user-agent"].map(|name| seen.header(name));
        assert_eq!(told, [role, "", agent], "{path}");
    }
}

#[tokio::test]
async fn questions_of_the_gateways_own_carry_what_the_upstream_is_given() {
    const HEALTH: &str = "/grpc.health.v1.Health/Watch";
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        HEALTH => Script::new().head().message(vec![8, 1]).stall(),
        shop::GET => talkative(),
        _ => Script::new().trailers(&[("grpc-status", "12")]),
    })
    .await;
    let more = "health = { service = \"\" }\n\
        metadata = { set = { authorization = \"file:token\", \"x-via\" = \"transom\" } }";
    let site = shop::site(&upstream, more).file("token", "Bearer s3cret");
    let gateway = site.serve().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    let told = |path: &str| {
        let calls = upstream.calls();
        let calls = calls.iter().filter(|seen| seen.path.starts_with(path));
        calls
            .map(|seen| [seen.header("authorization").to_owned(), seen.header("x-via").to_owned()])
            .collect::<Vec<_>>()
    };
    // Each worker asks, in its own time.
    let both = async {
        while told(HEALTH).len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, both).await.expect("both workers ask");
    assert_eq!(told(HEALTH), vec![["Bearer s3cret", "transom"]; 2]);

    let config = shop::config(&upstream, more).replace("protos = [\"shop.proto\"]", "reflection = \"shop\"");
    let ran = Site::new(&config).file("token", "Bearer s3cret").run(&["check"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(told("/grpc.reflection.v1."), [["Bearer s3cret", "transom"]], "{ran:?}");
    assert_eq!(told("/grpc.reflection.v1alpha."), [["Bearer s3cret", "transom"]], "{ran:?}");

    // A secret that is missing is told beside what comes of it.
    let ran = Site::new(&config).run(&["check"]).await;
    let told = ran.stdout + &ran.stderr;
    assert!(told.contains("token") && told.contains("does not tell its schema"), "{told}");
}
