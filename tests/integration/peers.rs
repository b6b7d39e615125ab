//! Peers that are not ours: a Python grpcio server behind the gateway, a grpcio client, a WebSocket client and one
//! of plain HTTP in front of it.
//!
//! `tests/run` makes the Python that they need; without it these tests fail and say so.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::events::{RETRY, settled};
use crate::support::gateway::Gateway;
use crate::support::site::Site;
use crate::support::upstream::PATIENCE;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");

fn python(script: &str) -> Command {
    assert!(Path::new(PYTHON).exists(), "{PYTHON} is missing: `tests/run` installs it");
    let mut command = Command::new(PYTHON);
    command.arg(format!("{}/tests/python/{script}", env!("CARGO_MANIFEST_DIR"))).kill_on_drop(true);
    command
}

/// Starts the Python server; it ends when dropped.
async fn server() -> (Child, u16) {
    server_with(&[]).await
}

async fn server_with(more: &[&str]) -> (Child, u16) {
    let mut child =
        python("server.py").args(["--port", "0"]).args(more).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(6 * PATIENCE, lines.next_line()).await.expect("the server starts").unwrap().unwrap();
    let port = line.rsplit([' ', ':']).next().unwrap().parse().unwrap();
    (child, port)
}

/// A gateway for the sample services at a port.
async fn gateway(port: u16) -> Gateway {
    Site::samples(port, "").serve().await
}

async fn client_passes(client: &str, port: u16) {
    let output = timeout(12 * PATIENCE, python(client).arg(port.to_string()).output()).await;
    let output = output.expect("the client ends").unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(" 0 failed"), "{text}");
}

#[tokio::test]
async fn a_grpcio_server_is_called_by_json() {
    let (_server, port) = server().await;
    let gateway = gateway(port).await;
    let shelf = gateway.post("/v1/shelves", r#"{"theme":"Tests"}"#).fetch().await.ok();
    let name = shelf["name"].as_str().unwrap().to_owned();
    let book = gateway.post(&format!("/v1/{name}/books"), r#"{"title":"A","pages":7}"#).fetch().await.ok();
    let got = gateway.get(&format!("/v1/{}", book["name"].as_str().unwrap())).http2().fetch().await.ok();
    assert_eq!((got["title"].as_str(), got["pages"].as_i64()), (Some("A"), Some(7)));
    for (accept, start, lines) in [
        ("application/json", "[{\"cursor\":\"1\"", 1),
        ("application/x-ndjson", "{\"cursor\":\"1\"", 3),
        ("text/event-stream", ": ok\nretry: 2000\n\ndata: {\"cursor\":\"1\"", 13),
    ] {
        let answer = gateway.get("/v1/ticker?count=3&interval=0.01s").accept(accept).fetch().await;
        assert_eq!((answer.status, answer.complete), (200, true), "{accept}: {}", answer.text());
        assert!(settled(answer.text(), RETRY).starts_with(start), "{accept}: {}", answer.text());
        assert_eq!(answer.text().lines().count(), lines, "{accept}: {}", answer.text());
    }
    let missing = gateway.get("/v1/shelves/999999").fetch().await;
    assert_eq!((missing.status, missing.json()["code"].as_u64()), (404, Some(5)));
}

#[tokio::test]
async fn a_grpcio_server_and_the_gateway_compress_for_each_other() {
    let (_server, port) = server_with(&["--compress"]).await;
    let gateway = Site::samples(port, "compression = { requests = \"gzip\", answers = true }").serve().await;
    let theme = "long ".repeat(20_000);
    let shelf = gateway.post("/v1/shelves", &format!("{{\"theme\":\"{theme}\"}}")).fetch().await.ok();
    assert_eq!(shelf["theme"].as_str(), Some(theme.as_str()));
    let stream =
        gateway.get("/v1/ticker?count=3&interval=0.01s").accept("application/x-ndjson").fetch().await;
    assert_eq!((stream.status, stream.text().lines().count()), (200, 3), "{}", stream.text());
    // The server does compress: who accepts it gets it as it is.
    let mut name = vec![0x0a, 9];
    name.extend(b"shelves/1");
    let request = gateway.grpc("/transom.demo.v1.Bookshop/GetShelf", &[name]);
    let answer = request.header("grpc-accept-encoding", "gzip").fetch().await;
    assert_eq!((answer.status, answer.header("grpc-encoding")), (200, "gzip"));
    answer.grpc().unwrap();
}

#[tokio::test]
async fn a_grpcio_client_calls_through_the_gateway() {
    let (_server, port) = server().await;
    client_passes("client.py", gateway(port).await.public.port()).await;
}

#[tokio::test]
async fn a_grpcio_client_calls_the_samples_through_the_gateway() {
    let samples = transom::demo::start("127.0.0.1:0".parse().unwrap()).unwrap();
    client_passes("client.py", gateway(samples.addr.port()).await.public.port()).await;
}

#[tokio::test]
async fn a_python_websocket_client_calls_all_kinds_in_every_dialect() {
    let (_server, port) = server().await;
    client_passes("sockets.py", gateway(port).await.public.port()).await;
}

#[tokio::test]
async fn a_python_http_client_uploads_to_a_grpcio_server() {
    let (_server, port) = server().await;
    client_passes("uploads.py", gateway(port).await.public.port()).await;
}
