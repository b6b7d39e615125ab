//! What of an answer is written: `$fields`, and the envelopes of streams.

use crate::support::script::Script;
use crate::support::shop::{GetRequest, Item, ListResponse, item, request, scripted, wire};

const FIELDS: &str = "json = { fields = true }";
const ENVELOPE: &str = "json = { envelope = true }";

fn book() -> Item {
    Item { title: "t".into(), price: 5, tags: vec!["a".into()], ..item("n") }
}

#[tokio::test]
async fn fields_select_what_is_answered_and_not_what_is_asked() {
    let (upstream, gateway) = scripted(FIELDS, |_| Script::unary(wire(&book()))).await;
    let answer = gateway.get("/v1/items/1?$fields=name,price&deep=true").fetch().await;
    assert_eq!(answer.text(), r#"{"name":"n","price":"5"}"#);
    let seen: GetRequest = request(&*upstream.call(0).await);
    assert_eq!(seen, GetRequest { name: "items/1".into(), deep: true, ..GetRequest::default() });
    // A body that is the whole message leaves no parameters but this one; escapes are decoded.
    let answer = gateway.post("/v1/items/1:sell?%24fields=tags%2Cname", "{}").fetch().await;
    assert_eq!(answer.text(), r#"{"name":"n","tags":["a"]}"#);
    let whole = gateway.get("/v1/items/1?$fields=*").fetch().await;
    assert_eq!(whole.text(), gateway.get("/v1/items/1").fetch().await.text());
}

#[tokio::test]
async fn fields_select_from_the_response_body() {
    let list = ListResponse { items: vec![book(), item("m")], next: "p".into() };
    let (_upstream, gateway) = scripted(FIELDS, move |_| Script::unary(wire(&list))).await;
    let answer = gateway.get("/v1/items?$fields=name").fetch().await;
    assert_eq!(answer.text(), r#"[{"name":"n"},{"name":"m"}]"#);
    let answer = gateway.post("/shop.v1.Shop/List?$fields=items(name,price),next", "{}").fetch().await;
    assert_eq!(answer.text(), r#"{"items":[{"name":"n","price":"5"},{"name":"m"}],"next":"p"}"#);
}

#[tokio::test]
async fn a_selection_of_nothing_is_refused_before_anybody_is_called() {
    let (upstream, gateway) = scripted(FIELDS, |_| Script::unary(wire(&book()))).await;
    for (target, words) in [
        ("/v1/items/1?$fields=nope", "shop.v1.Item has no field"),
        ("/v1/items/1?$fields=", "a name is missing"),
        ("/v1/items/1?$fields=name&$fields=price", "given twice"),
        ("/v1/items/1?$fields=name(x)", "no fields to select from"),
        ("/v1/files/a?$fields=data", "raw bytes"),
        ("/v1/items/1/changes?$fields=nope", "no field"),
    ] {
        let answer = gateway.get(target).fetch().await;
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert!(answer.text().contains(words), "{target}: {}", answer.text());
        assert!(answer.text().contains(r#""field":"$fields""#), "{}", answer.text());
    }
    assert_eq!(upstream.calls().len(), 0);
    let (_upstream, gateway) = scripted("", |_| Script::unary(wire(&book()))).await;
    let answer = gateway.get("/v1/items/1?$fields=name").fetch().await;
    assert_eq!(answer.status, 400, "the route does not allow it");
}

#[tokio::test]
async fn errors_are_not_pruned() {
    let (_upstream, gateway) = scripted(FIELDS, |_| Script::status(5, "gone")).await;
    let answer = gateway.get("/v1/items/1?$fields=name").fetch().await;
    assert_eq!((answer.status, answer.text()), (404, r#"{"code":5,"message":"gone"}"#));
}

fn stream(failure: bool) -> Script {
    let script = Script::new().head().message(wire(&book())).message(wire(&item("m")));
    if failure { script.trailers(&[("grpc-status", "9"), ("grpc-message", "no")]) } else { script.ok() }
}

#[tokio::test]
async fn fields_select_from_each_message_of_a_stream() {
    let (_upstream, gateway) = scripted(FIELDS, |_| stream(false)).await;
    let get = |accept| gateway.get("/v1/items/1/changes?$fields=price").accept(accept).fetch();
    assert_eq!(get("application/json").await.text(), r#"[{"price":"5"},{}]"#);
    assert_eq!(get("application/x-ndjson").await.text(), "{\"price\":\"5\"}\n{}\n");
    let events = get("text/event-stream").await;
    assert!(events.text().contains("data: {\"price\":\"5\"}\n\ndata: {}\n\n"), "{}", events.text());
}

#[tokio::test]
async fn envelopes_tell_messages_from_failures() {
    let messages = r#"{"result":{"name":"n","title":"t","price":"5","tags":["a"]}}|{"result":{"name":"m"}}"#;
    let (first, second) = messages.split_once('|').unwrap();
    let error = r#"{"error":{"code":9,"message":"no"}}"#;
    for failure in [false, true] {
        let (_upstream, gateway) = scripted(ENVELOPE, move |_| stream(failure)).await;
        let get = |accept| gateway.get("/v1/items/1/changes").accept(accept).fetch();
        let (array, lines, events) = (
            get("application/json").await,
            get("application/x-ndjson").await,
            get("text/event-stream").await,
        );
        if failure {
            assert_eq!((array.text(), array.complete), (&*format!("[{first},{second},{error}]"), true));
            assert_eq!((lines.text(), lines.complete), (&*format!("{first}\n{second}\n{error}\n"), false));
            let end = format!("data: {second}\n\nevent: error\ndata: {error}\n\n");
            assert!(events.text().ends_with(&end), "{}", events.text());
        } else {
            assert_eq!((array.text(), array.complete), (&*format!("[{first},{second}]"), true));
            assert_eq!((lines.text(), lines.complete), (&*format!("{first}\n{second}\n"), true));
            assert!(
                events
                    .text()
                    .contains(&format!("data: {first}\n\ndata: {second}\n\nevent: end\nid: transom-end\n"))
            );
        }
    }
}

#[tokio::test]
async fn envelopes_are_for_streams_alone() {
    let (_upstream, gateway) = scripted(ENVELOPE, |_| Script::unary(wire(&item("n")))).await;
    assert_eq!(gateway.get("/v1/items/1").fetch().await.text(), r#"{"name":"n"}"#);
}

#[tokio::test]
async fn a_message_that_cannot_be_written_leaves_no_half_envelope() {
    let script = Script::new().head().message(wire(&item("n"))).message(vec![0x0a, 200]).ok();
    let (_upstream, gateway) = scripted(ENVELOPE, move |_| script.clone()).await;
    let array = gateway.get("/v1/items/1/changes").accept("application/json").fetch().await;
    assert!(array.text().starts_with(r#"[{"result":{"name":"n"}},{"error":{"code":13,"#), "{}", array.text());
    assert!(array.complete && array.text().ends_with(']'), "{}", array.text());
}

/// Two bytes of a message may be all its fields as JSON; the text has a limit of its own.
#[tokio::test]
async fn an_answer_that_grows_too_much_is_refused() {
    let more = "limits = { message = \"1KiB\" }\nwebsocket = { message = \"1KiB\" }\njson = { defaults = \"print\" }";
    for (count, fits) in [(20, true), (500, false)] {
        let list = ListResponse { items: vec![Item::default(); count], next: String::new() };
        let (_upstream, gateway) = scripted(more, move |_| Script::unary(wire(&list))).await;
        let answer = gateway.get("/v1/items").fetch().await;
        if fits {
            assert_eq!(answer.json().as_array().unwrap().len(), count);
        } else {
            let refusal = (502, 13, "UPSTREAM_MESSAGE_INVALID".into(), "upstream".into());
            assert_eq!(answer.refusal(), refusal, "{}", answer.text());
            assert!(answer.text().contains("longer than 16384 bytes as JSON"), "{}", answer.text());
        }
    }
}
