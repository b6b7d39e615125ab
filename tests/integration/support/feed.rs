//! A stream of changes with cursors, and how a client of each transport sees it.

use std::time::Duration;

use http::Version;

use super::events;
use super::gateway::Gateway;
use super::script::Script;
use super::shop::{self, GetRequest, Item, item, request, wire};
use super::upstream::Seen;
use super::websocket;

/// Where it is.
pub const WATCH: &str = "/v1/items/1/changes";

/// The policy by which it goes on.
pub const RESUME: &str = "[[policies]]\nselector = \"shop.v1.Shop.Watch\"\n\
                      resume = { response_field = \"price\", request_field = \"revision\" }";

/// What the upstream sends: the `cursor`-th change.
pub fn change(cursor: i64) -> Item {
    Item { price: cursor, ..item(&format!("n{cursor}")) }
}

/// After which cursor a call starts.
pub fn after(seen: &Seen) -> i64 {
    request::<GetRequest>(seen).revision
}

/// Changes after a cursor, then what follows them.
pub fn changes(after: i64, count: i64) -> Script {
    (after + 1..=after + count)
        .fold(Script::new().head(), |script, cursor| script.message(wire(&change(cursor))))
}

/// All changes after the cursor that a call asks for, one at a time.
pub fn paced(count: i64, pace: Duration) -> Script {
    Script::asked(move |seen| {
        let changes = (after(seen) + 1..=count).map(|cursor| wire(&change(cursor)));
        changes.fold(Script::new().head(), |script, change| script.sleep(pace).message(change)).ok()
    })
}

/// Whether a call goes on with a stream; its request may not have come.
pub fn is_resumed(seen: &Seen) -> bool {
    !seen.messages().is_empty() && after(seen) > 0
}

/// How a client is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Array,
    Ndjson,
    Sse,
    Text,
    Envelopes,
    Binary,
    Grpc,
}

pub use Transport::{Array, Binary, Envelopes, Grpc, Ndjson, Sse, Text};

impl Transport {
    pub const ALL: [Self; 7] = [Array, Ndjson, Sse, Text, Envelopes, Binary, Grpc];

    /// The cursors that a client gets, and whether the stream ended well.
    pub async fn watch(self, gateway: &Gateway) -> (Vec<i64>, bool) {
        let version = Version::HTTP_11;
        let protocol = |name| vec![("sec-websocket-protocol", name)];
        match self {
            Array => {
                let answer = gateway.get(WATCH).accept("application/json").fetch().await;
                (cursors(answer.text().split('{')), answer.text().ends_with(']'))
            }
            Ndjson => {
                let answer = gateway.get(WATCH).accept("application/x-ndjson").http2().fetch().await;
                (cursors(answer.text().lines()), answer.complete)
            }
            Sse => {
                let answer = gateway.get(WATCH).accept("text/event-stream").fetch().await;
                let parsed = events::parse(answer.text());
                let messages = parsed.events.iter().filter(|event| event.name == "message");
                let (ids, data): (Vec<_>, Vec<_>) =
                    messages.map(|event| (event.id.as_str(), event.data.as_str())).unzip();
                let found = cursors(data.into_iter());
                assert_eq!(ids, found.iter().map(i64::to_string).collect::<Vec<_>>());
                (found, parsed.last_id == "transom-end")
            }
            Text => socket(websocket::open(gateway.public, version, WATCH, &[]).await).await,
            Envelopes => {
                let headers = protocol("transom.json");
                socket(websocket::open(gateway.public, version, WATCH, &headers).await).await
            }
            Binary => {
                let headers = protocol("transom.proto");
                let mut socket = websocket::open(gateway.public, version, WATCH, &headers).await;
                let mut found = Vec::new();
                loop {
                    let (opcode, payload) = socket.message().await;
                    if opcode != websocket::BINARY {
                        return (found, payload == br#"{"status":{"code":0}}"#);
                    }
                    found.push(<Item as prost::Message>::decode(&payload[..]).unwrap().price);
                }
            }
            Grpc => {
                let message = wire(&GetRequest { name: "items/1".into(), ..GetRequest::default() });
                let answer = gateway
                    .grpc(shop::WATCH, &[message])
                    .header("grpc-accept-encoding", "gzip")
                    .fetch()
                    .await;
                let decode = |bytes: bytes::Bytes| <Item as prost::Message>::decode(bytes).unwrap().price;
                (answer.messages().into_iter().map(decode).collect(), answer.grpc().is_ok())
            }
        }
    }
}

async fn socket(mut socket: websocket::Socket) -> (Vec<i64>, bool) {
    let (texts, code) = socket.rest().await;
    (cursors(texts.iter().map(String::as_str)), code == 1000)
}

/// The cursors in texts of one message each.
pub fn cursors<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<i64> {
    let cursor = |text: &str| {
        let (_, rest) = text.split_once("\"price\":\"")?;
        rest.split_once('"')?.0.parse().ok()
    };
    texts.filter_map(cursor).collect()
}
