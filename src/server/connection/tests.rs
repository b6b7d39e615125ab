//! What clients can do to a connection, with raw sockets.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::super::testing::{LONG, SHORT, Server, http2, read_all, read_response, soon};
use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// SETTINGS without any, and the frame's type in the answer.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn limits() -> Limits {
    Limits { first_bytes: LONG * 2, head_time: LONG * 2, ..Limits::default() }
}

#[tokio::test]
async fn who_says_nothing_is_closed() {
    let server = Server::plain(Limits { first_bytes: SHORT, ..limits() });
    assert_eq!(server.exchange(b"").await, "");
}

#[tokio::test]
async fn who_says_half_a_preface_is_closed() {
    let server = Server::plain(Limits { first_bytes: SHORT, ..limits() });
    for length in [1, 4, 23] {
        assert_eq!(server.exchange(&PREFACE[..length]).await, "", "{length}");
    }
}

#[tokio::test]
async fn who_leaves_a_head_open_is_closed() {
    let server = Server::plain(Limits { head_time: SHORT, ..limits() });
    for length in 1..GET.len() {
        if length % 9 == 1 {
            assert_eq!(server.exchange(&GET[..length]).await, "", "{length}");
        }
    }
}

#[tokio::test]
async fn dripping_a_head_does_not_prolong_it() {
    let server = Server::plain(Limits { head_time: SHORT, ..limits() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    let dripping = async {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    soon(dripping).await;
}

#[tokio::test]
async fn a_second_head_has_its_time_too() {
    let server = Server::plain(Limits { head_time: SHORT, ..limits() });
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    assert!(read_response(&mut stream).await.ends_with("hello"));
    stream.write_all(b"GET /").await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
}

#[tokio::test]
async fn who_asks_nothing_more_is_closed() {
    let server = Server::plain(Limits { idle_http1: SHORT, ..limits() });
    assert!(server.exchange(GET).await.ends_with("hello"));
}

#[tokio::test]
async fn a_request_is_understood_whatever_its_cuts() {
    let server = Server::plain(limits());
    for cut in 1..GET.len() {
        let mut stream = server.connect().await;
        stream.set_nodelay(true).unwrap();
        stream.write_all(&GET[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(&GET[cut..]).await.unwrap();
        assert!(read_response(&mut stream).await.ends_with("hello"), "{cut}");
    }
}

#[tokio::test]
async fn a_preface_is_understood_whatever_its_cuts() {
    let server = Server::plain(limits());
    for cut in 1..=PREFACE.len() {
        let mut stream = server.connect().await;
        stream.set_nodelay(true).unwrap();
        stream.write_all(&PREFACE[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(&[&PREFACE[cut..], SETTINGS].concat()).await.unwrap();
        let mut frame = [0; 9];
        soon(stream.read_exact(&mut frame)).await.unwrap();
        assert_eq!(frame[3], SETTINGS[3], "{cut}");
    }
}

#[tokio::test]
async fn http2_without_streams_is_told_to_go() {
    let server = Server::plain(Limits { idle_http2: SHORT, ..limits() });
    let (mut client, connection) = http2(&server).await;
    let (response, _) = client.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), StatusCode::OK);
    soon(connection).await.unwrap().expect("a GOAWAY without an error");
}

#[tokio::test]
async fn http2_that_stays_silent_after_its_preface_is_closed() {
    let server = Server::plain(Limits { idle_http2: SHORT, ..limits() });
    server.exchange(PREFACE).await;
}

#[tokio::test]
async fn http2_that_does_not_answer_pings_is_closed() {
    let server = Server::plain(Limits { ping: SHORT, pong: SHORT, ..limits() });
    server.exchange(&[PREFACE, SETTINGS].concat()).await;
}

/// A body without end, and a receiver that learns when it is dropped.
fn endless() -> (Router, mpsc::Receiver<Infallible>) {
    let (alive, dropped) = mpsc::channel(1);
    let alive = Arc::new(std::sync::Mutex::new(Some(alive)));
    let answer = move || {
        let alive = alive.lock().unwrap().take().expect("asked for once");
        let chunk = Bytes::from_static(&[b'x'; 16 * 1024]);
        async move {
            Body::from_stream(futures_util::stream::repeat_with(move || {
                let _held = &alive;
                Ok::<_, Infallible>(chunk.clone())
            }))
        }
    };
    (Router::new().route("/", get(answer)), dropped)
}

#[tokio::test]
async fn who_does_not_read_is_closed() {
    let (router, mut dropped) = endless();
    let server = Server::start(router, Limits { write_stall: SHORT, ..limits() });
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    assert!(soon(dropped.recv()).await.is_none());
}

#[tokio::test]
async fn who_does_not_read_http2_is_closed() {
    let (router, mut dropped) = endless();
    let limits = Limits { write_stall: SHORT, ping: SHORT, ..limits() };
    let server = Server::start(router, limits);
    let (mut client, _connection) = http2(&server).await;
    let (response, _) = client.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
    // Its window is never opened, while its connection answers every ping.
    let _unread = soon(response).await.unwrap();
    assert!(soon(dropped.recv()).await.is_none());
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request() {
    let (router, mut dropped) = endless();
    let server = Server::start(router, limits());
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    stream.read_exact(&mut [0; 100]).await.unwrap();
    drop(stream);
    assert!(soon(dropped.recv()).await.is_none());
}

#[tokio::test]
async fn requests_may_come_one_after_the_other_without_waiting() {
    let server = Server::plain(limits());
    let last = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = server.exchange(&[GET, GET, last].concat()).await;
    assert_eq!(answers.matches("hello").count(), 2);
    assert!(answers.ends_with("found 0"), "{answers}");
}

/// What is answered, by what was sent; every connection is closed after it.
#[tokio::test]
async fn requests_that_no_server_may_take() {
    let server = Server::plain(limits());
    let headers = |count| "x: y\r\n".repeat(count);
    let cases: &[(&str, String)] = &[
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", headers(100))),
        ("200", format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n", headers(98))),
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(33 * 1024))),
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(300 * 1024))),
        ("414", format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(8 * 1024))),
        ("414", format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(40 * 1024))),
        // Content-Length and Transfer-Encoding, RFC 9112 §6.
        ("400", post("Content-Length: 2\r\nContent-Length: 3", "xxx")),
        ("400", post("Content-Length: 2, 2", "xx")),
        ("400", post("Content-Length: +2", "xx")),
        ("400", post("Content-Length: -2", "xx")),
        ("400", post("Content-Length : 2", "xx")),
        ("501", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")),
        ("501", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        ("400", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n")),
        ("400", post("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        ("400", "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()),
        // Lines, RFC 9112 §2.2 and §5.
        ("400", get_with("Host: a\r\nX: y\r\n folded")),
        ("400", get_with("Host: a\r\nX: y\0")),
        ("400", get_with("Host: a\r\nX: y\rz: 1")),
        ("400", "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        // Host, RFC 9112 §3.2.
        ("400", get_with("X: y")),
        ("400", get_with("Host: a\r\nHost: a")),
        ("400", get_with("Host: a@b")),
        ("400", get_with("Host: a/b")),
        ("400", get_with("Host:")),
        ("400", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n".to_owned()),
        // Targets and methods.
        ("400", "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("400", "GET * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        ("405", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned()),
        ("405", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
    ];
    for (status, request) in cases {
        let answer = server.exchange(request.as_bytes()).await;
        let start = request.chars().take(90).collect::<String>();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start:?} was answered {answer:?}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{start:?} was answered {answer:?}");
    }
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}GET / HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn get_with(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n")
}

#[tokio::test]
async fn length_and_chunks_together_are_chunks_and_the_connection_is_closed() {
    let server = Server::plain(limits());
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked";
    let answer = server.exchange(post(both, "2\r\nxx\r\n0\r\n\r\n").as_bytes()).await;
    assert!(answer.ends_with("found 2"), "{answer}");
}

#[tokio::test]
async fn too_much_over_http2_is_refused_for_one_stream_alone() {
    let server = Server::plain(limits());
    let (client, _connection) = http2(&server).await;
    let long = format!("http://a/{}", "y".repeat(9 * 1024));
    let many = (0..101).fold(Request::get("http://a/"), |request, _| request.header("x", "y"));
    let big = Request::get("http://a/").header("x", "y".repeat(33 * 1024));
    let cases = [
        (StatusCode::URI_TOO_LONG, Request::get(long)),
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, many),
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, big),
        (StatusCode::BAD_REQUEST, Request::get("http://a/").header("host", "b")),
        (StatusCode::METHOD_NOT_ALLOWED, Request::builder().method("TRACE").uri("http://a/")),
        (StatusCode::OK, Request::get("http://a/").header("te", "trailers").header("host", "a")),
    ];
    for (status, request) in cases {
        let mut client = client.clone().ready().await.unwrap();
        let (response, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
        assert_eq!(soon(response).await.unwrap().status(), status);
    }
}
