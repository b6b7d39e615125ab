//! Server streams over HTTP and JSON: every framing against everything that may become of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use h2::Reason;

use crate::support::client::Answer;
use crate::support::events::{RETRY, settled};
use crate::support::script::Script;
use crate::support::shop::{behind, item, scripted, wire};

const WATCH: &str = "/v1/items/1/changes";

/// A framing, by what it is asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Array,
    Ndjson,
    Sse,
}

use Framing::{Array, Ndjson, Sse};

impl Framing {
    const ALL: [Self; 3] = [Array, Ndjson, Sse];

    fn media_type(self) -> &'static str {
        match self {
            Array => "application/json",
            Ndjson => "application/x-ndjson",
            Sse => "text/event-stream",
        }
    }

    /// The body of a stream of these messages that ended well.
    fn whole(self, names: &[&str]) -> String {
        let messages: Vec<_> = names.iter().map(|name| format!("{{\"name\":\"{name}\"}}")).collect();
        match self {
            Array => format!("[{}]", messages.join(",")),
            Ndjson => messages.iter().map(|message| format!("{message}\n")).collect(),
            Sse => {
                let events: String = messages.iter().map(|message| format!("data: {message}\n\n")).collect();
                format!(": ok\nretry: 2000\n\n{events}event: end\nid: transom-end\ndata: {{\"code\":0}}\n\n")
            }
        }
    }

    /// What is left of such a body when the stream fails instead of ending, and whether it is cut off.
    fn broken(self, names: &[&str]) -> (String, bool) {
        let whole = self.whole(names);
        match self {
            Array => (whole.trim_end_matches(']').to_owned() + ",{\"error\":", false),
            Ndjson => (format!("{whole}{{\"error\":"), false),
            Sse => (
                whole.replace("event: end\nid: transom-end\ndata: {\"code\":0}\n\n", "event: error\ndata: "),
                true,
            ),
        }
    }
}

fn messages(names: &[&str]) -> Script {
    names.iter().fold(Script::new().head(), |script, name| script.message(wire(&item(name))))
}

async fn fetch(script: Script, framing: Framing) -> Answer {
    let (_upstream, gateway) = behind(script).await;
    gateway.get(WATCH).accept(framing.media_type()).fetch().await
}

#[tokio::test]
async fn messages_and_their_end_arrive() {
    for framing in Framing::ALL {
        for names in [&[][..], &["a"], &["a", "b", "c"]] {
            let answer = fetch(messages(names).ok(), framing).await;
            assert_eq!((answer.status, answer.complete), (200, true), "{framing:?} {names:?}");
            assert_eq!(answer.header("content-type"), framing.media_type());
            assert_eq!(answer.header("cache-control"), "no-cache, no-transform");
            assert_eq!(settled(answer.text(), RETRY), framing.whole(names));
        }
    }
}

#[tokio::test]
async fn a_failure_before_any_message_has_its_real_status() {
    let failures = [
        (Script::status(5, "gone"), 404),
        (Script::new().head().trailers(&[("grpc-status", "14")]), 503),
        (Script::reset(Reason::INTERNAL_ERROR), 502),
        (Script::http(200, "text/html", "<p>"), 502),
    ];
    for framing in Framing::ALL {
        for (script, status) in failures.clone() {
            let answer = fetch(script.clone(), framing).await;
            assert_eq!(answer.header("content-type"), "application/json", "{framing:?} {script:?}");
            assert!(answer.complete);
            if status == 502 {
                assert!(answer.status >= 500, "{framing:?} {script:?}: {}", answer.text());
            } else {
                assert_eq!(answer.status, status, "{framing:?} {script:?}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_is_never_taken_for_an_end() {
    let failures = [
        (
            "status",
            messages(&["a", "b"])
                .sleep(Duration::from_millis(400))
                .trailers(&[("grpc-status", "9"), ("grpc-message", "no")]),
        ),
        ("at once", messages(&["a", "b"]).trailers(&[("grpc-status", "9"), ("grpc-message", "no")])),
        (
            "reset",
            messages(&["a", "b"])
                .sleep(Duration::from_millis(400))
                .step(crate::support::script::Step::Reset(Reason::INTERNAL_ERROR)),
        ),
        ("no trailers", messages(&["a", "b"]).step(crate::support::script::Step::End)),
        ("undecodable", messages(&["a", "b"]).message(vec![0x0a, 200]).ok()),
        ("compressed", messages(&["a", "b"]).compressed(wire(&item("c"))).ok()),
    ];
    for framing in Framing::ALL {
        for (what, script) in &failures {
            for http2 in [false, true] {
                let (_upstream, gateway) = behind(script.clone()).await;
                let request = gateway.get(WATCH).accept(framing.media_type());
                let answer = if http2 { request.http2() } else { request }.fetch().await;
                let (left, complete) = framing.broken(&["a", "b"]);
                assert_eq!(answer.status, 200, "{framing:?} {what}");
                assert_eq!(answer.complete, complete, "{framing:?} {what} h2={http2}: {}", answer.text());
                let text = settled(answer.text(), RETRY);
                assert!(text.starts_with(&left), "{framing:?} {what}: {text:?} {left:?}");
                if what.ends_with("status") {
                    assert!(answer.text().contains(r#"{"code":9,"message":"no"}"#), "{}", answer.text());
                }
            }
        }
    }
}

#[tokio::test]
async fn a_slow_stream_gets_its_head_first() {
    let script = Script::new().head().sleep(Duration::from_secs(2)).message(wire(&item("late"))).ok();
    for framing in [Sse, Array] {
        let (_upstream, gateway) = behind(script.clone()).await;
        let mut response = gateway.get(WATCH).accept(framing.media_type()).send().await;
        assert_eq!(response.status, 200);
        let opening = if framing == Sse { ": ok\nretry: 2000\n\n" } else { "[" };
        let read = response.until(if framing == Sse { "\n\n" } else { "[" }).await;
        assert_eq!(settled(&read, RETRY), opening);
        response.until("late").await;
    }
}

#[tokio::test]
async fn the_wait_for_the_first_message_can_be_set() {
    let failing = |_: &_| {
        Script::new()
            .sleep(Duration::from_millis(600))
            .step(crate::support::script::Step::Request)
            .trailers(&[("grpc-status", "5")])
    };
    let (_upstream, gateway) = scripted("stream_headers_after = \"30s\"", failing).await;
    assert_eq!(gateway.get(WATCH).accept("text/event-stream").fetch().await.status, 404);
    let (_upstream, gateway) = scripted("stream_headers_after = \"1ms\"", failing).await;
    let answer = gateway.get(WATCH).accept("text/event-stream").fetch().await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("event: error\ndata: {\"code\":5"), "{}", answer.text());
}

#[tokio::test]
async fn accept_chooses_and_a_route_may_fix() {
    let (_upstream, gateway) = behind(messages(&["a"]).ok()).await;
    let chosen = [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json;q=0.1, text/event-stream", "text/event-stream"),
        ("application/x-ndjson, */*;q=0.1", "application/x-ndjson"),
    ];
    for (accept, expected) in chosen {
        let request = if accept.is_empty() { gateway.get(WATCH) } else { gateway.get(WATCH).accept(accept) };
        assert_eq!(request.fetch().await.header("content-type"), expected, "{accept}");
    }
    assert_eq!(
        gateway.get(WATCH).accept("text/html").fetch().await.refusal(),
        (406, 3, "NOT_ACCEPTABLE".into(), "client".into())
    );
    let (_upstream, gateway) = scripted("stream = \"ndjson\"", |_| messages(&["a"]).ok()).await;
    assert_eq!(gateway.get(WATCH).fetch().await.header("content-type"), "application/x-ndjson");
}

#[tokio::test]
async fn a_unary_method_can_be_one_event() {
    let (_upstream, gateway) = behind(Script::unary(wire(&item("a")))).await;
    for framing in [Ndjson, Sse] {
        let answer = gateway.get("/v1/items/1").accept(framing.media_type()).fetch().await;
        assert_eq!(settled(answer.text(), RETRY), framing.whole(&["a"]));
    }
}

#[tokio::test]
async fn raw_streams_are_joined() {
    let piece = |data: &[u8]| {
        wire(&crate::support::shop::HttpBody { content_type: "text/plain".into(), data: data.to_vec() })
    };
    let script = Script::new().head().message(piece(b"ab")).message(piece(b"c")).ok();
    let (_upstream, gateway) = behind(script).await;
    let answer = gateway.get("/v1/tail/x/y").accept("text/plain").fetch().await;
    assert_eq!((answer.status, answer.header("content-type"), answer.text()), (200, "text/plain", "abc"));
}

#[tokio::test]
async fn a_heartbeat_keeps_a_silent_stream_alive() {
    let script = |_: &_| messages(&["a"]).sleep(Duration::from_millis(500)).ok();
    let (_upstream, gateway) = scripted("sse = { heartbeat = \"50ms\", retry = \"1s\" }", script).await;
    let answer = gateway.get(WATCH).accept("text/event-stream").fetch().await;
    let text = settled(answer.text(), 1000);
    assert!(text.starts_with(": ok\nretry: 1000\n\ndata: {\"name\":\"a\"}\n\n:\n\n:\n\n"), "{text}");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_stream() {
    for framing in Framing::ALL {
        let (upstream, gateway) = behind(messages(&["a"]).stall()).await;
        let mut response = gateway.get(WATCH).accept(framing.media_type()).send().await;
        response.until("{\"name\":\"a\"}").await;
        drop(response);
        assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL, "{framing:?}");
    }
}

/// The milliseconds of the `retry:` that such a body ends with.
fn last_retry(body: &str) -> u64 {
    let (_, last) = body.rsplit_once("\n\nretry: ").unwrap_or_else(|| panic!("no retry: in {body:?}"));
    last.strip_suffix("\n\n").and_then(|last| last.parse().ok()).unwrap_or_else(|| panic!("{body:?}"))
}

#[tokio::test]
async fn who_comes_back_with_the_end_is_told_to_stop() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let script = move |_: &_| {
        counted.fetch_add(1, Ordering::Relaxed);
        messages(&["a"]).ok()
    };
    let (_upstream, gateway) = scripted("", script).await;
    let cases = [
        ("text/event-stream", "transom-end", 204),
        ("text/event-stream", "transom-end0", 200),
        ("application/x-ndjson", "transom-end", 200),
        ("application/json", "transom-end", 200),
    ];
    for http2 in [false, true] {
        for (accept, id, status) in cases {
            let before = calls.load(Ordering::Relaxed);
            let request = gateway.get(WATCH).accept(accept).header("last-event-id", id);
            let answer = if http2 { request.http2() } else { request }.fetch().await;
            assert_eq!(answer.status, status, "{accept} {id}");
            assert_eq!(answer.text().is_empty(), status == 204, "{accept} {id}: {}", answer.text());
            let called = calls.load(Ordering::Relaxed) - before;
            assert_eq!(called, usize::from(status == 200), "{accept} {id}");
        }
    }
}

#[tokio::test]
async fn what_can_be_tried_again_ends_without_an_event() {
    for (code, is_retryable) in [("14", true), ("13", false), ("8", false), ("4", false)] {
        let script = messages(&["a"]).trailers(&[("grpc-status", code)]);
        let answer = fetch(script, Sse).await;
        assert!(answer.complete && answer.status == 200, "{code}");
        let text = answer.text();
        assert!(
            text.contains("data: {\"name\":\"a\"}\n\n") && !text.contains("event: end"),
            "{code}: {text}"
        );
        assert_eq!(text.contains("event: error"), !is_retryable, "{code}: {text}");
        if is_retryable {
            assert!((2000..4000).contains(&last_retry(text)), "{text}");
        }
    }
}

#[tokio::test]
async fn events_end_early_when_the_process_drains() {
    for http2 in [false, true] {
        let (upstream, gateway) = behind(messages(&["a"]).stall()).await;
        let request = gateway.get(WATCH).accept("text/event-stream");
        let mut response = if http2 { request.http2() } else { request }.send().await;
        response.until("{\"name\":\"a\"}").await;
        gateway.signal("TERM").await;
        let answer = tokio::time::timeout(Duration::from_secs(10), response.whole()).await.unwrap();
        assert!(answer.complete, "{}", answer.text());
        assert!((2000..4000).contains(&last_retry(&format!("\n\n{}", answer.text().trim_start()))));
        assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
    }
}
