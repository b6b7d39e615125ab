//! HTML forms as bodies: where a route takes them, what they become, and what is refused.

use crate::support::client::Answer;
use crate::support::script::Script;
use crate::support::shop::{
    CreateRequest, HttpBody, Item, UpdateRequest, WriteRequest, item, request, scripted, wire,
};

const FORMS: &str = "forms = true";
const URL_ENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b-1";

fn reply() -> Script {
    Script::unary(wire(&item("n")))
}

fn form(parts: &[(&str, &str)]) -> String {
    let parts = parts.iter().map(|(head, data)| {
        format!("--b-1\r\nContent-Disposition: form-data; name={head}\r\n\r\n{data}\r\n")
    });
    parts.collect::<String>() + "--b-1--\r\n"
}

#[tokio::test]
async fn a_form_is_a_body() {
    let (upstream, gateway) = scripted(FORMS, |_| reply()).await;
    let send = |method: &'static str, target: &'static str, content_type: &'static str, body: String| {
        gateway.request(method, target).header("content-type", content_type).body(body).fetch()
    };
    send("POST", "/v1/items?dry_run=true", URL_ENCODED, "name=a+b&price=5&tags=x&tags=y".into()).await.ok();
    let message: CreateRequest = request(&*upstream.call(0).await);
    let created = Item { price: 5, tags: vec!["x".into(), "y".into()], ..item("a b") };
    assert_eq!(message, CreateRequest { item: Some(created.clone()), dry_run: true });

    let parts = form(&[("name", "a b"), ("price", "5"), ("tags", "x"), ("tags", "y")]);
    send("POST", "/v1/items?dry_run=true", MULTIPART, parts).await.ok();
    assert_eq!(request::<CreateRequest>(&*upstream.call(1).await), message);

    // The path wins, and a PATCH has the mask of what was sent.
    send("PATCH", "/v1/items/1", URL_ENCODED, "title=t&name=forged".into()).await.ok();
    let message: UpdateRequest = request(&*upstream.call(2).await);
    assert_eq!(message.item, Some(Item { title: "t".into(), ..item("items/1") }));
    assert_eq!(message.mask.unwrap().paths, ["title", "name"]);

    let file = form(&[("name", "f"), ("content; filename=c.png\r\nContent-Type: image/png", "\u{0}png")]);
    send("POST", "/shop.v1.Shop/Write", MULTIPART, file).await.ok();
    let content = HttpBody { content_type: "image/png".into(), data: b"\0png".to_vec() };
    let expected = WriteRequest { name: "f".into(), content: Some(content) };
    assert_eq!(request::<WriteRequest>(&*upstream.call(3).await), expected);

    // A raw body is what it is, and an empty one is the empty message.
    send("PUT", "/v1/files/a", MULTIPART, "anything".into()).await.ok();
    let content = HttpBody { content_type: MULTIPART.into(), data: b"anything".to_vec() };
    assert_eq!(request::<WriteRequest>(&*upstream.call(4).await).content, Some(content));
    send("POST", "/v1/items", MULTIPART, String::new()).await.ok();
    assert_eq!(request::<CreateRequest>(&*upstream.call(5).await), CreateRequest::default());
}

fn refused(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(words), "{}", answer.text());
}

#[tokio::test]
async fn what_is_no_form_for_the_route_is_refused() {
    let (upstream, gateway) = scripted("forms = true\nlimits = { body = \"1KiB\" }", |_| reply()).await;
    let send = |content_type: &'static str, body: String| {
        gateway.request("POST", "/v1/items").header("content-type", content_type).body(body).fetch()
    };
    refused(&send(URL_ENCODED, "nope=1".into()).await, 400, r#""field":"nope""#);
    refused(&send(URL_ENCODED, "price=x".into()).await, 400, r#""field":"price""#);
    refused(&send("multipart/form-data", form(&[])).await, 400, "has no boundary");
    refused(&send(MULTIPART, form(&[("name", "a")]).replace("--b-1--", "")).await, 400, "ends before");
    refused(&send("application/x-www-form-urlencoded; charset=utf-16", "name=a".into()).await, 415, "utf-16");
    refused(&send(URL_ENCODED, format!("name={}", "x".repeat(1024))).await, 413, "larger than the limit");
    refused(&send(MULTIPART, form(&[("name", &"x".repeat(1024))])).await, 413, "larger than the limit");
    let text = send("text/plain", "x".into()).await;
    refused(&text, 415, "application/json");
    assert!(text.header("accept-post").contains("multipart/form-data"));
    assert_eq!(upstream.calls().len(), 0);
}

#[tokio::test]
async fn forms_are_refused_where_no_route_takes_them() {
    let (_upstream, gateway) = scripted("", |_| reply()).await;
    for content_type in [URL_ENCODED, MULTIPART] {
        let sent = gateway.request("POST", "/v1/items").header("content-type", content_type).body("name=a");
        let answer = sent.fetch().await;
        refused(&answer, 415, "application/json");
        refused(&answer, 415, "forms = true");
        assert_eq!(answer.header("accept-post"), "application/json");
    }
}
