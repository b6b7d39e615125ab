//! WebSocket: the contract of `docs/protocols.md`, over HTTP/1.1 and HTTP/2.

mod frames;
mod hostile;
mod product;

use http::Version;

use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{self, GetRequest, HttpBody, WriteRequest, behind, item, request, scripted, wire};
use crate::support::upstream::{Ended, Upstream};
use crate::support::websocket::{BINARY, Socket, TEXT, connect, frame, open};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];
const TALK: &str = "/shop.v1.Shop/Talk";
const JSON: (&str, &str) = ("sec-websocket-protocol", "transom.json");
const PROTO: (&str, &str) = ("sec-websocket-protocol", "transom.proto");

/// A target, headers of the request, and the status of the answer.
type Refused<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

async fn socket(gateway: &Gateway, target: &str) -> Socket {
    open(gateway.public, Version::HTTP_11, target, &[]).await
}

fn items(names: &[&str]) -> Script {
    names
        .iter()
        .fold(Script::new().step(Step::Request).head(), |script, name| script.message(wire(&item(name))))
        .ok()
}

#[tokio::test]
async fn a_rule_without_body_calls_when_the_socket_opens() {
    let (upstream, gateway) = behind(items(&["a", "b"])).await;
    for (call, version) in VERSIONS.into_iter().enumerate() {
        let call = call * 2;
        let mut socket = open(gateway.public, version, "/v1/items/1/changes?size=3", &[]).await;
        assert_eq!(socket.rest().await, (vec![r#"{"name":"a"}"#.into(), r#"{"name":"b"}"#.into()], 1000));
        let seen = upstream.call(call).await;
        assert_eq!(
            request::<GetRequest>(&seen),
            GetRequest { name: "items/1".into(), size: 3, ..GetRequest::default() }
        );
        let mut socket = open(gateway.public, version, "/v1/items/1/changes", &[JSON]).await;
        assert_eq!(socket.subprotocol.as_deref(), Some("transom.json"));
        let told = [r#"{"message":{"name":"a"}}"#, r#"{"message":{"name":"b"}}"#, r#"{"status":{"code":0}}"#];
        assert_eq!(socket.rest().await, (told.map(String::from).to_vec(), 1000));
    }
}

#[tokio::test]
async fn the_first_frame_is_the_body_and_the_path_wins() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    for (call, version) in VERSIONS.into_iter().enumerate() {
        // A rule of GET matches the path too, and would come first.
        let mut socket = open(gateway.public, version, "/v1/items/1:sell?method=POST", &[]).await;
        assert_eq!(upstream.calls().len(), call);
        socket.text(r#"{"size":7,"name":"forged"}"#).await;
        assert_eq!(socket.rest().await, (vec![r#"{"name":"n"}"#.into()], 1000));
        let sent: GetRequest = request(&*upstream.call(call).await);
        assert_eq!((sent.name.as_str(), sent.size), ("items/1", 7));
    }
    // Without a frame, the bindings are the message.
    let mut socket = socket(&gateway, "/v1/items/2:sell?method=post").await;
    socket.text("").await;
    assert_eq!(socket.rest().await.1, 1000);
    assert_eq!(request::<GetRequest>(&*upstream.call(2).await).name, "items/2");
}

#[tokio::test]
async fn both_sides_stream_at_once() {
    let (upstream, gateway) = behind(Script::echo()).await;
    for (call, version) in VERSIONS.into_iter().enumerate() {
        let mut socket = open(gateway.public, version, TALK, &[]).await;
        for number in 0..50 {
            let text = format!(r#"{{"name":"{number}"}}"#);
            socket.text(&text).await;
            assert_eq!(socket.next_text().await, text);
        }
        socket.text("").await;
        assert_eq!(socket.closed().await, (1000, String::new()));
        let seen = upstream.call(call).await;
        assert_eq!((seen.messages().len(), seen.ended()), (50, Some(Ended::Well)));
    }
}

#[tokio::test]
async fn many_frames_are_one_message_of_a_client_stream_each() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("sum")))).await;
    let mut socket = socket(&gateway, "/v1/items:collect").await;
    for name in ["a", "b", "c"] {
        socket.text(&format!(r#"{{"name":"{name}"}}"#)).await;
    }
    socket.text("").await;
    assert_eq!(socket.rest().await, (vec![r#"{"name":"sum"}"#.into()], 1000));
    let names = ["a", "b", "c"].map(|name| wire(&item(name)));
    assert_eq!(upstream.call(0).await.messages(), names);
}

#[tokio::test]
async fn an_envelope_that_says_nothing_fails_the_call() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    for frame in ["{}", r#"{"name":"a"}"#, r#"{"message":{},"end":{}}"#, "[]"] {
        for first in [true, false] {
            let mut socket = open(gateway.public, Version::HTTP_11, TALK, &[JSON]).await;
            if !first {
                socket.text(r#"{"message":{"name":"a"}}"#).await;
                assert_eq!(socket.next_text().await, r#"{"message":{"name":"a"}}"#);
            }
            socket.text(frame).await;
            let (told, closed) = socket.rest().await;
            assert_eq!((told.len(), closed), (1, 4003), "{frame}: {told:?}");
            assert!(told[0].starts_with(r#"{"status":{"code":3,"#), "{frame}: {told:?}");
        }
    }
}

#[tokio::test]
async fn protobuf_passes_as_it_is() {
    let (upstream, gateway) = behind(Script::echo()).await;
    for version in VERSIONS {
        let mut socket =
            open(gateway.public, version, TALK, &[("sec-websocket-protocol", "x, transom.proto")]).await;
        assert_eq!(socket.subprotocol.as_deref(), Some("transom.proto"));
        for message in [wire(&item("a")), Vec::new()] {
            socket.binary(&message).await;
            assert_eq!(socket.next().await, (BINARY, message));
        }
        socket.text("").await;
        assert_eq!(socket.rest().await, (vec![r#"{"status":{"code":0}}"#.into()], 1000));
    }
    assert_eq!(upstream.calls().len(), 2);
    // Path and query bind behind the message, and so win.
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    let mut socket = open(gateway.public, Version::HTTP_11, "/v1/items/1:sell?method=POST", &[PROTO]).await;
    socket.binary(&wire(&GetRequest { name: "forged".into(), size: 2, ..GetRequest::default() })).await;
    assert_eq!(socket.next().await, (BINARY, wire(&item("n"))));
    let message = upstream.call(0).await.messages()[0].clone();
    let sent = <GetRequest as prost::Message>::decode(message).unwrap();
    assert_eq!((sent.name.as_str(), sent.size), ("items/1", 2));
}

#[tokio::test]
async fn a_failure_is_told_and_then_closes() {
    let long = "é".repeat(100);
    let reason = long.clone();
    let (_upstream, gateway) = scripted("", move |_| {
        Script::new().step(Step::Request).head().message(wire(&item("a"))).trailers(&[
            ("grpc-status", "5"),
            ("grpc-message", &reason.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()),
        ])
    })
    .await;
    for version in VERSIONS {
        let mut socket = open(gateway.public, version, "/v1/items/1/changes", &[]).await;
        assert_eq!(socket.next_text().await, r#"{"name":"a"}"#);
        let status = socket.next_text().await;
        assert!(status.starts_with(r#"{"status":{"code":5,"message":"éé"#), "{status}");
        assert_eq!(socket.closed().await, (4005, "é".repeat(61)));
    }
}

#[tokio::test]
async fn a_stream_without_trailers_is_no_end() {
    for (script, code) in [
        (Script::new().step(Step::Request).head().message(wire(&item("a"))).step(Step::End), 4000..4017),
        (
            Script::new()
                .step(Step::Request)
                .head()
                .message(wire(&item("a")))
                .step(Step::Reset(h2::Reason::INTERNAL_ERROR)),
            4000..4017,
        ),
        (Script::unary(wire(&item("a"))).step(Step::End), 1000..1001),
        (Script::status(7, "no"), 4007..4008),
    ] {
        let (_upstream, gateway) = behind(script).await;
        let (_, closed) = socket(&gateway, "/v1/items/1/changes").await.rest().await;
        assert!(code.contains(&closed), "{closed}");
    }
}

#[tokio::test]
async fn what_fails_before_the_upgrade_is_a_real_answer() {
    let (upstream, gateway) = behind(items(&[])).await;
    let own = format!("http://{}", gateway.public);
    let cases: &[Refused<'_>] = &[
        ("/nowhere", &[], 404),
        ("/v1/items/1/changes?method=DELETE", &[], 405),
        ("/v1/items/1/changes?nope=1", &[], 400),
        ("/v1/items/1/changes?size=x", &[], 400),
        ("/v1/items/1/changes", &[("origin", "https://evil.example")], 403),
        ("/v1/items/1/changes", &[("origin", "null")], 403),
        ("/v1/items/1/changes", &[("origin", &own), ("origin", &own)], 403),
        ("/v1/items/1/changes", &[("sec-websocket-version", "8")], 426),
        ("/v1/items/1?method=DELETE&method=x", &[("sec-websocket-key", "again")], 400),
    ];
    for version in VERSIONS {
        for (target, headers, status) in cases {
            if version == Version::HTTP_2
                && headers.first().is_some_and(|header| header.0 == "sec-websocket-key")
            {
                continue;
            }
            let answer = connect(gateway.public, version, target, headers).await;
            assert_eq!(
                answer.err().map(|status| status.as_u16()),
                Some(*status),
                "{version:?} {target} {headers:?}"
            );
        }
        assert!(connect(gateway.public, version, "/v1/items/1/changes", &[("origin", &own)]).await.is_ok());
    }
    assert!(upstream.calls().iter().all(|seen| seen.path == shop::WATCH));
}

#[tokio::test]
async fn listed_origins_may_connect() {
    let more = "websocket = { origins = [\"https://app.example\"] }";
    let (_upstream, gateway) = scripted(more, |_| items(&[])).await;
    for (origin, admitted) in
        [("https://app.example", true), ("http://app.example", false), ("https://app.example:8443", false)]
    {
        let answer =
            connect(gateway.public, Version::HTTP_11, "/v1/items/1/changes", &[("origin", origin)]).await;
        assert_eq!(answer.is_ok(), admitted, "{origin}");
    }
}

#[tokio::test]
async fn a_token_among_the_subprotocols_reaches_the_upstream() {
    let (upstream, gateway) = behind(items(&[])).await;
    let offer = [("sec-websocket-protocol", "transom.json, Bearer, a.b.c")];
    let socket = open(gateway.public, Version::HTTP_11, "/v1/items/1/changes", &offer).await;
    assert_eq!(socket.subprotocol.as_deref(), Some("transom.json"));
    assert_eq!(upstream.call(0).await.header("authorization"), "Bearer a.b.c");
    let offer = [("sec-websocket-protocol", "Bearer, a.b.c")];
    let socket = open(gateway.public, Version::HTTP_11, "/v1/items/1/changes", &offer).await;
    assert_eq!(socket.subprotocol.as_deref(), Some("Bearer"));
}

#[tokio::test]
async fn a_cookie_is_a_token_for_pages_that_may_connect() {
    let more = "websocket = { cookie = \"session\", origins = [\"https://app.example\"] }";
    let (upstream, gateway) = scripted(more, |_| items(&[])).await;
    let own = format!("http://{}", gateway.public);
    let cookie = ("cookie", "x=1; session=a.b.c");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[cookie, ("origin", &own)], "Bearer a.b.c"),
        (&[cookie, ("origin", "https://app.example")], "Bearer a.b.c"),
        // Whoever sends no origin is no page, and has other ways.
        (&[cookie], ""),
        (&[cookie, ("origin", &own), ("authorization", "Bearer other")], "Bearer other"),
    ];
    for version in VERSIONS {
        for (headers, token) in cases {
            let call = upstream.calls().len();
            let _held = open(gateway.public, version, "/v1/items/1/changes", headers).await;
            let seen = upstream.call(call).await;
            assert_eq!((seen.header("authorization"), seen.header("cookie")), (token, ""), "{headers:?}");
        }
        let foreign = [cookie, ("origin", "https://evil.example")];
        let refused = connect(gateway.public, version, "/v1/items/1/changes", &foreign).await;
        assert_eq!(refused.err().map(|status| status.as_u16()), Some(403));
    }
}

#[tokio::test]
async fn the_query_may_choose_the_method_of_the_rule() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    // GET comes first.
    assert_eq!(socket(&gateway, "/v1/items/1").await.rest().await.1, 1000);
    assert_eq!(upstream.call(0).await.path, shop::GET);
    let mut socket = socket(&gateway, "/v1/items/1?method=PUT").await;
    socket.text(r#"{"dryRun":true}"#).await;
    assert_eq!(socket.rest().await.1, 1000);
    assert_eq!(upstream.call(1).await.path, "/shop.v1.Shop/Replace");
}

#[tokio::test]
async fn listed_metadata_are_a_frame_of_their_own() {
    let script = Script::new().step(Step::Request).head_with(&[("etag", "\"7\""), ("x-secret", "no")]);
    let (_upstream, gateway) = behind(script.message(wire(&item("a"))).ok()).await;
    for version in VERSIONS {
        let mut socket = open(gateway.public, version, "/v1/items/1", &[JSON]).await;
        let told =
            [r#"{"headers":{"etag":"\"7\""}}"#, r#"{"message":{"name":"a"}}"#, r#"{"status":{"code":0}}"#];
        assert_eq!(socket.rest().await, (told.map(String::from).to_vec(), 1000));
        let mut socket = open(gateway.public, version, "/v1/items/1", &[]).await;
        assert_eq!(socket.rest().await, (vec![r#"{"name":"a"}"#.into()], 1000));
    }
}

#[tokio::test]
async fn raw_bodies_are_binary_frames_both_ways() {
    let body = |data: &[u8]| wire(&HttpBody { content_type: "image/png".into(), data: data.into() });
    let script = Script::new().step(Step::Request).head().message(body(b"\0one")).message(body(b"")).ok();
    let (_upstream, gateway) = behind(script).await;
    for (offer, last) in [(&[][..], None), (&[JSON], Some(r#"{"status":{"code":0}}"#))] {
        let mut socket = open(gateway.public, Version::HTTP_11, "/v1/tail/a/b", offer).await;
        assert_eq!(socket.next().await, (BINARY, b"\0one".to_vec()));
        assert_eq!(socket.next().await, (BINARY, Vec::new()));
        assert_eq!(socket.rest().await, (last.map(String::from).into_iter().collect(), 1000));
    }
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    let bytes = (BINARY, "application/octet-stream");
    let sent = [
        (None, bytes, "\0\u{1}", "\0\u{1}"),
        (None, (TEXT, "text/plain; charset=utf-8"), "no JSON", "no JSON"),
        (Some(JSON), bytes, "\0", "\0"),
        (Some(JSON), (TEXT, "application/json"), r#"{"message": {"a": 1}}"#, r#"{"a": 1}"#),
    ];
    for (call, (offer, (opcode, content_type), payload, data)) in sent.into_iter().enumerate() {
        let offer: Vec<_> = offer.into_iter().collect();
        let mut socket = open(gateway.public, Version::HTTP_11, "/v1/files/f?method=PUT", &offer).await;
        socket.raw(&frame(0x80 | opcode, payload.as_bytes())).await;
        assert_eq!(socket.rest().await.1, 1000, "{payload}");
        let content = request::<WriteRequest>(&*upstream.call(call).await).content.unwrap();
        assert_eq!(
            (content.content_type.as_str(), &content.data[..]),
            (content_type, data.as_bytes()),
            "{payload}"
        );
    }
}

#[tokio::test]
async fn a_rule_for_websocket_alone_is_found() {
    // As larking has it: custom: { kind: "websocket" }.
    let route = "\n[[routes]]\nselector = \"shop.v1.Shop.Talk\"\ncustom = { kind = \"websocket\", path = \"/v1/talk/{name}\" }\nbody = \"*\"\n";
    let (upstream, gateway) = scripted(route, |_| Script::echo()).await;
    for version in VERSIONS {
        let mut socket = open(gateway.public, version, "/v1/talk/me", &[]).await;
        socket.text(r#"{"title":"a"}"#).await;
        assert_eq!(socket.next_text().await, r#"{"name":"me","title":"a"}"#);
        socket.text("").await;
        assert_eq!(socket.closed().await.0, 1000);
    }
    assert_eq!(upstream.calls().len(), 2);
}

#[tokio::test]
async fn a_unary_call_takes_one_message() {
    let upstream = Upstream::start(|_| Script::new().head().step(Step::Stall)).await;
    let gateway = shop::site(&upstream, "").serve().await;
    let mut socket = socket(&gateway, "/v1/items/1:sell?method=POST").await;
    socket.text("{}").await;
    upstream.call(0).await;
    socket.text("{}").await;
    let (told, closed) = socket.rest().await;
    assert_eq!((told.len(), closed), (1, 4003), "{told:?}");
    assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
}
