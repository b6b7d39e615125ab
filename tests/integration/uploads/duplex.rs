//! Both sides at once: answers while the body comes, ends before the body's, and who slows whom.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use h2::Reason;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::client::{Request, Response, Upload};
use crate::support::gateway::Gateway;
use crate::support::raw::{HEADERS, Peer};
use crate::support::script::{Script, Step};
use crate::support::shop::{COLLECT, GET, TALK, behind, item, scripted, site, site_at, wire};
use crate::support::upstream::{PATIENCE, Upstream};

const NDJSON: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";
const ARRAY: &str = "application/json";

fn talk(gateway: &Gateway, http2: bool, accept: &str) -> Request {
    let request = gateway.request("POST", TALK).header("content-type", NDJSON).accept(accept);
    if http2 { request.http2() } else { request }
}

async fn opened(request: Request, first: &str) -> (Upload, Response) {
    let (upload, answer) = request.upload();
    if !first.is_empty() {
        upload.send(first.to_owned()).await;
    }
    (upload, timeout(2 * PATIENCE, answer).await.expect("the head comes").unwrap())
}

#[tokio::test]
async fn answers_flow_while_the_upload_goes_on() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    for http2 in [false, true] {
        for accept in [NDJSON, SSE, ARRAY] {
            let (upload, mut response) = opened(talk(&gateway, http2, accept), "{\"name\":\"0\"}\n").await;
            response.until("{\"name\":\"0\"}").await;
            for number in 1..30 {
                let message = format!("{{\"name\":\"{number}\"}}");
                upload.send(format!("{message}\n")).await;
                response.until(&message).await;
            }
            drop(upload);
            let rest = response.whole().await;
            assert!(rest.complete, "{accept}: {}", rest.text());
            let end = match accept {
                SSE => "event: end\nid: transom-end\ndata: {\"code\":0}\n\n",
                ARRAY => "]",
                _ => "",
            };
            assert!(rest.text().ends_with(end), "{accept}: {}", rest.text());
        }
    }
}

#[tokio::test]
async fn the_head_does_not_wait_for_a_client_that_waits_for_it() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    for http2 in [false, true] {
        let (upload, mut response) = opened(talk(&gateway, http2, NDJSON), "").await;
        assert_eq!(response.status, 200);
        upload.send("{\"name\":\"late\"}\n").await;
        response.until("late").await;
    }
}

#[tokio::test]
async fn an_array_goes_both_ways() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    let answer = gateway.post(TALK, "[{\"name\":\"a\"},{\"name\":\"b\"}]").fetch().await;
    assert_eq!(answer.text(), "[{\"name\":\"a\"},{\"name\":\"b\"}]");
}

#[tokio::test]
async fn envelopes_are_for_the_answer_alone() {
    let (_upstream, gateway) = scripted("json = { envelope = true }", |_| Script::echo()).await;
    let body = "{\"name\":\"a\"}\n{\"name\":\"b\"}\n";
    let answer = talk(&gateway, false, NDJSON).body(body).fetch().await;
    assert_eq!(answer.text(), "{\"result\":{\"name\":\"a\"}}\n{\"result\":{\"name\":\"b\"}}\n");
    let (upload, mut response) = opened(talk(&gateway, true, NDJSON), body).await;
    response.until("\"b\"}}\n").await;
    upload.send("{]\n").await;
    let rest = response.whole().await;
    assert!(rest.text().starts_with("{\"error\":{\"code\":3,\"message\":\"element 3 "), "{}", rest.text());
    assert!(!rest.complete);
}

/// What an upstream answers before the body has ended.
fn early() -> [(&'static str, Script, u16); 2] {
    [
        ("an error", Script::new().trailers(&[("grpc-status", "7"), ("grpc-message", "no")]), 403),
        ("an answer", Script::new().head().message(wire(&item("enough"))).ok(), 200),
    ]
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_not_lost() {
    for path in [COLLECT, TALK] {
        for (what, script, status) in early() {
            let (_upstream, gateway) = behind(script).await;
            for http2 in [false, true] {
                let request = gateway.request("POST", path).header("content-type", NDJSON);
                let request = if http2 { request.http2() } else { request };
                let (upload, answer) = request.upload();
                upload.send("{}\n").await;
                // Much more than all windows and buffers hold; nobody wants it.
                let flood = tokio::spawn(async move { upload.flood(64 * 1024, PATIENCE).await });
                let response = timeout(2 * PATIENCE, answer).await.expect("the answer comes").unwrap();
                assert_eq!(response.status, status, "{path}, {what}, h2={http2}");
                let answer = response.whole().await;
                assert!(answer.complete, "{path}, {what}, h2={http2}");
                let words = if status == 403 { "\"message\":\"no\"" } else { "enough" };
                assert!(answer.text().contains(words), "{path}, {what}: {}", answer.text());
                flood.abort();
            }
        }
    }
}

#[tokio::test]
async fn who_reads_late_finds_the_answer() {
    let (_upstream, gateway) = behind(Script::new().trailers(&[("grpc-status", "7")])).await;
    let mut socket = TcpStream::connect(gateway.public).await.unwrap();
    let head = format!("POST {TALK} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    // Until the gateway takes no more: it has answered long ago.
    while let Ok(Ok(())) = timeout(Duration::from_millis(300), socket.write_all(piece.as_bytes())).await {}
    let mut answer = [0; 20];
    timeout(PATIENCE, socket.read_exact(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_status_with_a_reset_behind_it_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = site_at(listener.local_addr().unwrap()).serve().await;
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = Peer::accept(&listener).await;
            tokio::spawn(async move {
                loop {
                    let stream = peer.next_of(HEADERS).await.stream;
                    peer.stop(stream, 7).await;
                }
            });
        }
    });
    for http2 in [false, true] {
        for path in [COLLECT, TALK] {
            let request = gateway.request("POST", path).header("content-type", NDJSON);
            let (upload, response) = opened(if http2 { request.http2() } else { request }, "{}\n").await;
            assert_eq!(response.status, 403, "{path}, h2={http2}");
            assert!(response.whole().await.complete);
            drop(upload);
        }
    }
    serving.abort();
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call() {
    for script in [Script::new().stall(), Script::new().head().message(wire(&item("a"))).stall()] {
        let (upstream, gateway) = behind(script).await;
        let mut call = 0;
        for http2 in [false, true] {
            for path in [COLLECT, TALK] {
                let request = gateway.request("POST", path).header("content-type", NDJSON);
                let (upload, answer) = if http2 { request.http2() } else { request }.upload();
                upload.send("{}\n{\"na").await;
                let seen = upstream.call(call).await;
                upload.abort().await;
                assert_eq!(seen.reset().await, Reason::CANCEL, "{path}, h2={http2}");
                answer.abort();
                call += 1;
            }
        }
    }
}

/// An upstream that takes nothing beyond its windows, for the calls of a path.
async fn deaf(path: &'static str, connection_window: u32) -> Upstream {
    Upstream::options()
        .http2(move |http2| {
            http2.initial_connection_window_size(connection_window);
        })
        .start(move |seen| {
            if seen.path == path {
                Script::new().step(Step::Deaf).stall()
            } else {
                Script::unary(wire(&item("quick")))
            }
        })
        .await
}

#[tokio::test]
async fn a_slow_upstream_slows_its_upload() {
    let upstream = deaf(COLLECT, 1 << 20).await;
    let gateway = site(&upstream, "").serve().await;
    for http2 in [false, true] {
        let request = gateway.request("POST", COLLECT).header("content-type", NDJSON);
        let (upload, _answer) = if http2 { request.http2() } else { request }.upload();
        let line = format!("{{\"name\":\"{}\"}}\n", "x".repeat(64 * 1024 - 12));
        let mut sent = 0;
        // Sockets hold a few megabytes on either side.
        while timeout(Duration::from_millis(500), upload.send(line.clone())).await.is_ok() {
            sent += 1;
            assert!(sent < 400, "nothing slows it down, h2={http2}");
        }
    }
    let memory = gateway.peak_memory();
    assert!(memory < 64 << 20, "{memory} bytes");
}

#[tokio::test]
async fn a_hundred_stalled_uploads_delay_nobody_on_their_connection() {
    let upstream = deaf(COLLECT, 1 << 24).await;
    let gateway = site(&upstream, "").serve().await;
    let io = TokioIo::new(TcpStream::connect(gateway.public).await.unwrap());
    let (sender, connection) = http2::handshake::<_, _, Lines>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let send = |path: &str, media_type: &str, lines: Lines| {
        let uri = format!("http://{}{path}", gateway.public);
        let request = http::Request::post(uri).header("content-type", media_type).body(lines).unwrap();
        sender.clone().send_request(request)
    };
    let stalled = tokio::spawn(join_all((0..100).map(|_| send(COLLECT, NDJSON, lines(8_000, usize::MAX)))));
    for call in 0..100 {
        upstream.call(call).await;
    }
    // Until all of them have filled what they may.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..5 {
        let answer = timeout(PATIENCE, send(GET, ARRAY, lines(50_000, 1))).await;
        assert_eq!(answer.expect("a unary call is not delayed").unwrap().status(), 200);
    }
    assert!(!stalled.is_finished());
    stalled.abort();
}

type Lines = StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

/// A body of so many lines with a name of this length.
fn lines(length: usize, count: usize) -> Lines {
    let line = Bytes::from(format!("{{\"name\":\"{}\"}}\n", "x".repeat(length)));
    let lines = stream::repeat_with(move || Ok(Frame::data(line.clone()))).take(count);
    StreamBody::new(lines.boxed())
}
