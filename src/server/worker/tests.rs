//! How connections come to a worker and how they end when it drains.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::super::testing::{LONG, SHORT, Server, http2, read_all, read_response, soon};
use super::*;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::guard::Drain;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Answers come when the semaphore lets them; the second counts those that have begun.
fn gated() -> (Router, Arc<Semaphore>, Arc<Semaphore>) {
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inner_gate, inner_begun) = (Arc::clone(&gate), Arc::clone(&begun));
    let answer = async move || {
        inner_begun.add_permits(1);
        inner_gate.acquire().await.unwrap().forget();
        "late"
    };
    (Router::new().route("/", get(answer)), gate, begun)
}

async fn wait(begun: &Semaphore, requests: u32) {
    soon(begun.acquire_many(requests)).await.unwrap().forget();
}

fn later() -> Instant {
    Instant::now() + LONG * 2
}

#[tokio::test]
async fn what_runs_when_the_drain_begins_is_answered() {
    let (router, gate, begun) = gated();
    let server = Server::start(router, Limits::default());
    let mut running = server.connect().await;
    running.write_all(GET).await.unwrap();
    wait(&begun, 1).await;
    server.drain.begin(later());
    // The connection's task learns of it before the answer comes.
    tokio::time::sleep(SHORT).await;
    gate.add_permits(1);
    let answer = read_all(&mut running).await;
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with("late"), "{answer}");
    drop(running);
    soon(server.ended).await.unwrap();
}

#[tokio::test]
async fn what_waits_in_the_queue_when_the_drain_begins_is_answered() {
    let server = Server::plain(Limits::default());
    // None of these is accepted before the drain begins: nothing has been awaited in between.
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let stream = std::net::TcpStream::connect(server.address).unwrap();
        std::io::Write::write_all(&mut &stream, GET).unwrap();
        waiting.push(stream);
    }
    server.drain.begin(later());
    for stream in waiting {
        stream.set_nonblocking(true).unwrap();
        let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
        assert!(read_all(&mut stream).await.ends_with("hello"));
    }
    soon(server.ended).await.unwrap();
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn idle_and_silent_connections_do_not_hold_the_drain_up() {
    let server = Server::plain(Limits { first_bytes_draining: SHORT, ..Limits::default() });
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    read_response(&mut idle).await;
    let mut silent = server.connect().await;
    let (mut client, connection) = http2(&server).await;
    let (response, _) = client.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
    soon(response).await.unwrap();
    server.drain.begin(later());
    assert_eq!(read_all(&mut idle).await, "");
    drop(idle);
    assert_eq!(read_all(&mut silent).await, "");
    soon(connection).await.unwrap().expect("a GOAWAY without an error");
    soon(server.ended).await.unwrap();
}

#[tokio::test]
async fn streams_of_http2_end_well_after_the_goaway() {
    let (router, gate, begun) = gated();
    let server = Server::start(router, Limits::default());
    let (mut client, connection) = http2(&server).await;
    let (response, _) = client.send_request(Request::get("http://a/").body(()).unwrap(), true).unwrap();
    wait(&begun, 1).await;
    server.drain.begin(later());
    gate.add_permits(1);
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(soon(body.data()).await.unwrap().unwrap(), "late");
    soon(connection).await.unwrap().unwrap();
    soon(server.ended).await.unwrap();
}

#[tokio::test]
async fn answers_learn_of_the_drain() {
    let (begun, mut learned) = mpsc::channel(1);
    let answer = async move |request: Request<Body>| {
        let draining = request.extensions().get::<Draining>().unwrap().clone();
        let client = request.extensions().get::<ClientInfo>().unwrap().clone();
        begun.send(client).await.unwrap();
        draining.drained().await;
        "drained"
    };
    let server = Server::start(Router::new().route("/", get(answer)), Limits::default());
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    let client = soon(learned.recv()).await.unwrap();
    assert_eq!(client, ClientInfo { peer: Some(stream.local_addr().unwrap()), ..ClientInfo::default() });
    server.drain.begin(later());
    assert!(read_all(&mut stream).await.ends_with("drained"));
}

/// A worker on its own thread, with one listener of its own or one shared.
fn worker(router: Router, listener: Option<Listener>) -> (Drain, Dealer, JoinHandle<()>) {
    let (drain, draining) = Drain::new();
    let limits = Arc::new(Limits::default());
    let (dealer, mut receivers) = Dealer::new(1);
    let worker = Worker {
        listeners: listener.into_iter().collect(),
        dealt: receivers.remove(0),
        tls: None,
        limits: Arc::clone(&limits),
        draining: draining.clone(),
    };
    let door = move || Door::new(router, AccessLog::disabled(), draining, limits);
    (drain, dealer, worker.start(0, door).unwrap())
}

fn listener() -> (Listener, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (Listener::Tcp(listener), address)
}

async fn joined(thread: JoinHandle<()>) {
    soon(tokio::task::spawn_blocking(move || thread.join())).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_runs_longer_than_the_drain_is_cut_off() {
    let (router, _gate, begun) = gated();
    let (listener, address) = listener();
    let (drain, dealer, thread) = worker(router, Some(listener));
    drop(dealer);
    let mut stuck = tokio::net::TcpStream::connect(address).await.unwrap();
    stuck.write_all(GET).await.unwrap();
    wait(&begun, 1).await;
    drain.begin(Instant::now() + Duration::from_millis(50));
    assert_eq!(read_all(&mut stuck).await, "");
    joined(thread).await;
}

#[tokio::test]
async fn the_second_signal_ends_everything() {
    let (router, _gate, begun) = gated();
    let (listener, address) = listener();
    let (drain, dealer, thread) = worker(router, Some(listener));
    drop(dealer);
    let mut stuck = tokio::net::TcpStream::connect(address).await.unwrap();
    stuck.write_all(GET).await.unwrap();
    wait(&begun, 1).await;
    drain.begin(later());
    drain.end();
    assert_eq!(read_all(&mut stuck).await, "");
    joined(thread).await;
}

#[tokio::test]
async fn a_dealt_connection_lives_on_the_worker_and_holds_it() {
    let (router, gate, begun) = gated();
    let (listener, address) = listener();
    let (drain, dealer, thread) = worker(router, None);
    let (accept_drain, accept_draining) = Drain::new();
    let accepting = tokio::spawn(listener::accept(listener, accept_draining, dealer));
    let mut dealt = tokio::net::TcpStream::connect(address).await.unwrap();
    dealt.write_all(GET).await.unwrap();
    wait(&begun, 1).await;
    drain.begin(later());
    accept_drain.begin(later());
    soon(accepting).await.unwrap().unwrap();
    gate.add_permits(1);
    assert!(read_all(&mut dealt).await.ends_with("late"));
    drop(dealt);
    joined(thread).await;
}

#[tokio::test]
async fn an_upgraded_connection_holds_the_drain() {
    let (hold, release) = tokio::sync::oneshot::channel::<()>();
    let release = Arc::new(std::sync::Mutex::new(Some(release)));
    let answer = async move |mut request: Request<Body>| {
        let upgrade = hyper::upgrade::on(&mut request);
        let release = release.lock().unwrap().take().unwrap();
        tokio::spawn(async move {
            let _upgraded = upgrade.await.unwrap();
            drop(release.await);
        });
        let response = http::Response::builder().status(101).header("connection", "upgrade");
        response.header("upgrade", "x").body(Body::empty()).unwrap()
    };
    let server = Server::start(Router::new().route("/", get(answer)), Limits::default());
    let mut stream = server.connect().await;
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert!(read_response(&mut stream).await.starts_with("HTTP/1.1 101"));
    server.drain.begin(later());
    tokio::time::sleep(SHORT).await;
    assert!(!server.ended.is_finished());
    drop(hold);
    assert_eq!(read_all(&mut stream).await, "");
    drop(stream);
    soon(server.ended).await.unwrap();
}

#[tokio::test]
async fn who_finds_no_room_waits() {
    let server = Server::plain(Limits { connections: 3, ..Limits::default() });
    let mut first = server.connect().await;
    first.write_all(GET).await.unwrap();
    read_response(&mut first).await;
    let mut second = server.connect().await;
    second.write_all(GET).await.unwrap();
    tokio::time::sleep(SHORT).await;
    drop(first);
    assert!(read_response(&mut second).await.ends_with("hello"));
}
