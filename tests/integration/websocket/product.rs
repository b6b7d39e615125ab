//! Every dialect, kind of call, version of HTTP and fate of a call: what the client is told each time.

use std::collections::HashSet;
use std::time::Duration;

use http::Version;

use super::{TALK, VERSIONS};
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{Item, item, scripted, wire};
use crate::support::upstream::Upstream;
use crate::support::websocket::{BINARY, CLOSE, Socket, TEXT, open};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Raw,
    Json,
    Proto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unary,
    Server,
    Client,
    Bidi,
}

/// One cell of the product.
#[derive(Clone, Copy, Debug)]
struct Case {
    dialect: Dialect,
    kind: Kind,
    version: Version,
}

fn cases() -> impl Iterator<Item = Case> {
    let dialects = [Dialect::Raw, Dialect::Json, Dialect::Proto];
    let kinds = [Kind::Unary, Kind::Server, Kind::Client, Kind::Bidi];
    dialects.into_iter().flat_map(move |dialect| {
        kinds.into_iter().flat_map(move |kind| VERSIONS.map(|version| Case { dialect, kind, version }))
    })
}

impl Kind {
    const fn target(self) -> &'static str {
        match self {
            Self::Unary => "/v1/items/1:sell?method=POST",
            Self::Server => "/v1/items/1/changes",
            Self::Client => "/v1/items:collect",
            Self::Bidi => TALK,
        }
    }

    const fn server_streams(self) -> bool {
        matches!(self, Self::Server | Self::Bidi)
    }

    const fn client_streams(self) -> bool {
        matches!(self, Self::Client | Self::Bidi)
    }

    /// The kind that a path of gRPC belongs to.
    fn of(path: &str) -> Self {
        match path.rsplit('/').next() {
            Some("Sell") => Self::Unary,
            Some("Watch") => Self::Server,
            Some("Collect") => Self::Client,
            _ => Self::Bidi,
        }
    }
}

impl Case {
    async fn open(self, gateway: &Gateway, headers: &[(&str, &str)]) -> Socket {
        let subprotocol = match self.dialect {
            Dialect::Raw => None,
            Dialect::Json => Some("transom.json"),
            Dialect::Proto => Some("transom.proto"),
        };
        let offer = subprotocol.map(|name| ("sec-websocket-protocol", name));
        let headers: Vec<_> = headers.iter().copied().chain(offer).collect();
        let socket = open(gateway.public, self.version, self.kind.target(), &headers).await;
        assert_eq!(socket.subprotocol.as_deref(), subprotocol);
        socket
    }

    /// Says what the call needs, and half-closes.
    async fn say(self, socket: &mut Socket) {
        self.begin(socket).await;
        match self.dialect {
            _ if !self.kind.client_streams() => {}
            Dialect::Raw | Dialect::Proto => socket.text("").await,
            Dialect::Json => socket.text(r#"{"end":{}}"#).await,
        }
    }

    /// Says the first message, where one is needed.
    async fn begin(self, socket: &mut Socket) {
        match self.dialect {
            _ if self.kind == Kind::Server => {}
            Dialect::Raw => socket.text(r#"{"name":"me"}"#).await,
            Dialect::Json => socket.text(r#"{"message":{"name":"me"}}"#).await,
            Dialect::Proto => socket.binary(&wire(&item("me"))).await,
        }
    }

    /// What stands in a frame: the name of a message, or a status's code.
    fn read(self, opcode: u8, payload: &[u8]) -> Result<String, i64> {
        if opcode == BINARY {
            assert_eq!(self.dialect, Dialect::Proto);
            return Ok(<Item as prost::Message>::decode(payload).unwrap().name);
        }
        assert_eq!(opcode, TEXT);
        let json: serde_json::Value = serde_json::from_slice(payload).unwrap();
        if let Some(code) = json["status"]["code"].as_i64() {
            return Err(code);
        }
        assert_ne!(self.dialect, Dialect::Proto, "{json}");
        let message = if self.dialect == Dialect::Json { &json["message"] } else { &json };
        Ok(message["name"].as_str().unwrap_or_else(|| panic!("{json}")).to_owned())
    }

    /// Takes everything until the close: the names of messages and the code.
    async fn rest(self, socket: &mut Socket) -> (Vec<String>, u16) {
        let (mut names, mut status) = (Vec::new(), None);
        let code = loop {
            let (opcode, payload) = socket.next().await;
            if opcode == CLOSE {
                break u16::from_be_bytes([payload[0], payload[1]]);
            }
            assert_eq!(status, None, "{self:?}: nothing follows the status");
            match self.read(opcode, &payload) {
                Ok(name) => names.push(name),
                Err(code) => status = Some(code),
            }
        };
        let expected = match code {
            1000 => (self.dialect != Dialect::Raw).then_some(0),
            4000.. => Some(i64::from(code) - 4000),
            _ => None,
        };
        assert_eq!(status, expected, "{self:?}");
        (names, code)
    }
}

/// What a stream brings before its fate, and a call with one answer brings of it.
const STREAM: [&str; 2] = ["a", "b"];

/// Messages of an answer, and no end.
fn messages(kind: Kind) -> Script {
    let head = Script::new().step(Step::Request).head();
    let names = if kind.server_streams() { &STREAM[..] } else { &STREAM[..1] };
    names.iter().fold(head, |script, name| script.message(wire(&item(name))))
}

/// An upstream that plays a script by the kind of each call, and a gateway.
async fn serving(script: impl Fn(Kind) -> Script + Send + Sync + 'static) -> (Upstream, Gateway) {
    scripted("", move |seen| script(Kind::of(&seen.path))).await
}

/// What the client is told of those messages when the call ends with a code: one answer counts only when
/// all was well.
fn told(kind: Kind, code: u16) -> Vec<String> {
    let count = match kind {
        _ if kind.server_streams() => 2,
        _ if code == 1000 => 1,
        _ => 0,
    };
    STREAM[..count].iter().map(ToString::to_string).collect()
}

/// In every case the client is told the messages that the upstream sent, and a code.
async fn all_end(script: impl Fn(Kind) -> Script + Send + Sync + 'static, code: u16) {
    let (_upstream, gateway) = serving(script).await;
    for case in cases() {
        let mut socket = case.open(&gateway, &[]).await;
        case.say(&mut socket).await;
        assert_eq!(case.rest(&mut socket).await, (told(case.kind, code), code), "{case:?}");
    }
}

#[tokio::test]
async fn ok() {
    all_end(|kind| messages(kind).ok(), 1000).await;
}

#[tokio::test]
async fn empty() {
    let (_upstream, gateway) = serving(|_| Script::new().step(Step::Request).head().ok()).await;
    for case in cases() {
        let mut socket = case.open(&gateway, &[]).await;
        case.say(&mut socket).await;
        let code = if case.kind.server_streams() { 1000 } else { 4013 };
        assert_eq!(case.rest(&mut socket).await, (Vec::new(), code), "{case:?}");
    }
}

#[tokio::test]
async fn an_error_before_messages() {
    let (_upstream, gateway) = serving(|_| Script::status(7, "no")).await;
    for case in cases() {
        let mut socket = case.open(&gateway, &[]).await;
        case.say(&mut socket).await;
        assert_eq!(case.rest(&mut socket).await, (Vec::new(), 4007), "{case:?}");
    }
}

#[tokio::test]
async fn an_error_after_messages() {
    all_end(|kind| messages(kind).trailers(&[("grpc-status", "9")]), 4009).await;
}

#[tokio::test]
async fn no_trailers() {
    // UNKNOWN, as gRPC has it for an answer without a status.
    all_end(|kind| messages(kind).step(Step::End), 4002).await;
}

#[tokio::test]
async fn a_reset_by_the_upstream() {
    let reset = Step::Reset(h2::Reason::INTERNAL_ERROR);
    let (_upstream, gateway) = serving(move |kind| messages(kind).step(reset.clone())).await;
    for case in cases() {
        let mut socket = case.open(&gateway, &[]).await;
        case.say(&mut socket).await;
        let (names, code) = case.rest(&mut socket).await;
        // A reset overtakes messages that are on their way.
        assert!(STREAM.map(str::to_owned).starts_with(&names), "{case:?}: {names:?}");
        assert_eq!(code, 4013, "{case:?}");
    }
}

#[tokio::test]
async fn a_deadline() {
    let (_upstream, gateway) = serving(|kind| messages(kind).stall()).await;
    let mut sockets = Vec::new();
    for case in cases() {
        let mut socket = case.open(&gateway, &[("x-request-timeout", "1")]).await;
        case.say(&mut socket).await;
        sockets.push((case, socket));
    }
    for (case, mut socket) in sockets {
        assert_eq!(case.rest(&mut socket).await, (told(case.kind, 4004), 4004), "{case:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves() {
    let script = |_: Kind| Script::new().head().message(wire(&item("a"))).stall();
    let (upstream, gateway) = serving(script).await;
    for (call, case) in cases().enumerate() {
        let mut socket = case.open(&gateway, &[]).await;
        case.begin(&mut socket).await;
        let seen = upstream.call(call).await;
        socket.vanish();
        assert_eq!(seen.reset().await, h2::Reason::CANCEL, "{case:?}");
    }
    let lines = gateway.access.count(cases().count()).await;
    let ends: HashSet<_> =
        lines.iter().map(|line| (line["code"].to_string(), line["end"].to_string())).collect();
    assert_eq!(ends, [("\"CANCELLED\"".to_owned(), "\"client_gone\"".to_owned())].into(), "{lines:#?}");
}

#[tokio::test]
async fn a_drain() {
    let (upstream, mut gateway) = serving(|kind| match kind {
        Kind::Server | Kind::Bidi => Script::new().head().stall(),
        Kind::Unary | Kind::Client => {
            Script::new().head().sleep(Duration::from_secs(3)).message(wire(&item("a"))).ok()
        }
    })
    .await;
    let mut sockets = Vec::new();
    for case in cases() {
        let mut socket = case.open(&gateway, &[]).await;
        case.begin(&mut socket).await;
        sockets.push((case, socket));
    }
    upstream.call(sockets.len() - 1).await;
    gateway.signal("TERM").await;
    for (case, socket) in &mut sockets {
        // Streams come back by themselves; a call with one answer is waited for.
        let (names, code) =
            if case.kind.server_streams() { (vec![], 1012) } else { (vec!["a".to_owned()], 1000) };
        assert_eq!(case.rest(socket).await, (names, code), "{case:?}");
    }
    drop(sockets);
    assert!(gateway.ended().await.success());
}
