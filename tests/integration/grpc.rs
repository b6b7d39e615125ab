//! Native gRPC through the gateway: four kinds of calls, undecoded, on the port that REST is on.

use bytes::Bytes;
use h2::Reason;
use transom::rpc::{Code, Origin};

use crate::support::script::{Script, Step};
use crate::support::shop::{self, behind, item, wire};

const KINDS: [&str; 4] = [shop::GET, shop::WATCH, shop::COLLECT, shop::TALK];

fn sent() -> Vec<Vec<u8>> {
    vec![wire(&item("a"))]
}

#[tokio::test]
async fn messages_and_metadata_pass_untouched() {
    for path in KINDS {
        // Bytes that are no message of the type: nobody reads them.
        let odd = vec![vec![0xff, 0xfe]];
        let script = Script::new()
            .head_with(&[("x-head", "1"), ("key-bin", "AAE")])
            .step(Step::Echo)
            .trailers(&[("grpc-status", "0"), ("x-tail", "2")]);
        let (upstream, gateway) = behind(script).await;
        let answer = gateway.grpc(path, &odd).header("x-mine", "3").header("mine-bin", "AAE").fetch().await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.messages(), [Bytes::from_static(&[0xff, 0xfe])], "{path}");
        assert_eq!((answer.header("x-head"), answer.header("key-bin")), ("1", "AAE"));
        assert_eq!(answer.grpc().unwrap().get("x-tail").unwrap(), "2");
        let seen = upstream.call(0).await;
        assert_eq!(seen.path, path);
        assert_eq!(
            (seen.header("x-mine"), seen.header("mine-bin"), seen.header("te")),
            ("3", "AAE", "trailers")
        );
    }
}

#[tokio::test]
async fn every_failure_is_a_status() {
    let failures = [
        ("trailers only", Script::status(7, "no"), Code::PermissionDenied, "no"),
        (
            "after a head",
            Script::new().head().trailers(&[("grpc-status", "7"), ("grpc-message", "no")]),
            Code::PermissionDenied,
            "no",
        ),
        ("reset", Script::new().head().step(Step::Reset(Reason::INTERNAL_ERROR)), Code::Internal, ""),
        (
            "no trailers",
            Script::new().head().message("x").step(Step::End),
            Code::Unknown,
            "without a grpc-status",
        ),
    ];
    for path in KINDS {
        for (what, script, code, message) in failures.clone() {
            let (_upstream, gateway) = behind(script).await;
            let status = gateway.grpc(path, &sent()).fetch().await.grpc().unwrap_err();
            assert_eq!(status.code, code, "{path} {what}: {status}");
            assert!(status.message.contains(message), "{path} {what}: {status}");
        }
    }
}

#[tokio::test]
async fn both_sides_of_a_bidi_call_flow() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    let messages: Vec<_> = ["a", "b", "c"].iter().map(|name| wire(&item(name))).collect();
    let answer = gateway.grpc(shop::TALK, &messages).fetch().await;
    assert_eq!(answer.messages(), messages);
    assert!(answer.grpc().is_ok());
}

#[tokio::test]
async fn a_unary_call_has_exactly_one_message() {
    let (upstream, gateway) = behind(Script::echo()).await;
    for messages in [vec![], vec![wire(&item("a")), wire(&item("b"))]] {
        let status = gateway.grpc(shop::GET, &messages).fetch().await.grpc().unwrap_err();
        assert_eq!(
            (status.code, status.reason().as_deref()),
            (Code::Unimplemented, Some("REQUEST_CARDINALITY"))
        );
    }
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn requests_that_are_no_calls_are_refused_in_grpc() {
    let (upstream, gateway) = behind(Script::echo()).await;
    let unknown = gateway.grpc("/shop.v1.Shop/Nothing", &sent()).fetch().await;
    assert_eq!((unknown.status, unknown.grpc().unwrap_err().code), (200, Code::Unimplemented));
    let timeout = gateway.grpc(shop::GET, &sent()).header("grpc-timeout", "1x").fetch().await;
    assert_eq!((timeout.status, timeout.grpc().unwrap_err().code), (400, Code::InvalidArgument));
    let large = gateway.grpc(shop::GET, &[vec![0; 5 << 20]]).fetch().await;
    assert_eq!(large.grpc().unwrap_err().code, Code::ResourceExhausted);
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn deadlines_are_kept_by_the_gateway() {
    for path in KINDS {
        let (upstream, gateway) = behind(Script::new().stall()).await;
        let status =
            gateway.grpc(path, &sent()).header("grpc-timeout", "300m").fetch().await.grpc().unwrap_err();
        assert_eq!(status.code, Code::DeadlineExceeded, "{path}");
        assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
    }
}

#[tokio::test]
async fn what_is_reserved_or_excluded_is_never_routed() {
    let upstream = crate::support::upstream::Upstream::start(|_| Script::echo()).await;
    let config = shop::config(&upstream, "").replace(
        "protos = [\"shop.proto\"]",
        "protos = [\"shop.proto\"]\nexclude = [\"shop.v1.Internal.*\"]",
    );
    let gateway = crate::support::site::Site::new(&config).file("shop.proto", shop::PROTO).serve().await;
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/shop.v1.Internal/Secret",
    ] {
        let status = gateway.grpc(path, &sent()).fetch().await.grpc().unwrap_err();
        assert_eq!((status.code, status.origin), (Code::Unimplemented, Origin::Upstream), "{path}");
        assert_eq!(gateway.post(path, "{}").fetch().await.status, 404, "{path}");
    }
    assert_eq!(gateway.get("/v1/secrets/x").fetch().await.status, 404);
    assert!(upstream.calls().is_empty());
}
