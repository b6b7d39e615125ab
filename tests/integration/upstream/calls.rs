//! Calls that go well: what the upstream sees, what comes back, how fast either side may be.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use transom::rpc::{Call, Code, Frame, Kind, Message, Messages, Status};

use crate::support::calls::*;
use crate::support::script::{Script, Step};
use crate::support::upstream::{Ended, Upstream};

#[tokio::test]
async fn a_unary_call_says_what_grpc_wants_and_brings_the_reply() {
    let upstream = Upstream::start(|_| {
        Script::new()
            .step(Step::Request)
            .head_with(&[("x-next", "7"), ("date", "now")])
            .message("reply")
            .trailers(&[("grpc-status", "0"), ("x-cost", "3")])
    })
    .await;
    let pool = pool(spec(&[&upstream]));
    let mut call = unary("request");
    call.metadata.insert(HeaderName::from_static("x-user"), HeaderValue::from_static("ada"));
    call.metadata.insert(HeaderName::from_static("grpc-timeout"), HeaderValue::from_static("1n"));
    call.accept_encoding = Some(HeaderValue::from_static("gzip"));
    let mut reply = send(&pool, call).await.unwrap();
    assert_eq!(reply.metadata.get("x-next").unwrap(), "7");
    assert!(reply.metadata.get("date").is_none());
    assert_eq!(message(&mut reply).await, "reply");
    let Some(Ok(Frame::Trailers(trailers))) = next(&mut reply).await else { panic!("trailers") };
    assert_eq!(trailers.get("x-cost").unwrap(), "3");
    assert!(next(&mut reply).await.is_none());

    let seen = upstream.call(0).await;
    assert_eq!(seen.path, "/shop.Shop/Do");
    assert_eq!(seen.authority, upstream.address.to_string());
    assert_eq!(seen.header("te"), "trailers");
    assert_eq!(seen.header("content-type"), "application/grpc");
    assert_eq!(seen.header("user-agent"), concat!("transom/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.header("grpc-accept-encoding"), "gzip");
    assert_eq!(seen.header("x-user"), "ada");
    let timeout = transom::rpc::deadline::parse_grpc_timeout(seen.header("grpc-timeout").as_bytes()).unwrap();
    assert!(timeout > Duration::from_secs(5) && timeout <= Duration::from_secs(10), "{timeout:?}");
    assert_eq!(seen.messages(), ["request"]);
    assert_eq!(seen.ended(), Some(Ended::Well));
}

#[tokio::test]
async fn all_four_kinds_carry_their_messages() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let pool = pool(spec(&[&upstream]));
    assert_eq!(whole(&pool, unary("a")).await.unwrap().0, ["a"]);
    assert_eq!(whole(&pool, server_streaming("a")).await.unwrap().0, ["a"]);
    let several = || {
        let messages = ["a", "", "c"].map(|text| Ok(Message::from(Bytes::from(text))));
        Messages::Stream(Box::pin(futures_util::stream::iter(messages)))
    };
    let outcome = whole(&pool, Call { messages: several(), ..call(Kind::Bidi) }).await;
    assert_eq!(outcome.unwrap().0, ["a", "", "c"]);
    assert_eq!(upstream.call(2).await.messages(), ["a", "", "c"]);
}

#[tokio::test]
async fn both_directions_of_a_bidi_call_run_at_once() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let pool = pool(spec(&[&upstream]));
    let (sender, call) = bidi();
    let mut reply = send(&pool, call).await.unwrap();
    for text in ["one", "two", "three"] {
        sender.send(Ok(Message::from(Bytes::from(text)))).unwrap();
        assert_eq!(message(&mut reply).await, text);
    }
    drop(sender);
    assert!(matches!(next(&mut reply).await, Some(Ok(Frame::Trailers(_)))));
}

#[tokio::test]
async fn messages_larger_than_every_window_pass_both_ways() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let pool = pool(spec(&[&upstream]));
    let large = Bytes::from(vec![7; 3_000_000]);
    let echoed = whole(&pool, unary(large.clone())).await.unwrap().0;
    assert!(echoed == [&large]);
    let (sender, call) = bidi();
    sender.send(Ok(Message::from(large.clone()))).unwrap();
    drop(sender);
    assert!(whole(&pool, call).await.unwrap().0 == [large]);
}

#[tokio::test]
async fn messages_survive_every_frame_boundary() {
    let wire = [&[0, 0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1], b"d"].concat();
    for cut in 0..=wire.len() {
        let (first, second) = (Bytes::copy_from_slice(&wire[..cut]), Bytes::copy_from_slice(&wire[cut..]));
        let script = Script::new().head().data(first).data(second).ok();
        let upstream = Upstream::start(move |_| script.clone()).await;
        let outcome = whole(&pool(spec(&[&upstream])), server_streaming("")).await;
        assert_eq!(outcome.unwrap().0, ["abc", "", "d"], "cut at {cut}");
    }
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_upstream() {
    let message = Bytes::from(vec![1; 10_000]);
    let script = (0..100).fold(Script::new().head(), |script, _| script.message(message.clone())).stall();
    let upstream = Upstream::start(move |_| script.clone()).await;
    let pool = pool(spec(&[&upstream]));
    let mut reply = send(&pool, server_streaming("")).await.unwrap();
    // 65,535 bytes hold six messages; nothing more may come before some are read.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..100 {
        assert_eq!(self::message(&mut reply).await, message);
    }
}

#[tokio::test]
async fn streams_that_nobody_reads_do_not_hold_up_others() {
    let flood = Script::new().head().message(vec![0; 1_000_000]).message(vec![0; 1_000_000]).stall();
    let upstream =
        Upstream::start(
            move |seen| {
                if seen.header("x-flood") == "yes" { flood.clone() } else { Script::echo() }
            },
        )
        .await;
    let pool = pool(spec(&[&upstream]));
    let mut unread = Vec::new();
    for _ in 0..150 {
        let mut call = server_streaming("");
        call.metadata.insert(HeaderName::from_static("x-flood"), HeaderValue::from_static("yes"));
        unread.push(send(&pool, call).await.unwrap());
    }
    for _ in 0..10 {
        assert_eq!(
            whole(&pool, within(Duration::from_secs(5), server_streaming("x"))).await.unwrap().0,
            ["x"]
        );
        assert_eq!(whole(&pool, within(Duration::from_secs(5), unary("x"))).await.unwrap().0, ["x"]);
    }
}

#[tokio::test]
async fn a_flood_of_tiny_frames_that_nobody_reads_does_not_end_the_connection() {
    let flood = (0..20_000).fold(Script::new().head(), |script, _| script.data("\0")).stall();
    let upstream =
        Upstream::start(
            move |seen| {
                if seen.header("x-flood") == "yes" { flood.clone() } else { Script::echo() }
            },
        )
        .await;
    let pool = pool(spec(&[&upstream]));
    let mut unread = Vec::new();
    for _ in 0..3 {
        let mut call = server_streaming("");
        call.metadata.insert(HeaderName::from_static("x-flood"), HeaderValue::from_static("yes"));
        unread.push(send(&pool, call).await.unwrap());
    }
    for _ in 0..20 {
        assert_eq!(whole(&pool, server_streaming("x")).await.unwrap().0, ["x"]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The connection that carries the flood still stands.
    assert!(unread.iter_mut().all(|reply| {
        futures_util::FutureExt::now_or_never(next(reply)).is_none_or(|frame| !matches!(frame, Some(Err(_))))
    }));
}

#[tokio::test]
async fn a_service_error_keeps_code_message_and_metadata() {
    let upstream = Upstream::start(|seen| match seen.header("x-late") {
        "" => Script::status(5, "no such book"),
        _ => Script::new().step(Step::Request).head().message("m").trailers(&[
            ("grpc-status", "9"),
            ("grpc-message", "too late"),
            ("x-why", "closed"),
        ]),
    })
    .await;
    let pool = pool(spec(&[&upstream]));
    let status = whole(&pool, unary("")).await.unwrap_err();
    assert_eq!((status.code, status.message.as_ref()), (Code::NotFound, "no such book"));
    assert_eq!(status.reason(), None, "the service said nothing of Transom");
    let mut call = server_streaming("");
    call.metadata.insert(HeaderName::from_static("x-late"), HeaderValue::from_static("yes"));
    let mut reply = send(&pool, call).await.unwrap();
    assert_eq!(message(&mut reply).await, "m");
    let status = next(&mut reply).await.unwrap().unwrap_err();
    assert_eq!(status.code, Code::FailedPrecondition);
    assert_eq!(status.metadata.unwrap().get("x-why").unwrap(), "closed");
    assert!(next(&mut reply).await.is_none());
}

#[tokio::test]
async fn a_dropped_reply_or_call_cancels_upstream() {
    let upstream = Upstream::start(|_| Script::new().head().message("m").stall()).await;
    let pool = pool(spec(&[&upstream]));
    let mut reply = send(&pool, server_streaming("")).await.unwrap();
    message(&mut reply).await;
    drop(reply);
    assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);

    let (sender, call) = bidi();
    let reply = send(&pool, call).await.unwrap();
    drop(reply);
    assert_eq!(upstream.call(1).await.reset().await, h2::Reason::CANCEL);
    drop(sender);

    let silent = Upstream::start(|_| Script::new().stall()).await;
    let pool = self::pool(spec(&[&silent]));
    let pending = tokio::spawn(async move { send(&pool, unary("")).await });
    let seen = silent.call(0).await;
    pending.abort();
    assert_eq!(seen.reset().await, h2::Reason::CANCEL);
}

#[tokio::test]
async fn an_error_of_the_client_ends_the_call_with_that_error() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let pool = pool(spec(&[&upstream]));
    let (sender, call) = bidi();
    let mut reply = send(&pool, call).await.unwrap();
    sender.send(Err(Status::invalid("BAD_JSON", "no"))).unwrap();
    let outcome = next(&mut reply).await.unwrap();
    assert_eq!(told(outcome), (Code::InvalidArgument, "BAD_JSON".to_owned(), "client"));
    drop(reply);
    assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
}

#[tokio::test]
async fn a_burst_of_leaving_clients_is_no_attack() {
    let upstream = Upstream::options()
        .http2(|http| {
            http.max_pending_accept_reset_streams(20);
        })
        .start(
            |seen| if seen.header("x-stay") == "yes" { Script::echo() } else { Script::new().head().stall() },
        )
        .await;
    let pool = pool(spec(&[&upstream]));
    let mut leaving = Vec::new();
    for _ in 0..100 {
        leaving.push(send(&pool, server_streaming("")).await.unwrap());
    }
    let (sender, mut stays) = bidi();
    stays.metadata.insert(HeaderName::from_static("x-stay"), HeaderValue::from_static("yes"));
    let mut stays = send(&pool, stays).await.unwrap();
    drop(leaving);
    for number in 0..100 {
        assert_eq!(upstream.call(number).await.reset().await, h2::Reason::CANCEL);
    }
    sender.send(Ok(Message::from(Bytes::from("still here")))).unwrap();
    assert_eq!(message(&mut stays).await, "still here");
}
