//! Server-sent events as a browser reads them: their names and ids, whatever the upstream sends.

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
