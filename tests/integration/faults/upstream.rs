//! U: what an upstream does. The table is in `faults.rs`.

use std::net::{SocketAddr, TcpStream as Std};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use h2::Reason;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use transom::rpc::{Algorithm, Code};

use super::{before, read_ends, reads_go_well};
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{GET, PROTO, behind, item, scripted, wire};
use crate::support::site::Site;
use crate::support::upstream::{PATIENCE, Upstream};

const UNREACHABLE: (u16, u64, &str) = (503, 14, "UPSTREAM_UNAVAILABLE");
const CHANGES: &str = "/v1/items/1/changes";

fn well() -> Script {
    Script::unary(wire(&item("n")))
}

fn head() -> Script {
    Script::new().step(Step::Request).head()
}

/// What a write ends with: the HTTP status, and how often it was sent.
async fn write_ends(script: Script) -> (u16, usize) {
    let (upstream, gateway) = behind(script).await;
    let answer = gateway.post("/v1/items", "{}").fetch().await;
    (answer.status, upstream.calls().len())
}

/// Waits until it is known that the only endpoint cannot be reached; a wait for it may end first.
async fn becomes_unreachable(gateway: &Gateway) {
    let waiting = async {
        loop {
            let (http, code, reason, _) = gateway.get("/v1/items/1").fetch().await.refusal();
            assert_eq!((http, code), (503, 14));
            if reason == UNREACHABLE.2 {
                return;
            }
            assert_eq!(reason, "UPSTREAM_QUEUE_TIMEOUT");
        }
    };
    tokio::time::timeout(2 * PATIENCE, waiting).await.expect("the endpoint is given up");
}

#[tokio::test]
async fn u01_refused_connections() {
    let alive = Upstream::start(|_| well()).await;
    read_ends(&before(&["http://127.0.0.1:1"], "").await, UNREACHABLE).await;
    reads_go_well(&before(&["http://127.0.0.1:1", &alive.url()], "").await, 20).await;
}

/// An address where no SYN is answered: the queue of a listener that nobody accepts from is full.
struct BlackHole {
    address: SocketAddr,
    _sockets: (Socket, Vec<Socket>),
}

impl BlackHole {
    fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let filling = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // In progress: whether it is ever accepted does not matter.
            let _ = socket.connect(&address.into());
            socket
        };
        let filling = (0..4).map(|_| filling()).collect();
        std::thread::sleep(Duration::from_millis(50));
        let refused = Std::connect_timeout(&address, Duration::from_millis(300)).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::TimedOut, "nobody answers");
        Self { address, _sockets: (listener, filling) }
    }
}

#[tokio::test]
async fn u02_black_holes() {
    let hole = BlackHole::new();
    let url = format!("http://{}", hole.address);
    let alive = Upstream::start(|_| well()).await;
    reads_go_well(&before(&[&url, &alive.url()], "").await, 20).await;
    becomes_unreachable(&before(&[&url], "").await).await;
}

#[tokio::test]
async fn u03_accepted_and_then_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let alive = Upstream::start(|_| well()).await;
    reads_go_well(&before(&[&url, &alive.url()], "").await, 20).await;
    becomes_unreachable(&before(&[&url], "").await).await;
}

#[tokio::test]
async fn u04_certificates_of_another_name_or_of_yesterday() {
    for (name, year, host) in [("localhost", 2020, "localhost"), ("localhost", 4000, "127.0.0.1")] {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let chain = vec![certificate.der().clone()];
        let mut config = builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let upstream = Upstream::options().tls(config).start(|_| well()).await;
        let config = format!(
            "[[schema]]\nprotos = [\"shop.proto\"]\n[upstreams.shop]\nendpoints = [\"https://{host}:{}\"]\ntls = {{ ca = \"ca.pem\" }}\n",
            upstream.address.port()
        );
        let gateway =
            Site::new(&config).file("shop.proto", PROTO).file("ca.pem", certificate.pem()).serve().await;
        becomes_unreachable(&gateway).await;
        assert!(upstream.calls().is_empty());
    }
}

#[tokio::test]
async fn u05_a_graceful_goaway_with_a_hundred_in_flight() {
    let (upstream, gateway) = scripted("", |_| {
        Script::new().step(Step::Request).sleep(Duration::from_millis(500)).head().message("").ok()
    })
    .await;
    // Writes, which are never sent twice.
    let calls: Vec<_> = (0..100).map(|_| tokio::spawn(gateway.post("/v1/items", "{}").fetch())).collect();
    upstream.call(99).await;
    upstream.go_away();
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(upstream.calls().len(), 100);
}

#[tokio::test]
async fn u07_refused_streams() {
    let count = AtomicUsize::new(0);
    let (upstream, gateway) = scripted("", move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Script::reset(Reason::REFUSED_STREAM),
        _ => well(),
    })
    .await;
    assert_eq!(gateway.post("/v1/items", "{}").fetch().await.status, 200);
    assert_eq!(upstream.calls().len(), 2);
}

#[tokio::test]
async fn u08_a_reset_after_the_head() {
    let script = || head().step(Step::Reset(Reason::INTERNAL_ERROR));
    assert_eq!(write_ends(script()).await, (500, 1));
    let (upstream, gateway) = behind(script()).await;
    read_ends(&gateway, (500, 13, "UPSTREAM_RESET")).await;
    assert_eq!(upstream.calls().len(), 1, "an answer had begun");
}

#[tokio::test]
async fn u09_an_end_without_trailers() {
    let script = || head().message(wire(&item("n"))).step(Step::End);
    let (_upstream, gateway) = behind(script()).await;
    read_ends(&gateway, (502, 2, "UPSTREAM_STATUS_MISSING")).await;
    let native = gateway.grpc(GET, &[vec![]]).fetch().await.grpc().unwrap_err();
    assert_eq!(native.code, Code::Unknown);
    let stream = gateway.get(CHANGES).accept("application/x-ndjson").fetch().await;
    assert!(!stream.complete && stream.text().starts_with("{\"name\":\"n\"}\n"), "{}", stream.text());
}

#[tokio::test]
async fn u10_trailers_only() {
    let (_upstream, gateway) = behind(Script::status(5, "no such item")).await;
    for target in ["/v1/items/1", CHANGES] {
        let answer = gateway.get(target).fetch().await;
        assert_eq!((answer.status, &answer.json()["message"]), (404, &"no such item".into()), "{target}");
    }
    let native = gateway.grpc(GET, &[vec![]]).fetch().await.grpc().unwrap_err();
    assert_eq!((native.code, native.message.as_ref()), (Code::NotFound, "no such item"));
}

#[tokio::test]
async fn u11_a_stall_after_the_head() {
    for script in [head().stall(), head().data(vec![0, 0, 0, 0, 9, 1]).stall()] {
        let (upstream, gateway) = scripted("timeout = \"400ms\"", move |_| script.clone()).await;
        read_ends(&gateway, (504, 4, "DEADLINE_EXCEEDED")).await;
        assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
    }
}

#[tokio::test]
async fn u12_a_stall_within_a_stream() {
    let script = head().message(wire(&item("n"))).stall();
    let (upstream, gateway) = scripted("limits = { idle = \"500ms\" }", move |_| script.clone()).await;
    let stream = gateway.get(CHANGES).accept("application/x-ndjson").fetch().await;
    assert!(stream.text().contains("STREAM_IDLE"), "{}", stream.text());
    assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn u14_u15_u16_statuses_that_are_hard_to_read() {
    type Case<'c> = (&'c [(&'c str, &'c str)], u16, u64);
    let long = "x".repeat(64 * 1024);
    let cases: &[Case<'_>] = &[
        (&[("grpc-status", "5"), ("grpc-status-details-bin", "!!!")], 404, 5),
        (&[("grpc-status", "5"), ("grpc-status-details-bin", "/////w")], 404, 5),
        (&[("grpc-status", "99")], 500, 2),
        (&[("grpc-status", "-1")], 500, 2),
        (&[("grpc-status", "")], 500, 2),
        (&[("x-other", "1")], 502, 2),
        (&[("grpc-status", "0"), ("grpc-status", "5")], 502, 2),
        (&[("grpc-status", "5"), ("grpc-status", "5")], 404, 5),
        (&[("grpc-status", "5"), ("grpc-message", "%ff%fe%zz%")], 404, 5),
    ];
    for (trailers, status, code) in cases {
        // After a head, and, where there is a status at all, alone.
        let alone = trailers.iter().any(|(name, _)| *name == "grpc-status");
        let alone = alone.then(|| Script::new().step(Step::Request));
        for script in [head().message(wire(&item("n")))].into_iter().chain(alone) {
            let (_upstream, gateway) = behind(script.trailers(trailers)).await;
            let answer = gateway.post("/v1/items", "{}").fetch().await;
            let shown = trailers.iter().map(|(name, value)| (name, value.get(..9).unwrap_or(value)));
            let shown: Vec<_> = shown.collect();
            assert_eq!((answer.status, answer.json()["code"].as_u64()), (*status, Some(*code)), "{shown:?}");
        }
    }
    let long = [("grpc-status", "5"), ("grpc-message", long.as_str())];
    assert_eq!(write_ends(head().message("").trailers(&long)).await, (404, 1));
    // Alone it is a head above the limit, of which nothing is known.
    assert_eq!(write_ends(Script::new().step(Step::Request).trailers(&long)).await, (500, 1));
}

#[tokio::test]
async fn u18_a_bomb_of_compression() {
    for algorithm in Algorithm::ALL {
        // Eight times what a message may have, in a few kilobytes.
        let bomb = algorithm.compress(&vec![0; 32 << 20]).unwrap();
        let head = [("grpc-encoding", algorithm.name())];
        let (upstream, gateway) = behind(Script::new().head_with(&head).compressed(bomb).ok()).await;
        let before = gateway.peak_memory();
        let (http, code, reason, _) = gateway.post("/v1/items", "{}").fetch().await.refusal();
        assert_eq!((http, code, reason.as_str()), (502, 8, "UPSTREAM_MESSAGE_TOO_LARGE"), "{algorithm:?}");
        let taken = gateway.peak_memory() - before;
        assert!(taken < 16 << 20, "{algorithm:?}: {taken} bytes");
        assert_eq!(upstream.calls().len(), 1);
    }
    // What only says that it is compressed.
    let script =
        Script::new().head_with(&[("grpc-encoding", "gzip")]).compressed(vec![0x1f, 0x8b, 8, 0]).ok();
    assert_eq!(write_ends(script).await, (502, 1));
}

#[tokio::test]
async fn u20_answers_that_are_not_grpcs() {
    for (status, content_type, http, code) in [
        (200, "text/html", 502, 13),
        (200, "application/json", 502, 13),
        (301, "text/html", 500, 2),
        (404, "text/html", 501, 12),
        (429, "text/plain", 503, 14),
        (503, "text/plain", 503, 14),
    ] {
        let (_upstream, gateway) = behind(Script::http(status, content_type, "<p>no")).await;
        let (told, told_code, _, origin) = gateway.post("/v1/items", "{}").fetch().await.refusal();
        assert_eq!((told, told_code, origin.as_str()), (http, code, "upstream"), "{status} {content_type}");
    }
}

#[tokio::test]
async fn u21_a_server_of_http_1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.read_u8().await.unwrap();
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    becomes_unreachable(&before(&[&url], "").await).await;
    server.abort();
}

#[tokio::test]
async fn u22_a_flood_of_tiny_messages() {
    const CHUNKS: usize = 100;
    const EACH: usize = 2000;
    let chunk = [0_u8; 5].repeat(EACH);
    let script = (0..CHUNKS).fold(Script::new().head(), |script, _| script.data(chunk.clone())).ok();
    let (_upstream, gateway) = behind(script).await;
    let mut response = gateway.get(CHANGES).accept("application/x-ndjson").send().await;
    response.until("{}").await;
    let before = gateway.peak_memory();
    // Nobody reads: what the windows and buffers hold is all that may come.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let taken = gateway.peak_memory() - before;
    assert!(taken < 8 << 20, "{taken} bytes");
    let rest = response.whole().await;
    assert!(rest.complete);
    assert!(rest.text().lines().count() > CHUNKS * EACH / 2, "{}", rest.text().lines().count());
}

#[tokio::test]
async fn u25_endpoints_that_fail() {
    let well_one = Upstream::start(|_| well()).await;
    let failing = Upstream::start(|_| Script::http(503, "text/plain", "overloaded")).await;
    let half = before(&[&well_one.url(), &failing.url()], "").await;
    reads_go_well(&half, 100).await;
    let asked = failing.calls().len();
    assert!(asked < 30, "two workers have found out after five failures each: {asked}");

    let (two, three) = (Upstream::start(|_| well()).await, Upstream::start(|_| well()).await);
    let third = before(&[&well_one.url(), &two.url(), &three.url()], "").await;
    reads_go_well(&third, 3).await;
    two.kill().await;
    reads_go_well(&third, 50).await;
    well_one.kill().await;
    three.kill().await;
    becomes_unreachable(&third).await;
}

#[tokio::test]
async fn u27_trailers_above_the_limit() {
    let huge = "x".repeat(60_000);
    let status_first = [("grpc-status", "9"), ("x-huge", huge.as_str())];
    let status_last = [("x-huge", huge.as_str()), ("grpc-status", "9")];
    assert_eq!(write_ends(head().trailers(&status_first)).await, (400, 1));
    assert_eq!(write_ends(head().trailers(&status_last)).await, (502, 1));
}

#[tokio::test]
async fn u28_a_second_message_of_a_unary_call() {
    let message = || wire(&item("n"));
    assert_eq!(write_ends(head().message(message()).message(message()).ok()).await, (502, 1));
    // Before the client has sent anything, the answer counts all the same.
    assert_eq!(write_ends(Script::new().head().message(message()).ok()).await, (200, 1));
}
