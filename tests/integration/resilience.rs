//! Retries and limits as the configuration names them, at each level and over each front.

use crate::support::script::Script;
use crate::support::shop::{item, scripted, wire};

/// Busy at first, then well.
const BUSY_ONCE: fn(usize) -> Script = |call| match call {
    0 => Script::status(14, "busy"),
    _ => Script::unary(wire(&item("n"))),
};

/// A gateway in front of an upstream that is busy once.
async fn busy_once(more: &str) -> (crate::support::upstream::Upstream, crate::support::gateway::Gateway) {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    scripted(more, move |_| BUSY_ONCE(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed))).await
}

#[tokio::test]
async fn what_is_sent_again_is_said_by_the_nearest_level() {
    let create = ("POST", "/v1/items", 503, 1);
    let get = ("GET", "/v1/items/1", 200, 2);
    let cases = [
        ("", vec![create, get]),
        ("retry = false", vec![("GET", "/v1/items/1", 503, 1)]),
        ("retry = { attempts = 1 }", vec![("GET", "/v1/items/1", 503, 1)]),
        ("retry = { codes = [\"ABORTED\"] }", vec![("GET", "/v1/items/1", 503, 1)]),
        ("retry = { idempotent = false }", vec![("GET", "/v1/items/1", 503, 1)]),
        ("retry = { idempotent = true }", vec![("POST", "/v1/items", 200, 2)]),
        (
            "retry = false\n[[policies]]\nselector = \"shop.v1.Shop.Get\"\nretry = { backoff = \"1ms\" }",
            vec![create, get],
        ),
    ];
    for (more, requests) in cases {
        for (method, target, status, sent) in requests {
            let (upstream, gateway) = busy_once(more).await;
            let answer = gateway.request(method, target).json("{}").fetch().await;
            assert_eq!((answer.status, upstream.calls().len()), (status, sent), "{more}: {method} {target}");
        }
    }
}

#[tokio::test]
async fn too_many_calls_are_refused_with_a_time_to_come_back() {
    let script = Script::new().head().message(wire(&item("n"))).stall();
    let (upstream, gateway) =
        scripted("limits = { in_flight = 1, streams = 1 }", move |_| script.clone()).await;
    let held = tokio::spawn(gateway.get("/v1/items/1").fetch());
    upstream.call(0).await;
    let refused = gateway.get("/v1/items/2").fetch().await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.refusal().2, "UPSTREAM_OVERLOADED");
    // Streams are counted apart.
    let stream = gateway.get("/v1/items/1/changes").accept("text/event-stream").send().await;
    let refused = gateway.get("/v1/items/1/changes").accept("application/x-ndjson").fetch().await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    held.abort();
    drop(stream);
}

#[tokio::test]
async fn idle_and_old_streams_end_in_band() {
    for (limits, code, reason) in
        [("idle = \"1s\"", 4, "STREAM_IDLE"), ("age = \"1s\"", 14, "STREAM_TOO_OLD")]
    {
        let script = Script::new().head().message(wire(&item("n"))).stall();
        let (_upstream, gateway) =
            scripted(&format!("limits = {{ {limits} }}"), move |_| script.clone()).await;
        let answer = gateway.get("/v1/items/1/changes").accept("application/x-ndjson").fetch().await;
        let text = answer.text();
        assert_eq!(answer.status, 200);
        assert!(text.contains(&format!("\"code\":{code}")) && text.contains(reason), "{limits}: {text}");
    }
}

#[tokio::test]
async fn slow_reads_are_hedged_where_the_policy_says_so() {
    let slow_once = |call: usize| match call {
        0 => Script::new().stall(),
        _ => Script::unary(wire(&item("n"))),
    };
    for (hedge, status, sent) in [("{ delay = \"50ms\" }", 200, 2), ("false", 504, 1)] {
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let more = format!("timeout = \"2s\"\nhedge = {hedge}");
        let (upstream, gateway) =
            scripted(&more, move |_| slow_once(calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
                .await;
        assert_eq!(gateway.get("/v1/items/1").fetch().await.status, status, "{hedge}");
        assert_eq!(upstream.calls().len(), sent, "{hedge}");
    }
}
