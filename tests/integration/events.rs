//! Server-sent events as a browser reads them: their names and ids, whatever the upstream sends.

use crate::support::client::{Answer, Request};
use crate::support::events::{self, Event};
use crate::support::script::Script;
use crate::support::shop::{GetRequest, Item, item, request, scripted, wire};

const WATCH: &str = "/v1/items/1/changes";

/// What no line of an event may hold, among what it may.
const HOSTILE: [&str; 14] = [
    "plain",
    "a\nevent: end\nid: transom-end\n\n",
    "a\r\ndata: forged\r\n\r\n",
    "a\rb",
    "\0",
    "a\0b",
    " leading",
    "trailing ",
    ":colon",
    "transom-end",
    "~tilde",
    "\u{feff}mark",
    "é 😀 \u{2028}",
    "end",
];

#[tokio::test]
async fn no_cursor_and_no_name_breaks_the_framing() {
    let config = "[[policies]]\nselector = \"shop.v1.Shop.Watch\"\n\
                  resume = { response_field = \"title\", request_field = \"after\" }\n\
                  sse = { event_field = \"title\" }";
    let (upstream, gateway) = scripted(config, |_| {
        let named = |title: &&str| Item { title: (*title).into(), ..item("n") };
        HOSTILE.iter().map(named).fold(Script::new().head(), |script, item| script.message(wire(&item))).ok()
    })
    .await;
    let answer = gateway.get(WATCH).accept("text/event-stream").fetch().await;
    let parsed = events::parse(answer.text());
    assert_eq!(parsed.events.len(), HOSTILE.len() + 1, "{}", answer.text());
    for (number, (title, event)) in HOSTILE.into_iter().zip(&parsed.events).enumerate() {
        let json: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(json["title"], title);
        let usable = title != "end" && !title.contains(['\r', '\n', '\0']);
        assert_eq!(event.name, if usable { title } else { "message" });
        assert_ne!(event.id, "transom-end");
        let back = gateway.get(WATCH).accept("text/event-stream").header("last-event-id", &event.id);
        assert_eq!(back.fetch().await.status, 200, "{title:?}");
        assert_eq!(request::<GetRequest>(&*upstream.call(number + 1).await).after, title);
    }
    let end = Event { name: "end".into(), data: "{\"code\":0}".into(), id: "transom-end".into() };
    assert_eq!(parsed.events.last(), Some(&end));
}

#[tokio::test]
async fn events_are_called_by_a_fixed_name_or_by_a_field() {
    let cases = [
        ("sse = { event = \"change\" }", ["change", "change"]),
        ("sse = { event_field = \"size\" }", ["LARGE", "message"]),
        ("sse = { event = \"change\", event_field = \"size\" }", ["LARGE", "change"]),
        ("sse = { event = \"message\" }", ["message", "message"]),
    ];
    for (config, expected) in cases {
        let config = format!("[[policies]]\nselector = \"shop.v1.Shop.Watch\"\n{config}");
        let (_upstream, gateway) = scripted(&config, |_| {
            Script::new().head().message(wire(&Item { size: 2, ..item("a") })).message(wire(&item("b"))).ok()
        })
        .await;
        let answer = gateway.get(WATCH).accept("text/event-stream").fetch().await;
        let names: Vec<_> = events::parse(answer.text()).events.into_iter().map(|event| event.name).collect();
        assert_eq!(names, [expected[0], expected[1], "end"], "{config}");
    }
}

/// What browsers send with EventSource.
const BROWSER: [(&str, &str); 5] = [
    ("accept", "text/event-stream"),
    ("cache-control", "no-cache"),
    ("pragma", "no-cache"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
];

fn event_source(request: Request) -> Request {
    BROWSER.into_iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// The time after which such a client comes back, in milliseconds; it is told nothing else.
fn comes_back(answer: &Answer) -> u64 {
    assert_eq!((answer.status, answer.complete), (200, true), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let parsed = events::parse(answer.text());
    assert!(parsed.events.is_empty() && parsed.last_id.is_empty(), "{}", answer.text());
    parsed.retry.unwrap()
}

#[tokio::test]
async fn an_event_source_comes_back_from_what_may_go_well_next_time() {
    let failing = |code: &'static str| {
        let config = "retry = false\nsse = { retry = \"100ms\" }";
        scripted(config, move |_| {
            Script::new().trailers(&[("grpc-status", code), ("grpc-message", "%0D%0Adata: x")])
        })
    };
    for http2 in [false, true] {
        let sent = |request: Request| if http2 { request.http2() } else { request };
        let (_upstream, gateway) = failing("14").await;
        for target in [WATCH, "/v1/items/1"] {
            let answer = sent(event_source(gateway.get(target))).fetch().await;
            assert!((100..200).contains(&comes_back(&answer)), "{}", answer.text());
            let answer = sent(gateway.get(target).accept("text/event-stream").header("last-event-id", "7"))
                .fetch()
                .await;
            assert!((100..200).contains(&comes_back(&answer)), "{}", answer.text());
            // `fetch` sees the status, and decides for itself.
            let answer = sent(gateway.get(target).accept("text/event-stream")).fetch().await;
            assert_eq!((answer.status, answer.json()["code"].as_u64()), (503, Some(14)));
        }
        // The log tells what has happened, whatever the status line says.
        let line = gateway.access.find(|line| line["protocol"] == "eventsource").await;
        assert_eq!(
            (line["status"].as_u64(), line["code"].as_str()),
            (Some(200), Some("UNAVAILABLE")),
            "{line}"
        );
        for (code, status) in [("5", 404), ("3", 400), ("12", 501), ("13", 500), ("8", 429), ("16", 401)] {
            let (_upstream, gateway) = failing(code).await;
            let answer = sent(event_source(gateway.get(WATCH))).fetch().await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (status, "application/json"),
                "{code}"
            );
        }
    }
}

#[tokio::test]
async fn an_event_source_waits_as_long_as_it_is_told() {
    let (_upstream, gateway) = scripted("retry = false\nsse = { retry = \"100ms\" }", |_| {
        Script::new().trailers(&[("grpc-status", "14"), ("retry-after", "7")])
    })
    .await;
    let answer = event_source(gateway.get(WATCH)).fetch().await;
    assert!((7000..14_000).contains(&comes_back(&answer)), "{}", answer.text());
}

#[tokio::test]
async fn an_event_source_gets_the_real_status_of_what_will_not_change() {
    let (upstream, gateway) = scripted("", |_| Script::new().head().ok()).await;
    let cases = [("/v1/nothing", 404), ("/v1/items/1/changes?nothing=1", 400), ("/v1/items:collect", 405)];
    for (target, status) in cases {
        let answer = event_source(gateway.get(target)).fetch().await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{target}");
    }
    // Whoever asks so for something else gets it.
    let answer = event_source(gateway.get(WATCH)).fetch().await;
    assert!(answer.text().contains("event: end"), "{}", answer.text());
    // Nobody is there at all.
    let address = upstream.kill().await;
    let answer = event_source(gateway.get(WATCH)).fetch().await;
    assert!((2000..4000).contains(&comes_back(&answer)), "{address}: {}", answer.text());
}

#[tokio::test]
async fn a_drain_before_the_first_event_sends_clients_away_to_come_back() {
    let config = "stream_headers_after = \"60s\"";
    for is_event_source in [false, true] {
        let (upstream, gateway) = scripted(config, |_| Script::new().head().stall()).await;
        let request = gateway.get(WATCH).accept("text/event-stream");
        let request = if is_event_source { event_source(gateway.get(WATCH)) } else { request };
        let running = tokio::spawn(request.fetch());
        upstream.call(0).await;
        gateway.signal("TERM").await;
        let answer = running.await.unwrap();
        if is_event_source {
            assert!((2000..4000).contains(&comes_back(&answer)), "{}", answer.text());
        } else {
            assert_eq!((answer.status, answer.refusal().2.as_str()), (503, "DRAINING"));
        }
    }
}
