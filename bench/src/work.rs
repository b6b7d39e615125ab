//! The cases: for each the request in JSON and in gRPC, and what a good answer has.

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::messages::{Event, GetRequest, HttpBody, ListResponse, framed, item, item_json};

/// Messages in the stream case.
pub const EVENTS: u32 = 1_000;
/// Items in the list case.
pub const ITEMS: usize = 200;
/// Bytes in one message of the download, and how many there are: 100 MB.
pub const CHUNK: usize = 64 * 1024;
pub const CHUNKS: usize = 1_526;

/// The method whose messages the sample server sends back one by one.
pub const TALK: &str = "/bench.v1.Bench/Talk";

/// The method that sends one event and then keeps silent.
pub const IDLE: &str = "/bench.v1.Bench/Idle";

/// One kind of request.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub method: Method,
    /// Path of the JSON request.
    pub path: &'static str,
    /// Body of the JSON request; empty for none.
    pub json: Bytes,
    /// Path of the same call by gRPC.
    pub rpc: &'static str,
    /// Body of the same call by gRPC.
    pub message: Bytes,
    /// What the answer in JSON has to have: its status, and at least so many bytes.
    pub status: StatusCode,
    pub least: usize,
}

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let get = framed(&GetRequest { id: item(0).id });
    let empty = || Bytes::from_static(&[0; 5]);
    vec![
        case("get", Method::GET, "/v1/items/b8f2c1e0-5d7a-4f19-9a53-77d0c2a4e611", "Get", get.clone(), 350),
        echo("post", 0),
        echo("echo2k", 15),
        copy("copy", 0),
        copy("copy2k", 15),
        Case { path: "/v1/talk", rpc: TALK, ..echo("socket", 0) },
        case("list", Method::GET, "/v1/items", "List", empty(), 150_000),
        case("stream", Method::GET, "/v1/events", "Watch", empty(), 30_000),
        case("download", Method::GET, "/v1/download", "Download", empty(), CHUNK * CHUNKS),
        Case {
            name: "dead",
            status: StatusCode::SERVICE_UNAVAILABLE,
            least: 60,
            ..case("get", Method::GET, "/v1/items/1", "Get", get.clone(), 0)
        },
        Case { status: StatusCode::NOT_FOUND, ..case("404", Method::GET, "/v1/nothing/here", "Get", get, 0) },
    ]
}

fn case(
    name: &'static str,
    method: Method,
    path: &'static str,
    rpc: &'static str,
    message: Bytes,
    least: usize,
) -> Case {
    let rpc = match rpc {
        "Get" => "/bench.v1.Bench/Get",
        "List" => "/bench.v1.Bench/List",
        "Watch" => "/bench.v1.Bench/Watch",
        "Download" => "/bench.v1.Bench/Download",
        "Copy" => "/bench.v1.Bench/Copy",
        _ => "/bench.v1.Bench/Create",
    };
    Case { name, method, path, json: Bytes::new(), rpc, message, status: StatusCode::OK, least }
}

fn echo(name: &'static str, parts: i32) -> Case {
    let sample = item(parts);
    let json = Bytes::from(item_json(&sample).to_string());
    let least = json.len() * 9 / 10;
    Case { json, ..case(name, Method::POST, "/v1/items", "Create", framed(&sample), least) }
}

/// The same bytes as an echo of items has, as they are.
fn copy(name: &'static str, parts: i32) -> Case {
    let json = Bytes::from(item_json(&item(parts)).to_string());
    let message = framed(&HttpBody { content_type: "application/json".to_owned(), data: json.clone() });
    let least = json.len();
    Case { json, ..case(name, Method::POST, "/v1/copy", "Copy", message, least) }
}

/// The one event of [`IDLE`].
#[must_use]
pub fn idle() -> Bytes {
    framed(&Event { sequence: 1, text: "and now nothing".to_owned() })
}

/// What the sample server answers: so many times the same frames, or nothing for an echo.
#[must_use]
pub fn answer(path: &str) -> Option<(Bytes, usize)> {
    match path.rsplit('/').next()? {
        "Get" => Some((framed(&item(1)), 1)),
        "List" => Some((framed(&ListResponse { items: vec![item(7); ITEMS] }), 1)),
        "Watch" => {
            let frames = (0..i64::from(EVENTS))
                .flat_map(|sequence| framed(&Event { sequence, text: "a small message".to_owned() }));
            Some((frames.collect(), 1))
        }
        "Download" => {
            let data = Bytes::from(vec![b'x'; CHUNK]);
            Some((framed(&HttpBody { content_type: "application/octet-stream".to_owned(), data }), CHUNKS))
        }
        _ => None,
    }
}
