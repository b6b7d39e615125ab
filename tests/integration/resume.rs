//! Streams that go on after their upstream died, and after their client did.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use h2::Reason;
use http::Version;

use crate::support::client::Request;
use crate::support::events::{self, RETRY, settled};
use crate::support::feed::Transport::{self, Array, Ndjson, Sse};
use crate::support::feed::{RESUME, WATCH, after, change, changes, cursors};
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{item, scripted, site, wire};
use crate::support::upstream::Upstream;
use crate::support::websocket;

const KEY: &str = r#"resume = { response_field = "price", request_field = "revision" }"#;

/// A gateway before an upstream whose streams bring two changes and break, until the last of `count`.
async fn breaking(count: i64, more: &str, breaks: Script) -> (Upstream, Gateway) {
    scripted(&format!("{RESUME}\n{more}"), move |_| {
        let breaks = breaks.clone();
        Script::asked(move |seen| {
            let after = after(seen);
            if after + 2 >= count {
                return changes(after, count - after).ok();
            }
            breaks.steps.iter().cloned().fold(changes(after, 2), Script::step)
        })
    })
    .await
}

fn trailers(code: &str) -> Script {
    Script::new().trailers(&[("grpc-status", code), ("grpc-message", "no")])
}

/// What was sent has gone before something discards it.
fn later() -> Script {
    Script::new().sleep(Duration::from_millis(100))
}

/// Everything that cuts a stream off.
fn interruptions() -> Vec<(&'static str, Script)> {
    vec![
        ("unavailable", trailers("14")),
        (
            "unavailable, later",
            Script::new().sleep(Duration::from_millis(300)).step(trailers("14").steps[0].clone()),
        ),
        ("reset", later().step(Step::Reset(Reason::INTERNAL_ERROR))),
        ("cancelled", later().step(Step::Reset(Reason::CANCEL))),
        ("refused", later().step(Step::Reset(Reason::REFUSED_STREAM))),
        ("hung up", later().step(Step::HangUp)),
        ("aborted", later().step(Step::Abort(Reason::NO_ERROR)).stall()),
        ("going away", Script::new().step(Step::GoAway).step(trailers("14").steps[0].clone())),
    ]
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_unnoticed() {
    for (what, breaks) in interruptions() {
        let (upstream, gateway) = breaking(7, "", breaks).await;
        for transport in Transport::ALL {
            let before = upstream.calls().len();
            assert_eq!(transport.watch(&gateway).await, ((1..=7).collect(), true), "{transport:?} {what}");
            let asked: Vec<_> = upstream.calls()[before..].iter().map(|seen| after(seen)).collect();
            assert_eq!(asked, [0, 2, 4, 6], "{transport:?} {what}");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_repeats_the_last_message_is_not_repeated() {
    for count in [1_i64, 2] {
        // Each cursor comes `count` times, and comes again when it is asked for what follows.
        let (_upstream, gateway) = scripted(RESUME, move |_| {
            Script::asked(move |seen| {
                let after = after(seen);
                let first = after.max(1);
                let cursors = (first..=first + 1).flat_map(|cursor| (0..count).map(move |_| cursor));
                let script = cursors
                    .filter(|cursor| *cursor <= 4)
                    .fold(Script::new().head(), |script, cursor| script.message(wire(&change(cursor))));
                if after >= 4 { script.ok() } else { script.trailers(&[("grpc-status", "14")]) }
            })
        })
        .await;
        for transport in Transport::ALL {
            let expected: Vec<_> = (1..=4).flat_map(|cursor| (0..count).map(move |_| cursor)).collect();
            assert_eq!(transport.watch(&gateway).await, (expected, true), "{transport:?} {count}");
        }
    }
}

#[tokio::test]
async fn tries_are_bounded_and_counted_afresh_after_a_message() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (_upstream, gateway) = scripted(&format!("{RESUME}\nretry = false"), move |_| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        Script::asked(move |seen| match (call, after(seen)) {
            // Three tries fail before each message, and all behind the third.
            (call, after) if call % 4 == 0 && after < 3 => {
                changes(after, 1).trailers(&[("grpc-status", "14")])
            }
            _ => Script::status(14, "down"),
        })
    })
    .await;
    let answer = gateway.get(WATCH).accept("application/x-ndjson").fetch().await;
    assert_eq!(cursors(answer.text().lines()), [1, 2, 3]);
    assert!(!answer.complete && answer.text().contains("{\"error\":{\"code\":14,"), "{}", answer.text());
    // Three with a message, three failures before each but the first, and five behind the last.
    assert_eq!(calls.load(Ordering::Relaxed), 3 + 2 * 3 + 5);
}

#[tokio::test]
async fn what_is_no_interruption_ends_the_stream() {
    for code in ["3", "5", "8", "9", "11", "13"] {
        for breaks in [trailers(code), trailers("14")] {
            // Either the stream fails, or the call that would go on with it.
            let (upstream, gateway) = scripted(RESUME, move |_| {
                let breaks = breaks.clone();
                Script::asked(move |seen| match after(seen) {
                    0 => breaks.steps.iter().cloned().fold(changes(0, 1), Script::step),
                    _ => trailers(code),
                })
            })
            .await;
            let answer = gateway.get(WATCH).accept("application/x-ndjson").fetch().await;
            assert_eq!(cursors(answer.text().lines()), [1]);
            let told = format!("{{\"error\":{{\"code\":{code},");
            assert!(!answer.complete && answer.text().contains(&told), "{}", answer.text());
            assert!(upstream.calls().len() <= 2);
        }
    }
}

#[tokio::test]
async fn a_stream_without_resume_ends_with_its_upstream() {
    let breaking = |_: &_| changes(0, 1).trailers(&[("grpc-status", "14")]);
    let off = |method: &str| format!("[[policies]]\nselector = \"shop.v1.Shop.{method}\"\nresume = false\n");
    for more in [String::new(), format!("{KEY}\n{}{}", off("Watch"), off("Tail"))] {
        let (upstream, gateway) = scripted(&more, breaking).await;
        let answer = gateway.get(WATCH).accept("application/x-ndjson").fetch().await;
        assert!(!answer.complete && answer.text().contains("\"code\":14"), "{}", answer.text());
        assert_eq!(upstream.calls().len(), 1);
    }
}

#[tokio::test]
async fn behind_a_message_without_a_cursor_nobody_guesses() {
    let (upstream, gateway) = scripted(RESUME, |_| {
        changes(0, 1).message(wire(&item("heartbeat"))).trailers(&[("grpc-status", "14")])
    })
    .await;
    let answer = gateway.get(WATCH).accept("text/event-stream").fetch().await;
    let parsed = events::parse(answer.text());
    assert_eq!(parsed.events.len(), 2, "{}", answer.text());
    // The id is still that of the message before, from where the client itself goes on.
    assert_eq!((parsed.last_id.as_str(), upstream.calls().len()), ("1", 1));
}

#[tokio::test]
async fn before_the_first_message_a_failure_has_its_status_and_later_is_mended() {
    let (upstream, gateway) = scripted(&format!("{RESUME}\nretry = false"), |_| {
        Script::new().head().trailers(&[("grpc-status", "14")])
    })
    .await;
    for transport in [Array, Ndjson, Sse] {
        let accept = match transport {
            Array => "application/json",
            Ndjson => "application/x-ndjson",
            _ => "text/event-stream",
        };
        assert_eq!(gateway.get(WATCH).accept(accept).fetch().await.status, 503);
    }
    assert_eq!(upstream.calls().len(), 3);
    // The status line has gone out, and no message with it; the upstream's own head had come, or had not.
    for headed in [true, false] {
        let calls = Arc::new(AtomicUsize::new(0));
        let first = move || if headed { Script::new().head() } else { Script::new() };
        let script = move |_: &_| match calls.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => first().sleep(Duration::from_millis(600)).trailers(&[("grpc-status", "14")]),
            _ => Script::asked(|seen| changes(after(seen), 2).ok()),
        };
        let (upstream, gateway) = scripted(&format!("{RESUME}\nretry = false"), script).await;
        for transport in Transport::ALL {
            assert_eq!(transport.watch(&gateway).await, (vec![1, 2], true), "{transport:?}, {headed}");
        }
        assert_eq!(upstream.calls().len(), 2 * Transport::ALL.len());
    }
}

#[tokio::test]
async fn no_try_outlasts_the_deadline_or_the_age_of_the_stream() {
    // Each stream brings a message and dies, so that there is always progress.
    let forever = |_: &_| {
        Script::asked(|seen| {
            changes(after(seen), 1).sleep(Duration::from_millis(50)).trailers(&[("grpc-status", "14")])
        })
    };
    let (upstream, gateway) = scripted(RESUME, forever).await;
    let request = gateway.get(WATCH).accept("application/x-ndjson").header("x-request-timeout", "1");
    let answer = request.fetch().await;
    assert!(!answer.complete && upstream.calls().len() > 2, "{}", answer.text());
    let (upstream, gateway) = scripted(&format!("{RESUME}\nlimits = {{ age = \"1s\" }}"), forever).await;
    let answer = gateway.get(WATCH).accept("application/x-ndjson").fetch().await;
    assert!(!answer.complete && answer.text().contains("STREAM_TOO_OLD"), "{}", answer.text());
    assert!(upstream.calls().len() > 2);
}

#[tokio::test]
async fn a_client_that_leaves_while_its_stream_is_opened_again_is_forgotten() {
    let (upstream, gateway) = scripted(&format!("{RESUME}\nretry = false"), |_| {
        Script::asked(|seen| match after(seen) {
            0 => changes(0, 1).trailers(&[("grpc-status", "14")]),
            _ => Script::new().head().stall(),
        })
    })
    .await;
    for accept in ["text/event-stream", "application/x-ndjson"] {
        let before = upstream.calls().len();
        let mut response = gateway.get(WATCH).accept(accept).send().await;
        response.until("n1").await;
        let resumed = upstream.call(before + 1).await;
        drop(response);
        assert_eq!(resumed.reset().await, Reason::CANCEL);
    }
}

/// A gateway before an upstream that sends two changes after where it is asked to start.
async fn two() -> (Upstream, Gateway) {
    scripted(RESUME, |_| Script::asked(|seen| changes(after(seen), 2).ok())).await
}

#[tokio::test]
async fn clients_come_back_with_the_last_id_they_have_seen() {
    let (upstream, gateway) = two().await;
    let get = |target: &str| gateway.get(target).accept("text/event-stream");
    let cases: [(Request, i64); 8] = [
        (get(WATCH), 0),
        (get(WATCH).header("last-event-id", "7"), 7),
        (get(&format!("{WATCH}?lastEventId=8")), 8),
        (get(&format!("{WATCH}?lastEventId=8&size=2")).header("last-event-id", "9"), 9),
        // The page's address still says where it began.
        (get(&format!("{WATCH}?revision=3")).header("last-event-id", "9"), 9),
        (get(&format!("{WATCH}?revision=3")), 3),
        (get(&format!("{WATCH}?lastEventId=")).header("last-event-id", ""), 0),
        (gateway.get(WATCH).accept("application/x-ndjson").header("last-event-id", "5"), 5),
    ];
    for (number, (request, expected)) in cases.into_iter().enumerate() {
        let answer = request.fetch().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(after(&*upstream.call(number).await), expected, "{number}");
        if number < 7 {
            let body = format!(
                ": ok\nretry: 2000\n\nid: {}\ndata: {{\"name\":\"n{0}\",\"price\":\"{0}\"}}\n\nid: {}\ndata: \
                 {{\"name\":\"n{1}\",\"price\":\"{1}\"}}\n\nevent: end\nid: transom-end\ndata: {{\"code\":0}}\n\n",
                expected + 1,
                expected + 2
            );
            assert_eq!(settled(answer.text(), RETRY), body);
        }
    }
    // A WebSocket of a browser has no headers of its own, but an address.
    for (number, protocol) in ["x", "transom.json", "transom.proto"].into_iter().enumerate() {
        let target = format!("{WATCH}?lastEventId=4");
        let headers = [("sec-websocket-protocol", protocol)];
        drop(websocket::open(gateway.public, Version::HTTP_11, &target, &headers).await);
        assert_eq!(after(&*upstream.call(8 + number).await), 4, "{protocol}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_and_the_end_is_the_end() {
    let (upstream, gateway) = two().await;
    let refused = (400, 3, "INVALID_LAST_EVENT_ID".to_owned(), "client".to_owned());
    for id in ["x", "1.5", "1 2", "~", "~!", "9223372036854775808", "é"] {
        let answer = gateway.get(WATCH).accept("text/event-stream").header("last-event-id", id).fetch().await;
        assert_eq!(answer.refusal(), refused, "{id}");
        assert_eq!(answer.json()["details"][1]["fieldViolations"][0]["field"], "Last-Event-ID");
    }
    for query in ["lastEventId=x", "lastEventId=1&lastEventId=2", "lastEventId=transom-end"] {
        let target = format!("{WATCH}?{query}");
        let answer = gateway.get(&target).accept("application/x-ndjson").fetch().await;
        assert_eq!(answer.refusal(), refused, "{query}");
        let status = websocket::connect(gateway.public, Version::HTTP_11, &target, &[]).await.err();
        assert_eq!(status.map(|status| status.as_u16()), Some(400), "{query}");
    }
    let end = gateway.get(WATCH).accept("text/event-stream").header("last-event-id", "transom-end");
    assert_eq!(end.fetch().await.status, 204);
    let end = gateway.get(&format!("{WATCH}?lastEventId=transom-end")).accept("text/event-stream");
    assert_eq!(end.fetch().await.status, 204);
    assert_eq!(upstream.calls().len(), 0);
}

#[tokio::test]
async fn what_does_not_fit_the_descriptors_is_a_problem() {
    let watch = "[[routes]]\nselector = \"shop.v1.Shop.Watch\"\nget = \"/w\"\n";
    let cases = [
        (
            format!("{watch}resume = {{ response_field = \"cursor\", request_field = \"revision\" }}"),
            "no field \"cursor\"",
        ),
        (
            format!("{watch}resume = {{ response_field = \"price\", request_field = \"since\" }}"),
            "no field \"since\"",
        ),
        (
            format!("{watch}resume = {{ response_field = \"tags\", request_field = \"after\" }}"),
            "\"tags\" is repeated",
        ),
        (
            format!("{watch}resume = {{ response_field = \"title\", request_field = \"revision\" }}"),
            "takes no string",
        ),
        (
            format!("{watch}resume = {{ response_field = \"price\", request_field = \"fields\" }}"),
            "\"fields\" is repeated",
        ),
        (format!("{watch}resume = {{ response_field = \"price\" }}"), "`request_field` is missing"),
        (format!("{watch}sse = {{ event_field = \"price\" }}"), "is no string and no enum"),
        (
            "[[routes]]\nselector = \"shop.v1.Shop.Get\"\nget = \"/g\"\n".to_owned() + KEY,
            "shop.v1.Shop.Get is unary",
        ),
        (
            "[[routes]]\nselector = \"shop.v1.Shop.Watch\"\nget = \"/w/{revision}\"\n".to_owned() + KEY,
            "bound by the path",
        ),
        (
            "[defaults]\n".to_owned() + KEY,
            "shop.v1.Shop.Tail cannot do that: google.api.HttpBody has no field \"price\"",
        ),
    ];
    let upstream = Upstream::start(|_| Script::new()).await;
    for (config, expected) in cases {
        let ran = site(&upstream, &config).run(&["check"]).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!((ran.code, told.matches(expected).count()), (Some(1), 1), "{config}\n{told}");
    }
}

#[tokio::test]
async fn explain_tells_by_which_fields() {
    let upstream = Upstream::start(|_| Script::new()).await;
    let ran = site(&upstream, RESUME).run(&["explain", "GET", WATCH]).await;
    for part in ["resume.response_field", "\"price\"", "resume.request_field", "\"revision\""] {
        assert!(ran.stdout.contains(part), "{part}: {ran:?}");
    }
}
