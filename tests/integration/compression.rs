//! Compressed messages between the gateway and an upstream, in front of clients that know nothing of them.

use http::Version;
use transom::rpc::Algorithm;

use crate::support::script::Script;
use crate::support::shop::{self, Item, behind, item, scripted, wire};
use crate::support::websocket;

/// An item that is worth it, and how it is compressed.
fn large(algorithm: Algorithm) -> (Item, bytes::Bytes) {
    let item = Item { title: "large ".repeat(1000), ..item("n") };
    let compressed = algorithm.compress(&wire(&item)).unwrap();
    (item, compressed)
}

#[tokio::test]
async fn every_front_but_grpc_gets_plain_messages() {
    for algorithm in Algorithm::ALL {
        let (item, compressed) = large(algorithm);
        let head = [("grpc-encoding", algorithm.name())];
        // What is small may be sent as it is.
        let script = Script::new().head_with(&head).compressed(compressed.clone());
        let (small, one) = (wire(&shop::item("s")), script.clone().ok());
        let (upstream, gateway) = scripted("", move |seen| match seen.path.as_str() {
            shop::GET => one.clone(),
            _ => script.clone().message(small.clone()).ok(),
        })
        .await;
        let answer = gateway.get("/v1/items/1").fetch().await;
        assert_eq!(answer.ok()["title"].as_str(), Some(&*item.title), "{algorithm:?}");
        assert_eq!(upstream.call(0).await.header("grpc-accept-encoding"), "zstd,gzip");
        for media in ["text/event-stream", "application/x-ndjson", "application/json"] {
            let stream = gateway.get("/v1/items/1/changes").accept(media).fetch().await;
            let text = stream.text();
            assert!(stream.complete && text.contains(&item.title) && text.contains("\"s\""), "{media}");
        }
        let mut socket = websocket::open(gateway.public, Version::HTTP_11, "/v1/items/1/changes", &[]).await;
        let (texts, code) = socket.rest().await;
        assert!(code == 1000 && texts.len() == 2 && texts[0].contains(&item.title), "{algorithm:?}");
        // A gRPC client reads it itself, if it says so.
        let request = gateway.grpc(shop::GET, &[wire(&shop::item("a"))]);
        let grpc = request.header("grpc-accept-encoding", algorithm.name()).fetch().await;
        assert_eq!((grpc.header("grpc-encoding"), grpc.messages()), (algorithm.name(), vec![compressed]));
        grpc.grpc().unwrap();
        let refused = gateway.grpc(shop::GET, &[wire(&shop::item("a"))]).fetch().await.grpc().unwrap_err();
        assert_eq!(refused.reason().as_deref(), Some("UPSTREAM_UNEXPECTED_COMPRESSION"));
    }
}

#[tokio::test]
async fn requests_are_compressed_where_it_is_asked_for() {
    for (name, algorithm) in [("gzip", Algorithm::Gzip), ("zstd", Algorithm::Zstd)] {
        let more = format!("compression = {{ requests = \"{name}\", answers = false }}");
        let (upstream, gateway) = scripted(&more, |_| Script::unary(wire(&item("n")))).await;
        let title = "large ".repeat(1000);
        gateway.post("/v1/items", &format!("{{\"title\":\"{title}\"}}")).fetch().await.ok();
        let seen = upstream.call(0).await;
        assert_eq!((seen.header("grpc-encoding"), seen.header("grpc-accept-encoding")), (name, ""));
        let message = seen.messages()[0].clone();
        assert!(message.len() < 200);
        let plain = algorithm.decompress(&message, 1 << 20).unwrap();
        assert!(plain.windows(title.len()).any(|window| window == title.as_bytes()));
        // What is small stays as it is.
        gateway.get("/v1/items/small").fetch().await.ok();
        let seen = upstream.call(1).await;
        assert!(seen.messages()[0].ends_with(b"small"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_bomb_ends_at_the_limit_and_rubbish_is_told() {
    for algorithm in Algorithm::ALL {
        let bomb = algorithm.compress(&vec![0; 512 << 20]).unwrap();
        assert!(bomb.len() < 4 << 20);
        let script = Script::new().head_with(&[("grpc-encoding", algorithm.name())]);
        let (_upstream, gateway) = behind(script.clone().compressed(bomb).ok()).await;
        for _ in 0..4 {
            let refusal = gateway.get("/v1/items/1").fetch().await.refusal();
            assert_eq!((refusal.0, &*refusal.2), (502, "UPSTREAM_MESSAGE_TOO_LARGE"), "{algorithm:?}");
        }
        assert!(gateway.peak_memory() < 200 << 20, "{} bytes", gateway.peak_memory());
        let (_upstream, gateway) = behind(script.compressed("rubbish").ok()).await;
        let refusal = gateway.get("/v1/items/1").fetch().await.refusal();
        assert_eq!((refusal.0, &*refusal.2), (502, "UPSTREAM_BAD_COMPRESSION"), "{algorithm:?}");
    }
    let script = Script::new().head_with(&[("grpc-encoding", "snappy")]).compressed("x").ok();
    let (_upstream, gateway) = behind(script).await;
    let refusal = gateway.get("/v1/items/1").fetch().await.refusal();
    assert_eq!((refusal.0, &*refusal.2), (502, "UPSTREAM_UNEXPECTED_COMPRESSION"));
}
