//! WebSocket: the contract of `docs/protocols.md`, over HTTP/1.1 and HTTP/2, and clients that break it.

use http::Version;

use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{self, GetRequest, behind, item, request, scripted, wire};
use crate::support::upstream::{Ended, Upstream};
use crate::support::websocket::{BINARY, PING, PONG, Socket, TEXT, connect, frame, open};

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
async fn broken_frames_have_their_close_codes() {
    let more = "websocket = { message = \"1KiB\" }";
    let (upstream, gateway) = scripted(more, |_| Script::echo()).await;
    let text = |payload: &[u8]| frame(0x80 | TEXT, payload);
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("no JSON", text(b"{"), 1007),
        ("not UTF-8", text(b"\"\xff\""), 1007),
        ("not UTF-8 across frames", [frame(TEXT, b"\"\xc3"), frame(0x80, b"\x28\"")].concat(), 1007),
        ("JSON that does not fit", text(br#"{"name":5}"#), 4003),
        ("an unknown field", text(br#"{"nope":5}"#), 4003),
        ("too long", text(&[b'x'; 1025]), 1009),
        ("too long in pieces", [frame(TEXT, &[b' '; 1024]), frame(0x80, b" ")].concat(), 1009),
        ("a length beyond everything", [&[0x81, 0xff][..], &[0x7f; 8], &[0; 4]].concat(), 1009),
        ("binary", frame(0x80 | BINARY, b"{}"), 1003),
        ("unmasked", vec![0x81, 2, b'{', b'}'], 1002),
        ("a reserved bit", frame(0xc0 | TEXT, b"{}"), 1002),
        ("a reserved opcode", frame(0x83, b"{}"), 1002),
        ("a reserved control opcode", frame(0x8b, b""), 1002),
        ("a ping in pieces", frame(PING, b""), 1002),
        ("a long ping", frame(0x80 | PING, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a message within a message", [frame(TEXT, b"{"), text(b"{}")].concat(), 1002),
    ];
    for version in VERSIONS {
        for (what, bytes, code) in &cases {
            let mut socket = open(gateway.public, version, TALK, &[]).await;
            socket.raw(bytes).await;
            let (_, closed) = socket.rest().await;
            assert_eq!(closed, *code, "{version:?} {what}");
        }
    }
    assert_eq!(upstream.calls().len(), 0);
}

#[tokio::test]
async fn frames_may_be_cut_anywhere() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    let text = "{\"name\":\"é😀\"}";
    let (first, second) = text.as_bytes().split_at(11);
    let bytes = [frame(TEXT, first), frame(0x80 | PING, b"?"), frame(0x80, second)].concat();
    for cut in 1..bytes.len() {
        let mut socket = socket(&gateway, TALK).await;
        socket.raw(&bytes[..cut]).await;
        tokio::task::yield_now().await;
        socket.raw(&bytes[cut..]).await;
        assert_eq!(socket.next().await, (PONG, b"?".to_vec()), "cut at {cut}");
        assert_eq!(socket.next_text().await, text, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_call() {
    for version in VERSIONS {
        let (upstream, gateway) =
            behind(Script::new().head().message(wire(&item("a"))).step(Step::Stall)).await;
        let mut socket = open(gateway.public, version, TALK, &[]).await;
        socket.text("{}").await;
        assert_eq!(socket.next_text().await, r#"{"name":"a"}"#);
        drop(socket);
        assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
        let line = gateway.access.find(|line| line["protocol"] == "websocket").await;
        assert_eq!(
            (line["code"].as_str(), line["messages_out"].as_u64()),
            (Some("CANCELLED"), Some(1)),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_drain_says_so() {
    let (upstream, mut gateway) = behind(Script::new().head().step(Step::Stall)).await;
    let mut sockets = Vec::new();
    for version in VERSIONS {
        sockets.push(open(gateway.public, version, "/v1/items/1/changes", &[]).await);
    }
    upstream.call(1).await;
    gateway.signal("TERM").await;
    for socket in &mut sockets {
        assert_eq!(socket.closed().await.0, 1012);
        socket.raw(&frame(0x88, &1012_u16.to_be_bytes())).await;
    }
    drop(sockets);
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_closed() {
    let more = "websocket = { idle_ping = \"200ms\" }";
    let (_upstream, gateway) = scripted(more, |_| Script::echo()).await;
    let mut socket = socket(&gateway, TALK).await;
    for _ in 0..3 {
        assert_eq!(socket.next().await.0, PING);
        socket.raw(&frame(0x80 | PONG, b"")).await;
    }
    assert_eq!(socket.next().await.0, PING);
    assert_eq!(socket.closed().await.0, 1008);
}

#[tokio::test]
async fn a_slow_upstream_is_not_outrun() {
    let (upstream, gateway) = behind(Script::new().head().step(Step::Stall)).await;
    let mut socket = socket(&gateway, TALK).await;
    socket.text("{}").await;
    upstream.call(0).await;
    upstream.freeze();
    // Far more than all windows and buffers on the way hold.
    let message = format!(r#"{{"title":"{}"}}"#, "x".repeat(200_000));
    let bytes = frame(0x80 | TEXT, message.as_bytes());
    let sending = async {
        for _ in 0..500 {
            socket.raw(&bytes).await;
        }
    };
    let sent = tokio::time::timeout(std::time::Duration::from_secs(3), sending).await;
    assert!(sent.is_err(), "the gateway took 100 MB that nobody reads");
    assert!(gateway.peak_memory() < 100 << 20, "{}", gateway.peak_memory());
    drop(upstream);
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
