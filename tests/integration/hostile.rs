//! What nobody means well by: each ends in a clean error, or in the right answer, and in bounded memory.
//!
//! A body has at most 4 MiB here, as by default; whatever it says, the gateway needs a small multiple of it.

use crate::support::client::Answer;
use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::site::Site;
use crate::support::upstream::{Seen, Upstream};

const PROTO: &str = include_str!("hostile.proto");
const MIB: usize = 1 << 20;

/// How much more memory than before the hostile inputs of one test may take: 16 times the longest body.
const ROOM: usize = 16 * 4 * MIB;

async fn serve(more: &str, scripts: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::start(scripts).await;
    let config = format!(
        "[[schema]]\nprotos = [\"hostile.proto\"]\n[upstreams.u]\nendpoints = [\"{}\"]\n{more}",
        upstream.url()
    );
    let gateway = Site::new(&config).file("hostile.proto", PROTO).serve().await;
    (upstream, gateway)
}

async fn send(gateway: &Gateway, body: impl Into<Vec<u8>>) -> Answer {
    let request = gateway.request("POST", "/v1/echo").header("content-type", "application/json");
    request.body(body.into()).fetch().await
}

fn short(text: &str) -> &str {
    text.get(..300).unwrap_or(text)
}

/// Sends bodies and compares the statuses of their answers; none is a surprise, and all are small or right.
async fn all(gateway: &Gateway, cases: Vec<(&str, Vec<u8>, u16)>) {
    send(gateway, "{}").await.ok();
    let before = gateway.peak_memory();
    for (name, body, status) in cases {
        let answer = send(gateway, body).await;
        assert_eq!(answer.status, status, "{name}: {}", short(answer.text()));
        if status == 400 {
            assert!(answer.body.len() < 2000, "{name}: {}", short(answer.text()));
            assert_eq!(answer.json()["code"], 3, "{name}: {}", short(answer.text()));
        }
    }
    let taken = gateway.peak_memory() - before;
    assert!(taken < ROOM, "{taken} bytes");
}

fn nested(levels: usize, open: &str, core: &str, close: &str) -> Vec<u8> {
    [&open.repeat(levels), core, &close.repeat(levels)].concat().into_bytes()
}

fn wrap(before: &str, core: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), core, after.as_bytes()].concat()
}

fn keys(count: usize, last: &str) -> Vec<u8> {
    let keys = (0..count).map(|n| format!("\"k{n}\":\"\""));
    let keys = keys.chain((!last.is_empty()).then(|| last.to_owned())).collect::<Vec<_>>();
    format!("{{{}}}", keys.join(",")).into_bytes()
}

#[tokio::test]
async fn c18_depth_is_limited_wherever_it_is() {
    let (_upstream, gateway) = serve("", |_| Script::unary("")).await;
    let deep = |levels| nested(levels, "[", "", "]");
    let cases = vec![
        ("objects as deep as allowed", nested(63, "{\"child\":", "{}", "}"), 200),
        ("objects one deeper", nested(64, "{\"child\":", "{}", "}"), 400),
        ("objects", nested(10_000, "{\"child\":", "{}", "}"), 400),
        ("objects without end", "{\"child\":".repeat(400_000).into_bytes(), 400),
        ("lists in a Value as deep as allowed", wrap("{\"value\":", &deep(63), "}"), 200),
        ("lists in a Value one deeper", wrap("{\"value\":", &deep(64), "}"), 400),
        ("lists in a Value", wrap("{\"value\":", &deep(1_000_000), "}"), 400),
        ("lists without end", wrap("{\"value\":", "[".repeat(4_000_000).as_bytes(), ""), 400),
        ("a Struct", wrap("{\"structure\":", &nested(10_000, "{\"a\":", "1", "}"), "}"), 400),
        ("an unknown field", wrap("{\"nope\":", &deep(10_000), "}"), 400),
        (
            "an Any",
            wrap("{\"any\":", &nested(10_000, "{\"@type\":\"x/hostile.Anything\",\"any\":", "{}", "}"), "}"),
            400,
        ),
        (
            "an Any whose type comes late",
            wrap("{\"any\":{\"value\":", &deep(10_000), ",\"@type\":\"x/hostile.Anything\"}}"),
            400,
        ),
    ];
    all(&gateway, cases).await;
    let (_upstream, gateway) = serve("json = { unknown_fields = \"ignore\" }", |_| Script::unary("")).await;
    let unknown = vec![
        ("an unknown field that is ignored", wrap("{\"nope\":", &deep(63), "}"), 200),
        ("an unknown field that is too deep to be", wrap("{\"nope\":", &deep(10_000), "}"), 400),
    ];
    all(&gateway, unknown).await;
}

#[tokio::test]
async fn c18_floods_of_keys_numbers_and_escapes_cost_their_length() {
    let (upstream, gateway) = serve("", |_| Script::unary("")).await;
    let many = 250_000;
    let text = |core: String| format!("{{\"text\":\"{core}\"}}").into_bytes();
    let number = |core: String| format!("{{\"number\":{core}}}").into_bytes();
    let cases = vec![
        ("unknown keys", keys(many, ""), 400),
        ("keys of a map", wrap("{\"labels\":", &keys(many, ""), "}"), 200),
        ("the same key of a map again", wrap("{\"labels\":", &keys(many, "\"k7\":\"\""), "}"), 400),
        ("keys of a Struct", wrap("{\"structure\":", &keys(many, ""), "}"), 200),
        ("the same key of a Struct again", wrap("{\"structure\":", &keys(many, "\"k7\":1"), "}"), 400),
        (
            "one key many times",
            format!("{{{}\"text\":\"\"}}", "\"text\":\"\",".repeat(300_000)).into_bytes(),
            400,
        ),
        ("a long key", format!("{{\"{}\":1}}", "k".repeat(MIB)).into_bytes(), 400),
        ("digits for an integer", format!("{{\"whole\":{}}}", "1".repeat(MIB)).into_bytes(), 400),
        ("digits before the point", number("1".repeat(MIB)), 400),
        ("digits behind the point", number(format!("0.{}", "1".repeat(MIB))), 200),
        (
            "zeros and an exponent that undo each other",
            number(format!("0.{}1e{}", "0".repeat(MIB), MIB + 1)),
            200,
        ),
        ("an exponent of a million digits", number(format!("1e{}", "9".repeat(MIB))), 400),
        ("a negative exponent of a million digits", number(format!("1e-{}", "9".repeat(MIB))), 200),
        ("escapes", text("\\u0061".repeat(600_000)), 200),
        ("short escapes", text("\\n".repeat(2_000_000)), 200),
        ("pairs of surrogates", text("\\ud83d\\ude00".repeat(300_000)), 200),
        ("an escape without end", wrap("{\"text\":\"", "\\".repeat(MIB | 1).as_bytes(), "\"}"), 400),
        ("white space", " ".repeat(4 * MIB - 2).into_bytes().into_iter().chain(*b"{}").collect(), 200),
        ("empty elements", wrap("{\"children\":[", "{},".repeat(1_000_000).as_bytes(), "{}]}"), 200),
    ];
    all(&gateway, cases).await;
    let whole = upstream.calls().len();
    assert!(whole > 1, "what was right arrived");
}

#[tokio::test]
async fn c19_text_that_is_none_and_names_given_twice() {
    let (upstream, gateway) = serve("", |_| Script::unary("")).await;
    let cases = vec![
        ("a byte that is no text", b"{\"text\":\"\xff\"}".to_vec(), 400),
        ("a sequence cut short", b"{\"text\":\"\xe2\x82\"}".to_vec(), 400),
        ("an overlong slash", b"{\"text\":\"\xc0\xaf\"}".to_vec(), 400),
        ("an encoded surrogate", b"{\"text\":\"\xed\xa0\x80\"}".to_vec(), 400),
        ("in a key", b"{\"labels\":{\"\xff\":\"\"}}".to_vec(), 400),
        ("in a Value", b"{\"value\":\"\xff\"}".to_vec(), 400),
        ("in an unknown name", b"{\"\xff\":1}".to_vec(), 400),
        ("a control character", b"{\"text\":\"\n\"}".to_vec(), 400),
        ("a lone high surrogate", br#"{"text":"\ud800"}"#.to_vec(), 400),
        ("a lone low surrogate", br#"{"text":"\udc00"}"#.to_vec(), 400),
        ("two high surrogates", br#"{"text":"\ud800\ud800"}"#.to_vec(), 400),
        ("surrogates the wrong way round", br#"{"text":"\udc00\ud800"}"#.to_vec(), 400),
        ("a lone surrogate in a key", br#"{"labels":{"\ud800":""}}"#.to_vec(), 400),
        ("a name twice", br#"{"text":"a","text":"b"}"#.to_vec(), 400),
        ("both names of a field", br#"{"twoWords":"a","two_words":"b"}"#.to_vec(), 400),
        ("a name twice, once escaped", br#"{"text":"a","\u0074ext":"b"}"#.to_vec(), 400),
        ("a key of a map twice, once escaped", br#"{"labels":{"a":"","\u0061":""}}"#.to_vec(), 400),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec(), 400),
        ("two values", b"{}{}".to_vec(), 400),
        ("NUL behind the value", b"{}\0".to_vec(), 400),
    ];
    all(&gateway, cases).await;
    assert_eq!(upstream.calls().len(), 1, "nothing but the first request arrived");
}

/// A varint.
fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

/// A length-delimited field of a number below 16.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(content.len()), content].concat()
}

fn deep(levels: usize) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |content, _| field(6, &content))
}

/// What a client sees of an answer that is none: an error of the gateway's side that says whose fault it is.
async fn refused(script: Script, status: u16, words: &str) {
    let (_upstream, gateway) = serve("", move |_| script.clone()).await;
    let answer = send(&gateway, "{}").await;
    assert_eq!(answer.status, status, "{words}: {}", short(answer.text()));
    assert!(answer.body.len() < 2000 && answer.text().contains(words), "{words}: {}", short(answer.text()));
    assert!(answer.text().contains(r#""origin":"upstream""#), "{words}: {}", short(answer.text()));
    assert!(gateway.peak_memory() < 2 * ROOM, "{words}: {} bytes", gateway.peak_memory());
}

#[tokio::test]
async fn u17_messages_that_lie_about_themselves() {
    let head = || Script::new().head();
    let ends = |script: Script| script.step(crate::support::script::Step::End);
    let frame =
        |flag: u8, length: u32, content: &[u8]| [&[flag][..], &length.to_be_bytes(), content].concat();
    refused(head().data(frame(0, 4 * 1024 * 1024 + 1, &[0; 100])).stall(), 502, "limit").await;
    refused(head().data(frame(0, u32::MAX, &[0; 100])).stall(), 502, "limit").await;
    refused(ends(head().data(frame(0, 100, &[0; 10]))), 502, "").await;
    refused(head().data(frame(0, 100, &[0; 10])).ok(), 502, "").await;
    refused(head().data(frame(0, 1, &[0; 10])).ok(), 502, "").await;
    refused(head().data(frame(2, 0, &[])).ok(), 502, "").await;
    refused(head().data(frame(1, 0, &[])).ok(), 502, "compressed").await;
}

#[tokio::test]
async fn u19_messages_that_cannot_be_shown() {
    let any = |url: &str, value: &[u8]| field(11, &[field(1, url.as_bytes()), field(2, value)].concat());
    for (wire, words) in [
        (vec![0x0a, 200], "cannot be decoded"),
        (vec![0x0a, 1, 0xff], "UTF-8"),
        (vec![0x07], "cannot be decoded"),
        (vec![0x00], "cannot be decoded"),
        (vec![0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "cannot be decoded"),
        (vec![0x0b; 100_000], "cannot be decoded"),
        (deep(64), "deeper than 64 levels"),
        (deep(200), "deeper than 64 levels"),
        (deep(50_000), "deeper than 64 levels"),
        (any("x/nobody.Knows", b"\x08\x01"), "nobody.Knows"),
        (any("x/hostile.Anything", b"\x0a\xff"), "cannot be decoded"),
        (any("", b"\x08\x01"), "no type"),
    ] {
        refused(Script::unary(wire), 502, words).await;
    }
    for (wire, shown) in [
        (deep(63), &*String::from_utf8(nested(63, "{\"child\":", "{}", "}")).unwrap()),
        (vec![0x28, 77], r#"{"color":77}"#),
        (vec![0x28, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], r#"{"color":-1}"#),
        // Fields that nobody knows, of every wire type.
        (
            vec![
                0xf8, 1, 1, 0xf9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xfa, 1, 0, 0xfb, 1, 0xfc, 1, 0xfd, 1, 0, 0, 0,
                0,
            ],
            "{}",
        ),
        (any("x/hostile.Anything", b"\x18\x05"), r#"{"any":{"@type":"x/hostile.Anything","whole":"5"}}"#),
        (field(7, b"").repeat(3), r#"{"children":[{},{},{}]}"#),
    ] {
        let wire = wire.clone();
        let (_upstream, gateway) = serve("", move |_| Script::unary(wire.clone())).await;
        assert_eq!(send(&gateway, "{}").await.text(), shown);
    }
}

#[tokio::test]
async fn u19_a_large_answer_takes_a_small_multiple_of_itself() {
    // Four megabytes of empty messages, of two bytes each, in order and with one out of order.
    let children = field(7, b"").repeat(2_000_000);
    let disorder = [children.clone(), field(1, b"x")].concat();
    for wire in [children, disorder] {
        let wire = prost::bytes::Bytes::from(wire);
        let (_upstream, gateway) = serve("", move |_| Script::unary(wire.clone())).await;
        let answer = send(&gateway, "{}").await;
        assert_eq!(answer.status, 200, "{}", short(answer.text()));
        assert!(gateway.peak_memory() < 2 * ROOM, "{} bytes", gateway.peak_memory());
    }
}
