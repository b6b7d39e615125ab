//! The contract of streams as a product: every way of writing × every kind of call × every fate of it, over
//! HTTP/1.1 and HTTP/2.

use std::time::Duration;

use h2::Reason;
use http::Version;

use crate::support::client::{Answer, Request};
use crate::support::events::{RETRY, settled};
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{self, GetRequest, HttpBody, item, scripted, wire};
use crate::support::upstream::{Seen, Upstream};
use crate::support::websocket;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Sse,
    Ndjson,
    /// An array of many messages; one message alone is no array.
    Json,
    /// `google.api.HttpBody`.
    Raw,
}

use Written::{Json, Ndjson, Raw, Sse};

const WRITTEN: [Written; 4] = [Sse, Ndjson, Json, Raw];

/// The kind of a call; client streams have one message here, as `uploads` has those of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unary,
    Server,
    Client,
    Bidi,
}

use Kind::{Bidi, Client, Server, Unary};

const KINDS: [Kind; 4] = [Unary, Server, Client, Bidi];

impl Kind {
    /// Whether there is one answer.
    fn answers_once(self) -> bool {
        matches!(self, Unary | Client)
    }

    /// The messages of an answer.
    fn names(self) -> &'static [&'static str] {
        if self.answers_once() { &["a"] } else { &["a", "b"] }
    }

    fn of(path: &str) -> Self {
        match path.rsplit('/').next() {
            Some("Get" | "Read") => Unary,
            Some("Watch" | "Tail") => Server,
            Some("Collect") => Client,
            _ => Bidi,
        }
    }
}

/// Every way of writing each kind. No method of one answer to many messages answers with raw bytes: what
/// becomes of raw uploads stands in `uploads`.
fn cells() -> impl Iterator<Item = (Written, Kind, bool)> {
    let cells = WRITTEN.into_iter().flat_map(|written| KINDS.map(|kind| (written, kind)));
    let cells = cells.filter(|cell| *cell != (Raw, Client));
    cells.flat_map(|(written, kind)| [false, true].map(|http2| (written, kind, http2)))
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Ok,
    Empty,
    ErrorBefore,
    ErrorAfter,
    Reset,
    NoTrailers,
    Deadline,
}

use Fate::{Deadline, Empty, ErrorAfter, ErrorBefore, NoTrailers, Reset};

const FATES: [(&str, Fate); 7] = [
    ("ok", Fate::Ok),
    ("empty", Empty),
    ("error-before", ErrorBefore),
    ("error-after", ErrorAfter),
    ("reset", Reset),
    ("no-trailers", NoTrailers),
    ("deadline", Deadline),
];

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// A failure of this code, in the way that there is to tell it.
    Failed(u16),
}

impl Written {
    fn target(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Raw, Unary) => "/v1/files/x",
            (Raw, Server) => "/v1/tail/x",
            (Raw, Client | Bidi) => "/v1/pipe",
            (_, Unary) => "/v1/items/1",
            (_, Server) => "/v1/items/1/changes",
            (_, Client) => "/v1/items:collect",
            (_, Bidi) => shop::TALK,
        }
    }

    fn request(self, gateway: &Gateway, kind: Kind, http2: bool) -> Request {
        let accept = match self {
            Sse => "text/event-stream",
            Ndjson => "application/x-ndjson",
            Json => "application/json",
            Raw => "*/*",
        };
        let request = match kind {
            Unary | Server => gateway.get(self.target(kind)),
            Client | Bidi => {
                let request = gateway.request("POST", self.target(kind));
                request.header("content-type", "application/x-ndjson").body("{}\n")
            }
        };
        let request = request.accept(accept);
        if http2 { request.http2() } else { request }
    }

    /// Whether an answer has a status line of its own before its message.
    fn streams(self, kind: Kind) -> bool {
        !kind.answers_once() || matches!(self, Sse | Ndjson)
    }

    /// A body of these messages; of one that failed, as far as it is always the same.
    fn body(self, kind: Kind, names: &[&str], end: End) -> String {
        let json = |name: &&str| format!("{{\"name\":\"{name}\"}}");
        let parts: Vec<_> = names.iter().map(json).collect();
        match (self, end) {
            (Raw, _) => names.concat(),
            (Json, End::Whole) if kind.answers_once() => parts.concat(),
            (Json, End::Whole) => format!("[{}]", parts.join(",")),
            (Json, End::Failed(code)) => {
                let comma = if parts.is_empty() { "" } else { "," };
                format!("[{}{comma}{{\"error\":{{\"code\":{code},", parts.join(","))
            }
            (Ndjson, End::Whole) => parts.iter().map(|part| format!("{part}\n")).collect(),
            (Ndjson, End::Failed(code)) => {
                format!("{}{{\"error\":{{\"code\":{code},", self.body(kind, names, End::Whole))
            }
            (Sse, end) => {
                let events: String = parts.iter().map(|part| format!("data: {part}\n\n")).collect();
                let end = match end {
                    End::Whole => "event: end\nid: transom-end\ndata: {\"code\":0}\n\n".to_owned(),
                    End::Failed(14) => "retry: ".to_owned(),
                    End::Failed(code) => format!("event: error\ndata: {{\"code\":{code},"),
                };
                format!(": ok\nretry: {RETRY}\n\n{events}{end}")
            }
        }
    }

    /// Whether a body that fails ends as others do, because its content says that it failed.
    fn ends_clean(self) -> bool {
        self == Sse
    }
}

fn messages(path: &str) -> Script {
    Kind::of(path).names().iter().fold(Script::new().head(), |script, name| {
        let body = HttpBody { content_type: "text/plain".into(), data: name.as_bytes().to_vec() };
        let raw = path.ends_with("/Read") || path.ends_with("/Tail") || path.ends_with("/Pipe");
        script.message(if raw { wire(&body) } else { wire(&item(name)) })
    })
}

/// What the upstream does; the fate comes along as a language.
fn fated(seen: &Seen) -> Script {
    let fate = FATES.into_iter().find(|(name, _)| *name == seen.header("accept-language"));
    match fate.unwrap().1 {
        Fate::Ok => messages(&seen.path).ok(),
        Empty => Script::new().head().ok(),
        ErrorBefore => Script::status(5, "gone"),
        ErrorAfter => messages(&seen.path).trailers(&[("grpc-status", "9"), ("grpc-message", "no")]),
        // What was sent has to go before the reset discards it.
        Reset => {
            messages(&seen.path).sleep(Duration::from_millis(300)).step(Step::Reset(Reason::INTERNAL_ERROR))
        }
        NoTrailers => messages(&seen.path).step(Step::End),
        Deadline => messages(&seen.path).stall(),
    }
}

/// The status of an answer, and how its body ends.
fn expected(written: Written, kind: Kind, fate: Fate) -> (u16, End) {
    if !written.streams(kind) {
        return match fate {
            Fate::Ok => (200, End::Whole),
            Empty | NoTrailers => (502, End::Whole),
            ErrorBefore => (404, End::Whole),
            ErrorAfter => (400, End::Whole),
            Reset => (500, End::Whole),
            Deadline => (504, End::Whole),
        };
    }
    match fate {
        Empty if kind.answers_once() => (502, End::Whole),
        Fate::Ok | Empty => (200, End::Whole),
        ErrorBefore => (404, End::Whole),
        ErrorAfter => (200, End::Failed(9)),
        Reset => (200, End::Failed(13)),
        NoTrailers => (200, End::Failed(2)),
        Deadline => (200, End::Failed(4)),
    }
}

fn check(answer: &Answer, written: Written, kind: Kind, names: &[&str], end: End, what: &str) {
    let text = settled(answer.text(), RETRY);
    let body = written.body(kind, names, end);
    assert_eq!(answer.status, 200, "{what}: {text}");
    if end == End::Whole {
        assert_eq!((text, answer.complete), (body, true), "{what}");
    } else {
        assert!(text.starts_with(&body), "{what}: {text:?} does not start with {body:?}");
        assert_eq!(answer.complete, written.ends_clean(), "{what}: {text}");
    }
}

#[tokio::test]
async fn every_fate_is_told_in_every_way_of_writing() {
    let (_upstream, gateway) = scripted("", fated).await;
    for (written, kind, http2) in cells() {
        for (name, fate) in FATES {
            let what = format!("{written:?} {kind:?} {fate:?} h2={http2}");
            let request = written.request(&gateway, kind, http2).header("accept-language", name);
            let request = if fate == Deadline { request.header("x-request-timeout", "1") } else { request };
            let answer = request.fetch().await;
            let (status, end) = expected(written, kind, fate);
            if status == 200 {
                let names = if fate == Empty { &[] } else { kind.names() };
                check(&answer, written, kind, names, end, &what);
            } else {
                assert_eq!(answer.status, status, "{what}: {}", answer.text());
                assert_eq!(answer.header("content-type"), "application/json", "{what}");
                assert!(answer.complete && answer.json()["code"].is_u64(), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_call() {
    let (upstream, gateway) = scripted("", |seen| messages(&seen.path).stall()).await;
    for (call, (written, kind, http2)) in cells().enumerate() {
        let request = written.request(&gateway, kind, http2);
        if written.streams(kind) {
            let mut response = request.send().await;
            response.until("a").await;
        } else {
            let waiting = tokio::spawn(request.send());
            upstream.call(call).await;
            waiting.abort();
            drop(waiting.await);
        }
        let reason = upstream.call(call).await.reset().await;
        assert_eq!(reason, Reason::CANCEL, "{written:?} {kind:?} h2={http2}");
    }
}

#[tokio::test]
async fn at_drain_streams_end_and_say_why_and_the_rest_is_waited_for() {
    // What is waited for goes on when the drain has begun; all else would last for ever.
    let (upstream, gateway) = scripted("", |seen| {
        let script = messages(&seen.path);
        if seen.path == shop::WATCH || seen.path == shop::TALK {
            return script.stall();
        }
        let mut steps = script.steps;
        steps.insert(1, Step::Sleep(Duration::from_secs(2)));
        Script { steps }.ok()
    })
    .await;
    let mut running = Vec::new();
    for (written, kind, http2) in cells() {
        let request = written.request(&gateway, kind, http2);
        running.push((written, kind, http2, tokio::spawn(request.fetch())));
    }
    upstream.call(running.len() - 1).await;
    // Their messages are on the way to the client, or have arrived.
    tokio::time::sleep(Duration::from_millis(500)).await;
    gateway.signal("TERM").await;
    for (written, kind, http2, answer) in running {
        let answer = answer.await.unwrap();
        let end = if kind.answers_once() || written == Raw { End::Whole } else { End::Failed(14) };
        let what = format!("{written:?} {kind:?} h2={http2}");
        check(&answer, written, kind, kind.names(), end, &what);
        if end != End::Whole && written != Sse {
            assert!(answer.text().contains("DRAINING"), "{what}: {}", answer.text());
        }
    }
}

/// A gateway that limits streams before an upstream that sends its messages and falls silent.
async fn silent(limit: &str) -> (Upstream, Gateway) {
    scripted(&format!("limits = {{ {limit} = \"700ms\" }}"), |seen| messages(&seen.path).stall()).await
}

#[tokio::test]
async fn streams_become_neither_too_old_nor_idle_in_any_way_of_writing() {
    for (limit, code, reason) in [("idle", 4, "STREAM_IDLE"), ("age", 14, "STREAM_TOO_OLD")] {
        let (upstream, gateway) = silent(limit).await;
        for written in WRITTEN {
            for http2 in [false, true] {
                let answer = written.request(&gateway, Server, http2).fetch().await;
                let what = format!("{written:?} {limit} h2={http2}");
                check(&answer, written, Server, Server.names(), End::Failed(code), &what);
                let is_told = written != Raw && (written != Sse || code != 14);
                assert_eq!(answer.text().contains(reason), is_told, "{what}: {}", answer.text());
            }
        }
        let target = Json.target(Server);
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let mut socket = websocket::open(gateway.public, version, target, &[]).await;
            let (texts, close) = socket.rest().await;
            assert_eq!((texts.len(), close), (3, 4000 + code), "{texts:?}");
            assert!(texts[2].contains(reason), "{texts:?}");
        }
        let message = wire(&GetRequest { name: "items/1".into(), ..GetRequest::default() });
        let answer = gateway.grpc(shop::WATCH, &[message]).fetch().await;
        assert_eq!(answer.messages().len(), 2);
        assert_eq!(answer.grpc().unwrap_err().reason().as_deref(), Some(reason));
        for seen in upstream.calls() {
            assert_eq!(seen.reset().await, Reason::CANCEL, "{limit}");
        }
    }
}
