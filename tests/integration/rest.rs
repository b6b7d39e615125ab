//! Unary calls over HTTP and JSON: what reaches the upstream, and what comes back.

use crate::support::script::Script;
use crate::support::shop::{
    self, CreateRequest, GetRequest, HttpBody, Item, ListResponse, UpdateRequest, WriteRequest, behind, item,
    request, wire,
};

#[tokio::test]
async fn path_and_query_make_the_message() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("items/1")))).await;
    let target = "/v1/shelves/7/items/a%20b?deep=true&fields=x&fields=y&size=LARGE&revision=9007199254740993";
    let answer = gateway.get(target).fetch().await;
    assert_eq!(answer.ok()["name"], "items/1");
    let seen = upstream.call(0).await;
    assert_eq!(seen.path, shop::GET);
    let message: GetRequest = request(&seen);
    let expected = GetRequest {
        name: "items/a b".into(),
        shelf: Some(shop::Shelf { number: 7 }),
        deep: true,
        fields: vec!["x".into(), "y".into()],
        size: 2,
        revision: 9_007_199_254_740_993,
        after: String::new(),
    };
    assert_eq!(message, expected);
}

#[tokio::test]
async fn the_body_is_a_field_or_all_that_the_path_is_not() {
    let (upstream, gateway) = behind(Script::unary(wire(&Item::default()))).await;
    let created =
        gateway.post("/v1/items?dry_run=true", r#"{"name":"n","price":"5","size":"SMALL"}"#).fetch().await;
    assert_eq!(created.ok(), serde_json::json!({}));
    let message: CreateRequest = request(&*upstream.call(0).await);
    let body = Item { price: 5, size: 1, ..item("n") };
    assert_eq!(message, CreateRequest { item: Some(body), dry_run: true });

    let whole = r#"{"item":{"name":"forged","title":"t"},"dryRun":true}"#;
    gateway.request("PUT", "/v1/items/real").json(whole).fetch().await.ok();
    let message: CreateRequest = request(&*upstream.call(1).await);
    let body = Item { title: "t".into(), ..item("items/real") };
    assert_eq!(message, CreateRequest { item: Some(body), dry_run: true });
}

#[tokio::test]
async fn a_patch_without_a_mask_gets_one() {
    let (upstream, gateway) = behind(Script::unary(wire(&Item::default()))).await;
    gateway.request("PATCH", "/v1/items/1").json(r#"{"title":"t","price":3}"#).fetch().await.ok();
    let message: UpdateRequest = request(&*upstream.call(0).await);
    assert_eq!(message.mask.unwrap().paths, ["title", "price"]);
    gateway.request("PATCH", "/v1/items/1?mask=tags").json(r#"{"title":"t"}"#).fetch().await.ok();
    let message: UpdateRequest = request(&*upstream.call(1).await);
    assert_eq!(message.mask.unwrap().paths, ["tags"]);
    // A mask that is there and empty is filled as well; members that are null are named.
    gateway.request("PATCH", "/v1/items/1?mask=").json(r#"{"title":null}"#).fetch().await.ok();
    let message: UpdateRequest = request(&*upstream.call(2).await);
    assert_eq!(message.mask.unwrap().paths, ["title"]);
}

#[tokio::test]
async fn an_empty_body_is_the_empty_message() {
    let (upstream, gateway) = behind(Script::unary(wire(&Item::default()))).await;
    gateway.request("POST", "/v1/items/1:sell").fetch().await.ok();
    let message: GetRequest = request(&*upstream.call(0).await);
    assert_eq!(message, GetRequest { name: "items/1".into(), ..GetRequest::default() });
}

#[tokio::test]
async fn a_field_can_be_the_whole_answer() {
    let list = ListResponse { items: vec![item("a"), item("b")], next: "n".into() };
    let (_upstream, gateway) = behind(Script::unary(wire(&list))).await;
    assert_eq!(
        gateway.get("/v1/items").fetch().await.ok(),
        serde_json::json!([{"name": "a"}, {"name": "b"}])
    );
}

#[tokio::test]
async fn raw_bodies_go_both_ways() {
    let image = HttpBody { content_type: "image/png".into(), data: vec![0, 159, 146, 150] };
    let (_upstream, gateway) = behind(Script::unary(wire(&image))).await;
    let answer = gateway.get("/v1/files/a/b.png").accept("image/*").fetch().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "image/png"));
    assert_eq!(answer.body, image.data);

    let (upstream, gateway) = behind(Script::unary(wire(&Item::default()))).await;
    let upload = gateway.request("PUT", "/v1/files/a/b.png").header("content-type", "image/png");
    upload.body(image.data.clone()).fetch().await.ok();
    let message: WriteRequest = request(&*upstream.call(0).await);
    assert_eq!(message, WriteRequest { name: "a/b.png".into(), content: Some(image) });
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("n")))).await;
    let answer = gateway.request("HEAD", "/v1/items/1").fetch().await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, "12", 0));
    upstream.call(0).await;
    let stream = gateway.request("HEAD", "/v1/items/1/changes").fetch().await;
    assert_eq!((stream.status, stream.header("content-type")), (200, "application/json"));
    assert_eq!(upstream.calls().len(), 1, "a stream's headers need no call");
}

#[tokio::test]
async fn only_listed_headers_pass() {
    let script =
        Script::new().head_with(&[("x-internal", "1"), ("etag", "\"7\"")]).message(wire(&item("n"))).ok();
    let (upstream, gateway) = behind(script).await;
    let answer = gateway
        .get("/v1/items/1")
        .header("authorization", "Bearer t")
        .header("x-user", "root")
        .header("cookie", "a=b")
        .header("x-request-id", "abc-1")
        .fetch()
        .await;
    assert_eq!((answer.header("x-internal"), answer.header("etag")), ("", "\"7\""));
    assert_eq!(answer.header("x-request-id"), "abc-1");
    let seen = upstream.call(0).await;
    assert_eq!((seen.header("authorization"), seen.header("x-request-id")), ("Bearer t", "abc-1"));
    assert_eq!((seen.header("x-user"), seen.header("cookie")), ("", ""));
    // A client cannot strip our own headers by naming them (RFC 9110 §7.6.1).
    let named =
        gateway.get("/v1/items/1").header("connection", "authorization, te").header("authorization", "x");
    assert_eq!(named.fetch().await.status, 200);
    let seen = upstream.call(1).await;
    assert_eq!((seen.header("authorization"), seen.header("te")), ("", "trailers"));
}

#[tokio::test]
async fn the_timeout_of_a_call_reaches_the_upstream() {
    let (upstream, gateway) = behind(Script::unary(wire(&Item::default()))).await;
    gateway.get("/v1/items/1").fetch().await.ok();
    let default =
        transom::rpc::deadline::parse_grpc_timeout(upstream.call(0).await.header("grpc-timeout").as_bytes());
    assert!(default.unwrap() <= std::time::Duration::from_secs(15));
    let nine = [("grpc-timeout", "9S"), ("connect-timeout-ms", "9000"), ("x-request-timeout", "9.0")];
    for (number, (name, value)) in nine.into_iter().enumerate() {
        gateway.get("/v1/items/1").header(name, value).fetch().await.ok();
        let seen = upstream.call(number + 1).await;
        let asked = transom::rpc::deadline::parse_grpc_timeout(seen.header("grpc-timeout").as_bytes());
        assert!(asked.unwrap() <= std::time::Duration::from_secs(9), "{name}");
    }
}

#[tokio::test]
async fn every_method_has_an_automatic_route() {
    let (upstream, gateway) = behind(Script::unary(wire(&Item::default()))).await;
    gateway.post("/shop.v1.Shop/Hidden", r#"{"name":"x"}"#).fetch().await.ok();
    gateway.post("/shop.v1.Shop/Get", r#"{"name":"y"}"#).fetch().await.ok();
    let names = [
        request::<GetRequest>(&*upstream.call(0).await).name,
        request::<GetRequest>(&*upstream.call(1).await).name,
    ];
    assert_eq!(names, ["x", "y"]);
}
