//! Upstreams that break the rules: each breach is a clean error that names it.

use std::time::Duration;

use h2::Reason;
use http::HeaderValue;
use transom::rpc::{Call, Code, Kind};

use crate::support::calls::*;
use crate::support::script::{Script, Step};
use crate::support::upstream::Upstream;

/// What a call ends with when the upstream plays a script.
async fn outcome(script: Script, call: Call) -> (Code, String, &'static str) {
    let upstream = Upstream::start(move |_| script.clone()).await;
    told(whole(&pool(spec(&[&upstream])), call).await)
}

fn head() -> Script {
    Script::new().step(Step::Request).head()
}

#[tokio::test]
async fn every_breach_is_named_for_unary_calls_and_streams() {
    let cases: Vec<(&str, Script, Code, &str)> = vec![
        ("no trailers", head().message("m").step(Step::End), Code::Unknown, "UPSTREAM_STATUS_MISSING"),
        (
            "trailers without a status",
            head().message("m").trailers(&[("x-a", "1")]),
            Code::Unknown,
            "UPSTREAM_STATUS_MISSING",
        ),
        (
            "two statuses",
            head().message("m").trailers(&[("grpc-status", "0"), ("grpc-status", "5")]),
            Code::Unknown,
            "UPSTREAM_STATUS_AMBIGUOUS",
        ),
        ("html", Script::http(200, "text/html", "<p>hello"), Code::Internal, "UPSTREAM_NOT_GRPC"),
        ("a redirect", Script::http(301, "text/html", ""), Code::Unknown, "UPSTREAM_HTTP_STATUS"),
        (
            "too many requests",
            Script::http(429, "text/plain", "slow"),
            Code::Unavailable,
            "UPSTREAM_HTTP_STATUS",
        ),
        (
            "503 with a body",
            Script::http(503, "text/plain", "gone"),
            Code::Unavailable,
            "UPSTREAM_HTTP_STATUS",
        ),
        ("a reset before the head", Script::reset(Reason::INTERNAL_ERROR), Code::Internal, "UPSTREAM_RESET"),
        (
            "a reset after the head",
            head().step(Step::Reset(Reason::INTERNAL_ERROR)),
            Code::Internal,
            "UPSTREAM_RESET",
        ),
        ("a cancel", head().step(Step::Reset(Reason::CANCEL)), Code::Cancelled, "UPSTREAM_RESET"),
        (
            "calm",
            head().step(Step::Reset(Reason::ENHANCE_YOUR_CALM)),
            Code::ResourceExhausted,
            "UPSTREAM_RESET",
        ),
        ("a bad flag", head().data(&[2, 0, 0, 0, 0][..]).ok(), Code::Internal, "UPSTREAM_BAD_FRAMING"),
        ("half a prefix", head().data(&[0, 0][..]).ok(), Code::Internal, "UPSTREAM_BAD_FRAMING"),
        ("half a message", head().data(&[0, 0, 0, 0, 9, 1][..]).ok(), Code::Internal, "UPSTREAM_BAD_FRAMING"),
        (
            "a length of 4 GiB",
            head().data(&[0, 255, 255, 255, 255][..]).stall(),
            Code::ResourceExhausted,
            "UPSTREAM_MESSAGE_TOO_LARGE",
        ),
        ("compression", head().compressed("m").ok(), Code::Internal, "UPSTREAM_UNEXPECTED_COMPRESSION"),
        (
            "compression that nobody asked for",
            Script::new().step(Step::Request).head_with(&[("grpc-encoding", "snappy")]).compressed("m").ok(),
            Code::Internal,
            "UPSTREAM_UNEXPECTED_COMPRESSION",
        ),
    ];
    for (what, script, code, reason) in cases {
        for call in [unary("x"), server_streaming("x")] {
            let kind = call.kind;
            let told = outcome(script.clone(), call).await;
            assert_eq!(told, (code, reason.to_owned(), "upstream"), "{what}, {}", kind.name());
        }
    }
}

#[tokio::test]
async fn a_unary_call_has_exactly_one_message() {
    let none = (Code::Internal, "UPSTREAM_NO_MESSAGE".to_owned(), "upstream");
    assert_eq!(outcome(head().ok(), unary("x")).await, none);
    let at_once = Script::new().step(Step::Request).trailers(&[("grpc-status", "0")]);
    assert_eq!(outcome(at_once.clone(), unary("x")).await, none);
    let two = (Code::Internal, "UPSTREAM_TOO_MANY_MESSAGES".to_owned(), "upstream");
    assert_eq!(outcome(head().message("1").message("2").ok(), unary("x")).await, two);
    let client_streaming = || Call { messages: one("x"), ..call(Kind::ClientStreaming) };
    assert_eq!(outcome(head().message("1").message("2").ok(), client_streaming()).await, two);
    let upstream = Upstream::start(move |_| at_once.clone()).await;
    let empty = whole(&pool(spec(&[&upstream])), server_streaming("x")).await.unwrap();
    assert!(empty.0.is_empty(), "a stream may be empty");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_before_it_arrives() {
    let upstream = Upstream::start(|_| Script::new().head().message(vec![0; 1001]).stall()).await;
    let mut call = unary("");
    call.policy = std::sync::Arc::new(transom::rpc::CallPolicy {
        message_limit: 1000,
        ..transom::rpc::CallPolicy::new(NAME)
    });
    let told = told(whole(&pool(spec(&[&upstream])), call).await);
    assert_eq!(told, (Code::ResourceExhausted, "UPSTREAM_MESSAGE_TOO_LARGE".to_owned(), "upstream"));
    assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn asked_for_compression_passes_with_its_name() {
    let upstream =
        Upstream::start(|_| Script::new().head_with(&[("grpc-encoding", "gzip")]).compressed("zipped").ok())
            .await;
    let mut call = unary("");
    call.accept_encoding = Some(HeaderValue::from_static("identity,gzip"));
    let mut reply = send(&pool(spec(&[&upstream])), call).await.unwrap();
    assert_eq!(reply.encoding.clone().unwrap(), "gzip");
    let Some(Ok(transom::rpc::Frame::Message(message))) = next(&mut reply).await else { panic!("a message") };
    assert!(message.compressed);
}

#[tokio::test]
async fn hostile_statuses_are_read_as_far_as_they_go() {
    let script = head().trailers(&[
        ("grpc-status", "99"),
        ("grpc-message", "a%ZZ%e4%bd%a0"),
        ("grpc-status-details-bin", "!!!not base64!!!"),
    ]);
    let upstream = Upstream::start(move |_| script.clone()).await;
    let status = whole(&pool(spec(&[&upstream])), unary("")).await.unwrap_err();
    assert_eq!((status.code, status.message.as_ref()), (Code::Unknown, "a%ZZ你"));
    assert!(status.details.is_empty());
}

#[tokio::test]
async fn a_head_or_trailers_over_the_limit_are_not_kept() {
    let huge = "x".repeat(60_000);
    for call in [unary("x"), server_streaming("x")] {
        let script = head().message("m").trailers(&[("grpc-status", "0"), ("x-huge", &huge)]);
        let upstream = Upstream::start(move |_| script.clone()).await;
        let (_, trailers) = whole(&pool(spec(&[&upstream])), call).await.unwrap();
        assert!(trailers.is_empty());
    }
    let script = Script::new().head_with(&[("x-huge", &huge)]).message("m").ok();
    let told = outcome(script, unary("x")).await;
    assert_eq!(told, (Code::Internal, "UPSTREAM_RESET".to_owned(), "upstream"));
}

#[tokio::test]
async fn a_stalled_answer_meets_the_deadline_and_is_cancelled() {
    let exceeded = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned(), "upstream");
    let soon = Duration::from_millis(200);
    for script in [Script::new().stall(), head().stall(), head().message("m").stall()] {
        for call in [unary("x"), server_streaming("x")] {
            let script = script.clone();
            let upstream = Upstream::start(move |_| script.clone()).await;
            let outcome = whole(&pool(spec(&[&upstream])), within(soon, call)).await;
            assert_eq!(told(outcome), exceeded);
            assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
        }
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let upstream = Upstream::start(|_| Script::unary("m")).await;
    let pool = pool(spec(&[&upstream]));
    for sent in [0, 1] {
        let outcome = whole(&pool, within(Duration::ZERO, unary(""))).await;
        assert_eq!(told(outcome).0, Code::DeadlineExceeded);
        assert_eq!(upstream.calls().len(), sent);
        // Nor when a connection is ready for it.
        whole(&pool, unary("")).await.unwrap();
    }
}
