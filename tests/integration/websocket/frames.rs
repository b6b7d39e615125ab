//! RFC 6455 as a table, in the order of Autobahn's cases: what a client may send is understood, and what it
//! may not has a close code.

use super::{TALK, VERSIONS, socket};
use crate::support::script::Script;
use crate::support::shop::{behind, scripted};
use crate::support::websocket::{BINARY, CLOSE, PING, PONG, Socket, TEXT, frame, open};

/// A frame that others of its message follow, and one that ends a message.
const NEXT: u8 = 0;
const LAST: u8 = 0x80;

/// The most that a control frame holds (§5.5).
const FULL: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234"
);

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

/// What is sent, its name, and the frames that answer it.
type Understood<'a> = (&'a str, Vec<u8>, Vec<(u8, &'a str)>);

fn understood() -> Vec<Understood<'static>> {
    let (start, rest) = NAMED.as_bytes().split_at(5);
    let named = || vec![(TEXT, NAMED)];
    vec![
        // 1: lengths in their shortest form, and in longer ones, which §5.2 forbids to senders alone.
        ("a message", text(NAMED), named()),
        ("16 bits", [&[0x81, 0xfe, 0, 12, 0, 0, 0, 0], NAMED.as_bytes()].concat(), named()),
        ("64 bits", [&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0], NAMED.as_bytes()].concat(), named()),
        // 2: pings, and pongs that nobody has asked for.
        ("an empty ping", frame(LAST | PING, b""), vec![(PONG, "")]),
        ("a full ping", frame(LAST | PING, FULL.as_bytes()), vec![(PONG, FULL)]),
        ("a pong", [frame(LAST | PONG, b"?"), text(NAMED)].concat(), named()),
        ("ten pings", frame(LAST | PING, b"x").repeat(10), vec![(PONG, "x"); 10]),
        ("more pings than are answered at once", frame(LAST | PING, b"x").repeat(50), vec![(PONG, "x"); 50]),
        // 5: fragments, with control frames between them.
        ("two fragments", [frame(TEXT, start), frame(LAST, rest)].concat(), named()),
        (
            "empty fragments",
            [frame(TEXT, b""), frame(NEXT, NAMED.as_bytes()), frame(NEXT, b""), frame(LAST, b"")].concat(),
            named(),
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
            [frame(TEXT, b"{\"name\":\"\xe2"), frame(NEXT, b"\x82"), frame(LAST, b"\xac\"}")].concat(),
            vec![(TEXT, "{\"name\":\"\u{20ac}\"}")],
        ),
        (
            "a noncharacter",
            text("{\"name\":\"\u{fffe}\u{10ffff}\"}"),
            vec![(TEXT, "{\"name\":\"\u{fffe}\u{10ffff}\"}")],
        ),
    ]
}

#[tokio::test]
async fn what_a_client_may_send_is_understood() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    for version in VERSIONS {
        for (what, bytes, expected) in understood() {
            let mut socket = open(gateway.public, version, TALK, &[]).await;
            socket.raw(&bytes).await;
            for answer in expected {
                let (opcode, payload) = socket.next().await;
                assert_eq!((opcode, std::str::from_utf8(&payload).unwrap()), answer, "{version:?} {what}");
            }
            socket.raw(&close(1000, b"")).await;
            assert_eq!(told(&mut socket).await, (Vec::new(), 1000), "{version:?} {what}");
        }
    }
}

/// What is sent, its name, and the code that it is closed with.
type Forbidden = (String, Vec<u8>, u16);

/// 3, 4 and §5.1: reserved bits and opcodes, and frames without a mask.
fn heads() -> Vec<Forbidden> {
    let mut cases = Vec::new();
    let known = [TEXT, BINARY, PING, PONG, CLOSE];
    for bit in [0x40, 0x20, 0x10, 0x70] {
        for opcode in known {
            cases.push((format!("bits {bit:#x} on opcode {opcode}"), frame(LAST | bit | opcode, b"")));
        }
        cases.push((
            format!("bits {bit:#x} in a message"),
            [frame(TEXT, b"{"), frame(LAST | bit, b"")].concat(),
        ));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        cases.push((format!("opcode {opcode}"), frame(LAST | opcode, b"{}")));
        let within = [frame(TEXT, b"{"), frame(LAST | opcode, b"")].concat();
        cases.push((format!("opcode {opcode} in a message"), within));
    }
    for opcode in known {
        cases.push((format!("opcode {opcode} without a mask"), vec![LAST | opcode, 0]));
    }
    cases.into_iter().map(|(what, bytes)| (what, bytes, 1002)).collect()
}

/// 2, 5 and 7: control frames are short and whole, messages follow each other, and closes say what they may.
fn orders() -> Vec<Forbidden> {
    let mut cases = vec![
        ("a continuation of nothing".to_owned(), frame(LAST, b"{}")),
        ("a fragment of nothing".to_owned(), frame(NEXT, b"{}")),
        ("half a close code".to_owned(), frame(LAST | CLOSE, &[3])),
    ];
    for opcode in [PING, PONG, CLOSE] {
        cases.push((format!("opcode {opcode} of 126 bytes"), frame(LAST | opcode, &[b'x'; 126])));
        cases.push((format!("opcode {opcode} in pieces"), frame(opcode, b"")));
    }
    for opcode in [TEXT, BINARY] {
        for end in [LAST, 0] {
            let within = [frame(TEXT, b"{"), frame(end | opcode, b"{}")].concat();
            cases.push((format!("opcode {opcode} in a message, last {end}"), within));
        }
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        cases.push((format!("close {code}"), close(code, b"?")));
    }
    cases.into_iter().map(|(what, bytes)| (what, bytes, 1002)).collect()
}

/// 6: UTF-8, found as soon as it is broken.
fn texts() -> Vec<Forbidden> {
    let mut cases = vec![
        ("half a character".to_owned(), frame(LAST | TEXT, b"\"\xe2\x82")),
        ("half a character in fragments".to_owned(), [frame(TEXT, b"\xe2"), frame(LAST, b"\x82")].concat()),
        ("a reason".to_owned(), close(1000, b"\xce\xba\xff")),
    ];
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
        cases.push((format!("{bad:02x?}"), frame(LAST | TEXT, &payload)));
        cases.push((format!("{bad:02x?}, not ended"), frame(TEXT, &payload)));
        let opcodes = std::iter::once(TEXT).chain(std::iter::repeat(NEXT));
        let pieces = payload.iter().zip(opcodes).map(|(byte, opcode)| frame(opcode, &[*byte]));
        cases.push((format!("{bad:02x?} byte by byte"), pieces.collect::<Vec<_>>().concat()));
    }
    cases.into_iter().map(|(what, bytes)| (what, bytes, 1007)).collect()
}

/// 9: limits of a frame (512 bytes) and of a message (1024), which count before anything is kept.
fn sizes() -> Vec<Forbidden> {
    let cases = [
        ("a frame of 513 bytes", frame(LAST | TEXT, &[b' '; 513])),
        ("a fragment of 513 bytes", frame(TEXT, &[b' '; 513])),
        ("only the head of a large frame", vec![LAST | TEXT, 0xfe, 0xff, 0xff, 0, 0, 0, 0]),
        ("a message in many frames", [frame(TEXT, b" "), frame(NEXT, &[b' '; 64]).repeat(16)].concat()),
        ("the longest length", [&[LAST | TEXT, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat()),
    ];
    cases.into_iter().map(|(what, bytes)| (what.to_owned(), bytes, 1009)).collect()
}

#[tokio::test]
async fn what_a_client_may_not_send_has_a_close_code() {
    let more = "websocket = { message = \"1KiB\", frame = \"512B\" }";
    let (upstream, gateway) = scripted(more, |_| Script::echo()).await;
    for version in VERSIONS {
        let cases =
            [heads(), orders(), texts(), sizes()].concat().into_iter().map(async |(what, bytes, code)| {
                let mut socket = open(gateway.public, version, TALK, &[]).await;
                socket.raw(&bytes).await;
                assert_eq!(told(&mut socket).await, (Vec::new(), code), "{version:?} {what}");
            });
        futures_util::future::join_all(cases).await;
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
