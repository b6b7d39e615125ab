//! Raw bodies: bytes as they come, in messages of `google.api.HttpBody` at any depth, and back.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use serde_json::json;

use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{HttpBody, StoreRequest, behind, item, scripted, wire};
use crate::support::site::Site;
use crate::support::upstream::Seen;

const MIB: usize = 1024 * 1024;
const STORE: &str = "/v1/store/a/b";
const PIPE: &str = "/v1/pipe";

fn upload(gateway: &Gateway, target: &str, media_type: &str) -> Request {
    let request = gateway.request("POST", target);
    if media_type.is_empty() { request } else { request.header("content-type", media_type) }
}

fn stored(seen: &Seen) -> Vec<StoreRequest> {
    seen.messages().into_iter().map(|bytes| StoreRequest::decode(bytes).unwrap()).collect()
}

fn content(request: &StoreRequest) -> HttpBody {
    request.parcel.clone().unwrap_or_default().content.unwrap_or_default()
}

/// Bytes that are not the same everywhere.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251).to_le_bytes()[0]).collect()
}

#[tokio::test]
async fn bytes_of_any_size_arrive_in_pieces_behind_what_the_head_says() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("stored")))).await;
    let mut call = 0;
    for http2 in [false, true] {
        for size in [1, 1000, MIB, MIB + 1, 5 * MIB] {
            let body = bytes(size);
            let target = format!("{STORE}?dry_run=true&parcel.sender=me");
            let request = upload(&gateway, &target, "image/png").body(body.clone());
            let answer = if http2 { request.http2() } else { request }.fetch().await;
            assert_eq!(answer.ok(), json!({ "name": "stored" }));
            let messages = stored(&*upstream.call(call).await);
            let (first, rest) = messages.split_first().unwrap();
            assert_eq!((first.name.as_str(), first.dry_run), ("a/b", true));
            assert_eq!(first.parcel.as_ref().unwrap().sender, "me");
            assert_eq!(content(first).content_type, "image/png");
            for message in rest {
                assert_eq!((message.name.as_str(), content(message).content_type.as_str()), ("", ""));
            }
            assert!(messages.iter().all(|message| (1..=MIB).contains(&content(message).data.len())));
            let joined = messages.iter().map(|message| content(message).data).collect::<Vec<_>>().concat();
            assert!(joined == body, "{size} bytes");
            call += 1;
        }
    }
}

#[tokio::test]
async fn an_empty_body_is_what_its_head_says() {
    let (upstream, gateway) = behind(Script::echo()).await;
    for (call, (target, media_type)) in [(PIPE, ""), (PIPE, "text/plain")].into_iter().enumerate() {
        let answer = upload(&gateway, target, media_type).fetch().await;
        assert_eq!((answer.status, answer.text()), (200, ""), "{media_type:?}");
        let messages = upstream.call(call).await.messages();
        let head = HttpBody { content_type: media_type.into(), data: Vec::new() };
        assert_eq!(messages.len(), usize::from(!media_type.is_empty()));
        assert!(messages.iter().all(|message| *message == wire(&head)));
    }
    let (upstream, gateway) = behind(Script::unary(wire(&item("stored")))).await;
    upload(&gateway, STORE, "").fetch().await.ok();
    let messages = stored(&*upstream.call(0).await);
    assert_eq!((messages.len(), messages[0].name.as_str()), (1, "a/b"));
}

#[tokio::test]
async fn pieces_fit_into_the_limit_of_messages() {
    let (upstream, gateway) =
        scripted("limits = { message = \"1KiB\", body = \"10B\" }", |_| Script::unary(wire(&item("stored"))))
            .await;
    let body = bytes(10_000);
    let answer = upload(&gateway, STORE, "image/png").body(body.clone()).fetch().await;
    assert_eq!(answer.status, 200, "limits.body is not for streams: {}", answer.text());
    let seen = upstream.call(0).await;
    assert!(seen.messages().iter().all(|message| message.len() <= 1024));
    assert!(seen.messages().len() < 20, "{} messages", seen.messages().len());
    let joined = stored(&seen).iter().map(|message| content(message).data).collect::<Vec<_>>().concat();
    assert_eq!(joined, body);
    // What the head says does not fit itself.
    let long = format!("/v1/store/{}", "x".repeat(2000));
    let answer = upload(&gateway, &long, "").body("x").fetch().await;
    assert_eq!(answer.refusal(), (413, 8, "MESSAGE_TOO_LARGE".into(), "client".into()));
}

#[tokio::test]
async fn bytes_go_both_ways_at_once() {
    let (_upstream, gateway) = behind(Script::echo()).await;
    for http2 in [false, true] {
        let request = upload(&gateway, PIPE, "audio/ogg");
        let (upload, answer) = if http2 { request.http2() } else { request }.upload();
        upload.send("first").await;
        let mut response = answer.await.unwrap();
        assert_eq!(response.headers["content-type"], "audio/ogg");
        assert!(response.headers.get("content-length").is_none());
        assert_eq!(response.until("first").await, "first");
        for number in 0..20 {
            upload.send(format!("<{number}>")).await;
            assert_eq!(response.until(">").await, format!("<{number}>"));
        }
        drop(upload);
        assert!(response.whole().await.complete);
    }
}

#[tokio::test]
async fn each_piece_is_sent_as_it_arrives() {
    let (upstream, gateway) = behind(Script::unary(wire(&item("stored")))).await;
    let (upload, answer) = upload(&gateway, STORE, "text/plain").upload();
    let mut sent = 0;
    for size in [1, 10, 100] {
        upload.send(bytes(size)).await;
        sent += size;
        let seen = upstream.call(0).await;
        while stored(&seen).iter().map(|message| content(message).data.len()).sum::<usize>() < sent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    drop(upload);
    assert_eq!(answer.await.unwrap().whole().await.status, 200);
}

/// What is kept of a transfer that is far larger than it, in bytes.
const ROOM: usize = 8 * MIB;

/// Sends so many megabytes up and down by the sample services; how much the gateway's memory grew by at most.
async fn transfer(megabytes: usize, http2: bool) -> usize {
    let samples = transom::demo::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let gateway = Site::samples(samples.addr.port(), "").serve().await;
    let version = |request: Request| if http2 { request.http2() } else { request };
    // What a first small transfer takes is not what a large one does.
    version(upload(&gateway, "/v1/files", "a/b").body(bytes(MIB))).fetch().await.ok();
    version(gateway.get("/v1/files/1048576")).fetch().await;
    let before = gateway.peak_memory();

    let (upload, answer) = version(upload(&gateway, "/v1/files", "video/mp4")).upload();
    let piece = Bytes::from(bytes(MIB));
    for _ in 0..megabytes {
        upload.send(piece.clone()).await;
    }
    drop(upload);
    let summary = answer.await.unwrap().whole().await.ok();
    assert_eq!(
        (&summary["contentType"], &summary["size"]),
        (&json!("video/mp4"), &json!((megabytes * MIB).to_string()))
    );

    let mut response =
        version(gateway.get(&format!("/v1/files/{}?content_type=video/mp4", megabytes * MIB))).send().await;
    assert_eq!(
        (response.status, &response.headers["content-type"]),
        (200, &http::HeaderValue::from_static("video/mp4"))
    );
    assert!(response.headers.get("content-length").is_none());
    let mut received = 0;
    while let Some(chunk) = response.chunk().await {
        received += chunk.len();
    }
    assert_eq!(received, megabytes * MIB);
    gateway.peak_memory() - before
}

#[tokio::test]
async fn a_transfer_takes_constant_memory() {
    for http2 in [false, true] {
        let grown = transfer(16, http2).await;
        assert!(grown < ROOM, "{grown} bytes for 16 MiB, h2={http2}");
    }
}

#[tokio::test]
#[ignore = "minutes: what is true of megabytes is true of gigabytes"]
async fn a_huge_transfer_takes_constant_memory() {
    for http2 in [false, true] {
        let grown = transfer(2048, http2).await;
        println!("2 GiB up and down, h2={http2}: the gateway's memory grew by {} KiB", grown / 1024);
        assert!(grown < ROOM, "{grown} bytes");
    }
}
