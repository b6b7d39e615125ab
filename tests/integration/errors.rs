//! Errors as HTTP and JSON clients see them.

use base64_simd::STANDARD;
use prost::Message as _;
use transom::rpc::{Any, Code, Origin, Status, trailers};

use crate::support::client::raw;
use crate::support::script::{Script, Step};
use crate::support::shop::{behind, item, scripted, wire};

fn status(answer: (u16, u64, &str, &str)) -> (u16, u64, String, String) {
    (answer.0, answer.1, answer.2.to_owned(), answer.3.to_owned())
}

#[tokio::test]
async fn every_code_has_its_http_status() {
    for code in Code::ALL.into_iter().skip(1) {
        let (_upstream, gateway) = behind(Script::status(code.number(), "why%20not")).await;
        let answer = gateway.post("/v1/items", "{}").fetch().await;
        assert_eq!(answer.status, code.http_status(), "{code}");
        assert_eq!(answer.json(), serde_json::json!({"code": code.number(), "message": "why not"}));
        let challenge = if code == Code::Unauthenticated { "Bearer" } else { "" };
        assert_eq!(answer.header("www-authenticate"), challenge, "{code}");
    }
}

#[tokio::test]
async fn an_upstreams_own_challenge_is_kept() {
    let refused = Script::new()
        .step(Step::Request)
        .trailers(&[("grpc-status", "16"), ("www-authenticate", "Basic realm=x")]);
    let (_upstream, gateway) = behind(refused).await;
    let answer = gateway.post("/v1/items", "{}").fetch().await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Basic realm=x"));
}

#[tokio::test]
async fn details_survive_known_or_not() {
    let sent = Status {
        details: vec![
            Any { type_url: "type.googleapis.com/shop.v1.Item".into(), value: wire(&item("n")).into() },
            Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
                value: vec![0x0a, 2, 8, 3].into(),
            },
            Any { type_url: "example.com/nobody.Knows".into(), value: vec![1, 2, 3].into() },
            Any { type_url: "type.googleapis.com/shop.v1.Item".into(), value: vec![0xff].into() },
        ],
        ..Status::new(Code::NotFound, Origin::Upstream, "X", "gone")
    };
    let mut map = http::HeaderMap::new();
    trailers::write(&sent, &mut map);
    let pairs: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let (_upstream, gateway) = behind(Script::new().step(Step::Request).trailers(&pairs)).await;
    let expected = serde_json::json!({
        "code": 5,
        "message": "gone",
        "details": [
            {"@type": "type.googleapis.com/shop.v1.Item", "name": "n"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"},
            {"@type": "example.com/nobody.Knows", "value": "AQID"},
            {"@type": "type.googleapis.com/shop.v1.Item", "value": "/w=="},
        ],
    });
    assert_eq!(gateway.get("/v1/items/1").fetch().await.json(), expected);
}

#[tokio::test]
async fn hostile_endings_are_the_upstreams_fault() {
    let bad_details = STANDARD.encode_to_string(prost::bytes::Bytes::from(vec![0xff_u8; 3]).encode_to_vec());
    let cases = [
        (Script::new().head().message(wire(&item("n"))).step(Step::End), 502),
        (Script::new().step(Step::Request).trailers(&[("grpc-status", "99")]), 500),
        (Script::new().step(Step::Request).trailers(&[("grpc-status", "0"), ("grpc-status", "5")]), 502),
        (
            Script::new()
                .step(Step::Request)
                .trailers(&[("grpc-status", "5"), ("grpc-status-details-bin", "!!!")]),
            404,
        ),
        (
            Script::new()
                .step(Step::Request)
                .trailers(&[("grpc-status", "5"), ("grpc-status-details-bin", &bad_details)]),
            404,
        ),
        (Script::unary(vec![0x0a, 200]), 502),
        (Script::new().head().compressed(wire(&item("n"))).ok(), 502),
        (Script::new().head().ok(), 502),
    ];
    for (script, expected) in cases {
        let (_upstream, gateway) = behind(script.clone()).await;
        let answer = gateway.post("/v1/items", "{}").fetch().await;
        assert_eq!(answer.status, expected, "{script:?}: {}", answer.text());
        assert!(answer.complete && answer.json()["code"].is_u64());
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    let bodies = [
        ("{", "", ""),
        (r#"{"name":1}"#, "item.name", ""),
        (r#"{"tags":["a",7]}"#, "item.tags[1]", ""),
        (r#"{"price":"x"}"#, "item.price", ""),
        (r#"{"size":"HUGE"}"#, "item.size", "HUGE"),
        (r#"{"nmae":"x"}"#, "item.nmae", ""),
        (r#"{"name":"a","name":"b"}"#, "item.name", ""),
    ];
    for (body, field, description) in bodies {
        let answer = gateway.post("/v1/items", body).fetch().await;
        assert_eq!(answer.refusal(), status((400, 3, "INVALID_BODY", "client")), "{body}");
        let violation = &answer.json()["details"][1]["fieldViolations"][0];
        if !field.is_empty() {
            assert_eq!(violation["field"], field, "{body}: {violation}");
        }
        assert!(violation["description"].as_str().unwrap().contains(description), "{body}: {violation}");
    }
    let answer = gateway.get("/v1/items/1?revision=x&nothing=1").fetch().await;
    assert_eq!(answer.refusal(), status((400, 3, "INVALID_PARAMETER", "client")));
    let violations = answer.json()["details"][1]["fieldViolations"].clone();
    let fields: Vec<_> =
        violations.as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fields, ["revision", "nothing"]);
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn requests_that_fit_nothing_are_told_apart() {
    let (upstream, gateway) =
        scripted("limits = { body = \"1KiB\" }", |_| Script::unary(wire(&item("n")))).await;
    let nothing = gateway.get("/v1/nothing").fetch().await;
    assert_eq!(nothing.refusal(), status((404, 5, "ROUTE_NOT_FOUND", "client")));
    let method = gateway.request("DELETE", "/v1/items").fetch().await;
    assert_eq!(method.refusal(), status((405, 12, "METHOD_NOT_ALLOWED", "client")));
    assert_eq!(method.header("allow"), "GET, HEAD, OPTIONS, POST");
    let options = gateway.request("OPTIONS", "/v1/items").fetch().await;
    assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS, POST"));
    let form = gateway
        .request("POST", "/v1/items")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("a=b");
    let form = form.fetch().await;
    assert_eq!(form.refusal(), status((415, 3, "UNSUPPORTED_MEDIA_TYPE", "client")));
    assert_eq!(form.header("accept-post"), "application/json");
    let html = gateway.get("/v1/items/1").accept("text/html").fetch().await;
    assert_eq!(html.refusal(), status((406, 3, "NOT_ACCEPTABLE", "client")));
    let large = gateway.post("/v1/items", &format!("{{\"name\":\"{}\"}}", "x".repeat(1024))).fetch().await;
    assert_eq!(large.refusal(), status((413, 8, "BODY_TOO_LARGE", "client")));
    for name in ["grpc-timeout", "connect-timeout-ms", "x-request-timeout"] {
        let timeout = gateway.get("/v1/items/1").header(name, "soon").fetch().await;
        assert_eq!(timeout.refusal(), status((400, 3, "INVALID_TIMEOUT", "client")), "{name}");
    }
    let path = gateway.get("/v1/items/%zz").fetch().await;
    assert_eq!(path.refusal(), status((400, 3, "INVALID_PATH", "client")));
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let (_upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "a".repeat(9000));
    assert!(raw(gateway.public, long.as_bytes()).await.starts_with("HTTP/1.1 414 "));
    let many: String = (0..101).map(|n| format!("x-{n}: y\r\n")).collect();
    let many = format!("GET /v1/items/1 HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    assert!(raw(gateway.public, many.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let big = format!("GET /v1/items/1 HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(40_000));
    assert!(raw(gateway.public, big.as_bytes()).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_504_and_cancelled() {
    let (upstream, gateway) = scripted("timeout = \"300ms\"", |_| Script::new().stall()).await;
    let answer = gateway.get("/v1/items/1").fetch().await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (504, Some(4)));
    assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
}

#[tokio::test]
async fn a_client_says_itself_when_a_call_takes_too_long() {
    let (upstream, gateway) = behind(Script::new().stall()).await;
    let timeouts = [("grpc-timeout", "300m"), ("connect-timeout-ms", "300"), ("x-request-timeout", "0.3")];
    for (number, (name, value)) in timeouts.into_iter().enumerate() {
        let answer = gateway.get("/v1/items/1").header(name, value).fetch().await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (504, Some(4)), "{name}");
        assert_eq!(upstream.call(number).await.reset().await, h2::Reason::CANCEL, "{name}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_503() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    upstream.kill().await;
    let answer = gateway.get("/v1/items/1").fetch().await;
    let (http, code, _, origin) = answer.refusal();
    assert_eq!((http, code, origin.as_str()), (503, 14, "upstream"));
}

#[tokio::test]
async fn a_refused_upload_over_http2_is_read_to_its_end() {
    let (_upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    let socket = tokio::net::TcpStream::connect(gateway.public).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://x/nothing").body(()).unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    assert_eq!(response.await.unwrap().status(), 404);
    // Six times the window of a stream: nothing of it can be sent unless the other side goes on reading.
    for _ in 0..6 {
        body.reserve_capacity(64 * 1024);
        let mut left = 64 * 1024;
        while left > 0 {
            let free =
                std::future::poll_fn(|cx| body.poll_capacity(cx)).await.expect("no end").expect("no reset");
            let piece = free.min(left);
            body.send_data(vec![0; piece].into(), false).unwrap();
            left -= piece;
        }
    }
    body.send_data(prost::bytes::Bytes::new(), true).unwrap();
}
