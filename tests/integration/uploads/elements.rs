//! What becomes of NDJSON and JSON arrays: which messages, from where, and what is said of those that are none.

use std::time::Duration;

use prost::Message as _;

use crate::support::client::{Answer, Request};
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{CreateRequest, Item, behind, item, scripted, wire};
use crate::support::upstream::{Seen, Upstream};

const COLLECT: &str = "/v1/items:collect";
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

/// Routes for client streams whose messages come from more than the body.
const ROUTES: &str = r#"
[[routes]]
selector = "shop.v1.Shop.Collect"
post = "/v2/{title}/items"
body = "*"

[[routes]]
selector = "shop.v1.Shop.Collect"
post = "/v2/items/{title}"

[[routes]]
selector = "shop.v1.Shop.Collect"
put = "/v2/tags"
body = "tags"

[[routes]]
selector = "shop.v1.Shop.Collect"
put = "/v2/prices/{name}"
body = "price"
"#;

fn upload(gateway: &Gateway, method: &str, target: &str, media_type: &str, body: &str) -> Request {
    gateway.request(method, target).header("content-type", media_type).body(body.to_owned())
}

fn items(seen: &Seen) -> Vec<Item> {
    seen.messages().into_iter().map(|bytes| Item::decode(bytes).unwrap()).collect()
}

fn names(seen: &Seen) -> Vec<String> {
    items(seen).into_iter().map(|item| item.name).collect()
}

async fn collecting(more: &str) -> (Upstream, Gateway) {
    scripted(more, |_| Script::unary(wire(&item("sum")))).await
}

#[tokio::test]
async fn elements_become_messages_in_their_order() {
    let (upstream, gateway) = collecting("").await;
    let cases = [
        (NDJSON, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n", &["a", "b"][..]),
        (NDJSON, "{\"name\":\"a\"}\r\n\r\n  {\"name\":\"b\"}", &["a", "b"]),
        (NDJSON, "{}\n", &[""]),
        (NDJSON, "", &[]),
        (NDJSON, "\n \n", &[]),
        (JSON, "[{\"name\":\"a\"},\n {\"name\":\"b\"}]", &["a", "b"]),
        (JSON, "[]", &[]),
        (JSON, "", &[]),
        (JSON, "{\"name\":\"a\"}", &["a"]),
        (JSON, "{\"name\":\"a\"}{\"name\":\"b\"}\n{\"name\":\"c\"}", &["a", "b", "c"]),
        ("application/x-ndjson; charset=utf-8", "{\"name\":\"[,]\\n\\\"\"}", &["[,]\n\""]),
    ];
    let mut call = 0;
    for http2 in [false, true] {
        for (media_type, body, expected) in cases {
            let request = upload(&gateway, "POST", COLLECT, media_type, body);
            let answer = if http2 { request.http2() } else { request }.fetch().await;
            assert_eq!(answer.ok(), serde_json::json!({ "name": "sum" }), "{body:?}");
            assert_eq!(names(&*upstream.call(call).await), expected, "{body:?}");
            call += 1;
        }
    }
}

#[tokio::test]
async fn every_cut_of_a_body_gives_the_same_messages() {
    let (upstream, gateway) = collecting("").await;
    let bodies = [
        (NDJSON, "{\"name\":\"\\\"é\"}\n\n{\"tags\":[\"}\"]}"),
        (JSON, " [{\"name\":\"\\\"é\"} , {\"tags\":[\"}\"]}] "),
    ];
    let mut call = 0;
    for (media_type, body) in bodies {
        for cut in 1..body.len() {
            let request = gateway.request("POST", COLLECT).header("content-type", media_type);
            let (upload, answer) = request.http2().upload();
            upload.send(body.as_bytes()[..cut].to_vec()).await;
            tokio::task::yield_now().await;
            upload.send(body.as_bytes()[cut..].to_vec()).await;
            drop(upload);
            let answer = answer.await.unwrap().whole().await;
            assert_eq!(answer.status, 200, "{body} at {cut}: {}", answer.text());
            let seen = items(&*upstream.call(call).await);
            assert_eq!(
                seen,
                [item("\"é"), Item { tags: vec!["}".into()], ..Item::default() }],
                "{body} at {cut}"
            );
            call += 1;
        }
    }
}

#[tokio::test]
async fn path_and_query_go_into_the_first_message() {
    let (upstream, gateway) = collecting(ROUTES).await;
    let titled = |name: &str, title: &str| Item { title: title.into(), ..item(name) };
    let lines = "{\"name\":\"a\",\"title\":\"forged\"}\n{\"name\":\"b\",\"title\":\"own\"}\n";
    let tags =
        |tags: &[&str]| Item { tags: tags.iter().map(ToString::to_string).collect(), ..Item::default() };
    let priced = |name: &str, price| Item { price, ..item(name) };
    let cases: [(&str, &str, &str, &str, Vec<Item>); 11] = [
        ("POST", "/v2/t/items", NDJSON, lines, vec![titled("a", "t"), titled("b", "own")]),
        ("POST", "/v2/t/items", NDJSON, "", vec![titled("", "t")]),
        ("POST", "/v2/t/items", JSON, "[ ]", vec![titled("", "t")]),
        // Without `body` a line is a whole message, and the query binds, too.
        (
            "POST",
            "/v2/items/t?price=3",
            NDJSON,
            "{\"name\":\"a\"}\n{\"name\":\"b\"}",
            vec![Item { price: 3, ..titled("a", "t") }, item("b")],
        ),
        ("POST", "/v2/items/t?price=3", NDJSON, "", vec![Item { price: 3, ..titled("", "t") }]),
        // An element is the field that `body` names.
        (
            "PUT",
            "/v2/tags",
            JSON,
            "[[\"a\",\"b\"],[],[\"c\"]]",
            vec![tags(&["a", "b"]), tags(&[]), tags(&["c"])],
        ),
        ("PUT", "/v2/tags", NDJSON, "[\"a\"]\n[\"b\"]", vec![tags(&["a"]), tags(&["b"])]),
        ("PUT", "/v2/tags?title=t", NDJSON, "", vec![titled("", "t")]),
        ("PUT", "/v2/tags", NDJSON, "", vec![]),
        (
            "PUT",
            "/v2/prices/x?title=t",
            JSON,
            "[1,\"2\",3]",
            vec![Item { title: "t".into(), ..priced("x", 1) }, priced("", 2), priced("", 3)],
        ),
        ("PUT", "/v2/prices/x", JSON, "7 8", vec![priced("x", 7), priced("", 8)]),
    ];
    for (call, (method, target, media_type, body, expected)) in cases.into_iter().enumerate() {
        let answer = upload(&gateway, method, target, media_type, body).fetch().await;
        assert_eq!(answer.status, 200, "{target} {body:?}: {}", answer.text());
        assert_eq!(items(&*upstream.call(call).await), expected, "{target} {body:?}");
    }
    let calls = upstream.calls().len();
    for target in
        ["/v2/t/items?price=3", "/v2/items/t?price=x", "/v2/items/t?nothing=1", "/v2/items/t?title=u"]
    {
        let answer = upload(&gateway, "POST", target, NDJSON, lines).fetch().await;
        assert_eq!(answer.refusal(), (400, 3, "INVALID_PARAMETER".into(), "client".into()), "{target}");
    }
    assert_eq!(upstream.calls().len(), calls, "wrong parameters are refused before anybody is called");
}

async fn refused(media_type: &str, body: &str) -> Answer {
    let (upstream, gateway) =
        scripted("limits = { message = \"1KiB\" }", |_| Script::unary(wire(&item("sum")))).await;
    let answer = upload(&gateway, "POST", COLLECT, media_type, body).fetch().await;
    // The call has begun, or not, before its first element is seen; it never goes on.
    for call in upstream.calls() {
        call.reset().await;
    }
    answer
}

#[tokio::test]
async fn a_malformed_element_is_told_by_its_number() {
    let deep = format!("{{}}\n{}1{}", "[".repeat(200), "]".repeat(200));
    let long = format!("[{{}},{{\"name\":\"{}\"}}]", "x".repeat(2000));
    let invalid = [
        (NDJSON, "{}\n{\"price\":\"x\"}\n", "element 2 of the request body is invalid: price: "),
        (NDJSON, "{}\n\n{}\n{\"nothing\":1}\n", "element 3 of the request body is invalid: "),
        (NDJSON, "{}{}\n", "element 1 of the request body is invalid: "),
        (NDJSON, "{\n}\n", "element 1 of the request body is invalid: "),
        (NDJSON, "[]\n", "element 1 of the request body is invalid: "),
        (NDJSON, "{}\n{\"name\":\"a", "element 2 of the request body is invalid: "),
        (NDJSON, "\u{feff}{}\n", "element 1 of the request body is invalid: "),
        (NDJSON, &deep, "element 2 of the request body is invalid: "),
        (JSON, "[{},{},[]]", "element 3 of the request body is invalid: "),
        (JSON, "[{},]", "element 2 of the request body is invalid: a value is missing"),
        (JSON, "[{} {}]", "element 2 of the request body is invalid: there is no comma before it"),
        (JSON, "[{]]", "element 1 of the request body is invalid: "),
        (JSON, "[{}", "the request body ends before element 2 does"),
        (JSON, "[{}] []", "the request body goes on behind its array"),
        (JSON, "{} nonsense", "element 2 of the request body is invalid: "),
    ];
    for (media_type, body, words) in invalid {
        let answer = refused(media_type, body).await;
        assert_eq!(
            answer.refusal(),
            (400, 3, "INVALID_BODY".into(), "client".into()),
            "{body:?}: {}",
            answer.text()
        );
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(words), "{body:?}: {message}");
    }
    for (media_type, body) in [(JSON, &*long), (NDJSON, long[4..].trim_end_matches(']'))] {
        let answer = refused(media_type, body).await;
        assert_eq!(
            answer.refusal(),
            (413, 8, "MESSAGE_TOO_LARGE".into(), "client".into()),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_field_of_an_element_is_named_as_in_any_body() {
    let (_upstream, gateway) = collecting(ROUTES).await;
    let answer = upload(&gateway, "PUT", "/v2/tags", NDJSON, "[]\n[1]").fetch().await;
    let json = answer.json();
    assert_eq!(json["details"][1]["fieldViolations"][0]["field"], "tags[0]", "{json}");
    assert!(
        json["message"].as_str().unwrap().starts_with("element 2 of the request body is invalid: tags[0]: ")
    );
}

#[tokio::test]
async fn other_media_types_are_415_with_what_is_taken() {
    let (upstream, gateway) = collecting("").await;
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
    {
        let answer = upload(&gateway, "POST", COLLECT, media_type, "{}").fetch().await;
        assert_eq!(answer.refusal(), (415, 3, "UNSUPPORTED_MEDIA_TYPE".into(), "client".into()));
        assert_eq!(answer.header("accept-post"), "application/x-ndjson, application/json");
    }
    assert_eq!(upstream.calls().len(), 0);
    let answer = gateway.request("POST", COLLECT).body("[{}]").fetch().await;
    assert_eq!(answer.status, 200, "no type is as good as JSON");
    // curl -d '' sends a type with no body.
    let answer = upload(&gateway, "POST", COLLECT, "application/x-www-form-urlencoded", "").fetch().await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_body_that_is_no_message_of_one_is_refused_as_ever() {
    let (upstream, gateway) = collecting("").await;
    let answer = upload(&gateway, "POST", "/v1/items", NDJSON, "{}\n").fetch().await;
    assert_eq!(answer.status, 415, "a unary method takes no stream");
    let answer = gateway.post("/v1/items", "{\"name\":\"a\"}").fetch().await;
    assert_eq!(answer.status, 200);
    let sent = CreateRequest::decode(upstream.call(0).await.messages()[0].clone()).unwrap();
    assert_eq!(sent.item, Some(item("a")));
}

#[tokio::test]
async fn each_message_is_sent_as_it_arrives() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("sum")))).await;
    for (call, (media_type, pieces)) in [
        (NDJSON, ["{\"name\":\"0\"}\n", "{\"name\":\"1\"}\n", "{\"name\":\"2\"}\n"]),
        (JSON, ["[{\"name\":\"0\"}", ",{\"name\":\"1\"}", ",{\"name\":\"2\"}"]),
    ]
    .into_iter()
    .enumerate()
    {
        let request = gateway.request("POST", COLLECT).header("content-type", media_type);
        let (upload, answer) = if call == 0 { request } else { request.http2() }.upload();
        for (count, piece) in pieces.into_iter().enumerate() {
            upload.send(piece).await;
            let seen = upstream.call(call).await;
            while seen.messages().len() <= count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        upload.send(if media_type == JSON { "]" } else { "\n" }).await;
        drop(upload);
        assert_eq!(answer.await.unwrap().whole().await.status, 200);
    }
}

#[tokio::test]
async fn calls_are_counted_in_the_access_log() {
    let (_upstream, gateway) = collecting("").await;
    upload(&gateway, "POST", COLLECT, NDJSON, "{}\n{}\n{}\n").fetch().await;
    let line = gateway.access.find(|line| line["path"] == COLLECT).await;
    assert_eq!((line["messages_in"].as_u64(), line["messages_out"].as_u64()), (Some(3), Some(1)), "{line}");
    assert_eq!(line["bytes_in"].as_u64(), Some(9), "{line}");
}

#[tokio::test]
async fn uploads_that_nobody_may_make_are_refused_unread() {
    let (upstream, gateway) = scripted("", |_| Script::new().step(Step::Request).stall()).await;
    let request = gateway.request("POST", COLLECT).header("content-type", NDJSON).header("cookie", "a=b");
    let (_upload, answer) = request.upload();
    assert_eq!(answer.await.unwrap().whole().await.status, 403);
    let request = gateway.request("POST", COLLECT).header("content-type", NDJSON).accept("text/html");
    let (_upload, answer) = request.http2().upload();
    assert_eq!(answer.await.unwrap().whole().await.status, 406);
    assert_eq!(upstream.calls().len(), 0);
}
