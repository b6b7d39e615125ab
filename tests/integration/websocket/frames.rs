//! RFC 6455 as a table, in the order of Autobahn's cases: what a client may send is understood, and what it
//! may not has a close code.

use super::{TALK, VERSIONS, socket};
use crate::support::script::Script;
use crate::support::shop::{behind, scripted};
use crate::support::websocket::{BINARY, CLOSE, PING, PONG, Socket, TEXT, frame};

/// A frame that others of its message follow, and one that ends a message.
const CONTINUED: u8 = 0;
const LAST: u8 = 0x80;

/// A message that the upstream gives back.
const NAMED: &str = r#"{"name":"a"}"#;

fn text(payload: &str) -> Vec<u8> {
    frame(LAST | TEXT, payload.as_bytes())
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(LAST | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// What is told until the close, messages and answers to pings, and its code; 1005 stands for none (§7.4.1).
async fn told(socket: &mut Socket) -> (Vec<(u8, String)>, u16) {
    let mut told = Vec::new();
    loop {
        match socket.next().await {
            (CLOSE, payload) => {
                return (told, payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)));
            }
            (opcode, payload) => told.push((opcode, String::from_utf8(payload).unwrap())),
        }
    }
}

#[tokio::test]
async fn what_a_client_may_send_is_understood() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    let (start, rest) = NAMED.as_bytes().split_at(5);
    let long = "p".repeat(125);
    let cases: Vec<(&str, Vec<u8>, Vec<(u8, &str)>)> = vec![
        // 1: lengths in their shortest form, and in longer ones, which §5.2 forbids to senders alone.
        ("a message", text(NAMED), vec![(TEXT, NAMED)]),
        (
            "a length of 16 bits",
            [&[0x81, 0xfe, 0, 12, 0, 0, 0, 0], NAMED.as_bytes()].concat(),
            vec![(TEXT, NAMED)],
        ),
        (
            "a length of 64 bits",
            [&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0], NAMED.as_bytes()].concat(),
            vec![(TEXT, NAMED)],
        ),
        // 2: pings, and pongs that nobody has asked for.
        ("an empty ping", frame(LAST | PING, b""), vec![(PONG, "")]),
        ("a full ping", frame(LAST | PING, long.as_bytes()), vec![(PONG, &long)]),
        ("a pong", [frame(LAST | PONG, b"?"), text(NAMED)].concat(), vec![(TEXT, NAMED)]),
        ("ten pings", frame(LAST | PING, b"x").repeat(10), vec![(PONG, "x"); 10]),
        ("more pings than are answered at once", frame(LAST | PING, b"x").repeat(50), vec![(PONG, "x"); 50]),
        // 5: fragments, with control frames between them.
        ("two fragments", [frame(TEXT, start), frame(LAST, rest)].concat(), vec![(TEXT, NAMED)]),
        (
            "empty fragments",
            [frame(TEXT, b""), frame(CONTINUED, NAMED.as_bytes()), frame(CONTINUED, b""), frame(LAST, b"")]
                .concat(),
            vec![(TEXT, NAMED)],
        ),
        (
            "control frames between fragments",
            [
                frame(TEXT, start),
                frame(LAST | PING, b"1"),
                frame(LAST | PONG, b""),
                frame(LAST | PING, b"2"),
                frame(LAST, rest),
            ]
            .concat(),
            vec![(PONG, "1"), (PONG, "2"), (TEXT, NAMED)],
        ),
        // 6: UTF-8, cut within a character too, and what is no character but may stand in a text.
        (
            "a character over three fragments",
            [frame(TEXT, b"{\"name\":\"\xe2"), frame(CONTINUED, b"\x82"), frame(LAST, b"\xac\"}")].concat(),
            vec![(TEXT, "{\"name\":\"\u{20ac}\"}")],
        ),
        (
            "a noncharacter",
            text("{\"name\":\"\u{fffe}\u{10ffff}\"}"),
            vec![(TEXT, "{\"name\":\"\u{fffe}\u{10ffff}\"}")],
        ),
    ];
    for version in VERSIONS {
        for (what, bytes, expected) in &cases {
            let mut socket = crate::support::websocket::open(gateway.public, version, TALK, &[]).await;
            socket.raw(bytes).await;
            for answer in expected {
                let (opcode, payload) = socket.next().await;
                assert_eq!((opcode, std::str::from_utf8(&payload).unwrap()), *answer, "{version:?} {what}");
            }
            socket.raw(&close(1000, b"")).await;
            assert_eq!(told(&mut socket).await, (Vec::new(), 1000), "{version:?} {what}");
        }
    }
}

#[tokio::test]
async fn what_a_client_may_not_send_has_a_close_code() {
    let more = "websocket = { message = \"1KiB\", frame = \"512B\" }";
    let (upstream, gateway) = scripted(more, |_| Script::echo()).await;
    let mut cases: Vec<(String, Vec<u8>, u16)> = Vec::new();
    let mut case = |what: &str, bytes: Vec<u8>, code: u16| cases.push((what.to_owned(), bytes, code));
    // 3 and 4: reserved bits and opcodes.
    for bit in [0x40, 0x20, 0x10, 0x70] {
        for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
            case(
                &format!("reserved bits {bit:#x} on opcode {opcode}"),
                frame(LAST | bit | opcode, b""),
                1002,
            );
        }
        case("reserved bits within a message", [frame(TEXT, b"{"), frame(LAST | bit, b"}")].concat(), 1002);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        case(&format!("opcode {opcode}"), frame(LAST | opcode, b"{}"), 1002);
        case(
            &format!("opcode {opcode} within a message"),
            [frame(TEXT, b"{"), frame(LAST | opcode, b"")].concat(),
            1002,
        );
    }
    // §5.1: a client masks.
    for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
        case(&format!("opcode {opcode} without a mask"), vec![LAST | opcode, 0], 1002);
    }
    // 2 and 5: control frames are short and whole, and messages follow each other.
    for opcode in [PING, PONG, CLOSE] {
        case(&format!("opcode {opcode} of 126 bytes"), frame(LAST | opcode, &[b'x'; 126]), 1002);
        case(&format!("opcode {opcode} in pieces"), frame(opcode, b""), 1002);
    }
    for opcode in [TEXT, BINARY] {
        case("a message within a message", [frame(TEXT, b"{"), frame(LAST | opcode, b"{}")].concat(), 1002);
        case("a fragment of another message", [frame(TEXT, b"{"), frame(opcode, b"{}")].concat(), 1002);
    }
    case("a continuation of nothing", frame(LAST, b"{}"), 1002);
    case("a fragment of nothing", frame(CONTINUED, b"{}"), 1002);
    case(
        "a continuation behind a message",
        [frame(TEXT, b"\""), frame(LAST, b"\xff"), frame(LAST, b"")].concat(),
        1007,
    );
    // 6: UTF-8, found as soon as it is broken.
    for bad in [
        &b"\xff"[..],
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xe2\x28\xa1",
    ] {
        let payload = [b"\"", bad, b"\""].concat();
        case(&format!("text {bad:02x?}"), frame(LAST | TEXT, &payload), 1007);
        case(&format!("text {bad:02x?}, not ended"), frame(TEXT, &payload), 1007);
        let bytes = payload
            .iter()
            .enumerate()
            .map(|(at, byte)| frame(if at == 0 { TEXT } else { CONTINUED }, &[*byte]));
        case(&format!("text {bad:02x?} byte by byte"), bytes.collect::<Vec<_>>().concat(), 1007);
    }
    case("half a character", frame(LAST | TEXT, b"\"\xe2\x82"), 1007);
    case("half a character over fragments", [frame(TEXT, b"\"\xe2"), frame(LAST, b"\x82")].concat(), 1007);
    // 7: closes.
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        case(&format!("close {code}"), close(code, b"?"), 1002);
    }
    case("half a close code", frame(LAST | CLOSE, &[3]), 1002);
    case("a reason that is not UTF-8", close(1000, b"\xce\xba\xff"), 1007);
    // 9: limits of a frame and of a message, which count before anything is kept.
    case("a frame of 513 bytes", frame(LAST | TEXT, &[b' '; 513]), 1009);
    case("a fragment of 513 bytes", frame(TEXT, &[b' '; 513]), 1009);
    case("only the head of a large frame", vec![LAST | TEXT, 0xfe, 0xff, 0xff, 0, 0, 0, 0], 1009);
    case(
        "a message in many frames",
        [frame(TEXT, b" "), frame(CONTINUED, &[b' '; 64]).repeat(16)].concat(),
        1009,
    );
    case("the longest length", [&[LAST | TEXT, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat(), 1009);
    for version in VERSIONS {
        for (what, bytes, code) in &cases {
            let mut socket = crate::support::websocket::open(gateway.public, version, TALK, &[]).await;
            socket.raw(bytes).await;
            assert_eq!(told(&mut socket).await, (Vec::new(), *code), "{version:?} {what}");
        }
    }
    assert_eq!(upstream.calls().len(), 0);
}

#[tokio::test]
async fn a_leave_is_answered_with_what_it_says() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
        for reason in [&b""[..], &[b'x'; 123]] {
            // What comes behind the leave is not looked at.
            let mut socket = socket(&gateway, TALK).await;
            socket.raw(&[close(code, reason), text("{")].concat()).await;
            assert_eq!(told(&mut socket).await, (Vec::new(), code));
        }
    }
    let mut socket = socket(&gateway, TALK).await;
    socket.raw(&[frame(TEXT, b"{"), frame(LAST | CLOSE, b"")].concat()).await;
    assert_eq!(told(&mut socket).await, (Vec::new(), 1005));
}
