//! Clients that break the protocol, leave, or do not read; and the end of the process.

use super::{TALK, VERSIONS, socket};
use crate::support::script::{Script, Step};
use crate::support::shop::{self, behind, item, scripted, wire};
use crate::support::websocket::{BINARY, PING, PONG, TEXT, frame, open};

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
async fn frames_have_a_limit_of_their_own() {
    let more = "websocket = { frame = \"1KiB\", message = \"3KiB\" }";
    let (_upstream, gateway) = scripted(more, |_| Script::echo()).await;
    let part = [b' '; 1024];
    let mut whole = socket(&gateway, TALK).await;
    whole.raw(&[frame(TEXT, &part), frame(0, &part), frame(0x80, b"{}")].concat()).await;
    assert_eq!(whole.next_text().await, "{}");
    for bytes in [
        frame(0x80 | TEXT, &[b' '; 1025]),
        [frame(TEXT, &part), frame(0, &part), frame(0, &part), frame(0x80, b"{")].concat(),
    ] {
        let mut socket = socket(&gateway, TALK).await;
        socket.raw(&bytes).await;
        assert_eq!(socket.rest().await.1, 1009);
    }
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
async fn large_messages_come_in_pieces() {
    let title = "é".repeat(100_000);
    let sent = shop::Item { title: title.clone(), ..item("a") };
    let (_upstream, gateway) = behind(Script::unary(wire(&sent))).await;
    for version in VERSIONS {
        let mut socket = open(gateway.public, version, "/v1/items/1", &[]).await;
        let (first, piece) = socket.frame().await;
        assert_eq!((first, piece.len()), (TEXT, 16 * 1024), "{version:?}");
        let mut socket = open(gateway.public, version, "/v1/items/1", &[]).await;
        assert_eq!(socket.rest().await, (vec![format!(r#"{{"name":"a","title":"{title}"}}"#)], 1000));
    }
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
            (line["code"].as_str(), line["messages_out"].as_u64(), line["end"].as_str()),
            (Some("CANCELLED"), Some(1), Some("client_gone")),
            "{line}"
        );
        // A masked frame of two bytes, and a frame of the answer.
        assert_eq!((line["bytes_in"].as_u64(), line["bytes_out"].as_u64()), (Some(8), Some(14)), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_upstream_takes_nothing_is_missed() {
    for version in VERSIONS {
        let (upstream, gateway) = behind(Script::new().head().step(Step::Stall)).await;
        let mut socket = open(gateway.public, version, TALK, &[]).await;
        socket.text("{}").await;
        upstream.call(0).await;
        upstream.freeze();
        // More than all windows and buffers on the way hold, so that the last is not read.
        let message = format!(r#"{{"title":"{}"}}"#, "x".repeat(200_000));
        let bytes = frame(0x80 | TEXT, message.as_bytes());
        let sending = async {
            for _ in 0..500 {
                socket.raw(&bytes).await;
            }
        };
        let sent = tokio::time::timeout(std::time::Duration::from_secs(2), sending).await;
        assert!(sent.is_err(), "{version:?}: the gateway took 100 MB that nobody reads");
        socket.vanish();
        let line = gateway.access.find(|line| line["protocol"] == "websocket").await;
        assert_eq!(
            (line["code"].as_str(), line["end"].as_str()),
            (Some("CANCELLED"), Some("client_gone")),
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
async fn a_unary_call_may_end_in_the_drain() {
    let slow = Script::new().step(Step::Request).sleep(std::time::Duration::from_secs(1));
    let (upstream, mut gateway) = behind(slow.head().message(wire(&item("n"))).ok()).await;
    let mut called = socket(&gateway, "/v1/items/1").await;
    let mut idle = socket(&gateway, "/v1/items/1:sell?method=POST").await;
    upstream.call(0).await;
    gateway.signal("TERM").await;
    assert_eq!(idle.closed().await.0, 1012);
    assert_eq!(called.rest().await, (vec![r#"{"name":"n"}"#.into()], 1000));
    drop((idle, called));
    assert!(gateway.ended().await.success());
}
