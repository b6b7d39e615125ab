//! Limits: of calls, of streams on a connection, of waiting.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use transom::rpc::{CallPolicy, Code, Message};
use transom::upstream::{Limits, Pool, Shared, Spec};

use crate::support::calls::*;
use crate::support::script::{Script, Step};
use crate::support::upstream::Upstream;

fn limited(upstream: &Upstream, limits: Limits) -> Spec {
    Spec { limits, ..spec(&[upstream]) }
}

fn slow() -> Script {
    Script::new().step(Step::Request).sleep(Duration::from_millis(20)).head().message("m").ok()
}

#[tokio::test]
async fn u13_a_peer_that_allows_one_stream_gets_several_connections() {
    let upstream = Upstream::options().max_streams(1).start(|_| slow()).await;
    let pool = pool(spec(&[&upstream]));
    for outcome in join_all((0..24).map(|_| whole(&pool, unary("")))).await {
        outcome.unwrap();
    }
    assert!((2..=8).contains(&upstream.connections()), "{} connections", upstream.connections());
}

#[tokio::test]
async fn calls_wait_for_a_slot_where_no_more_connections_are_allowed() {
    let upstream = Upstream::options().max_streams(2).start(|_| slow()).await;
    let pool = pool(limited(&upstream, Limits { connections: 1, ..Limits::default() }));
    for outcome in join_all((0..20).map(|_| whole(&pool, unary("")))).await {
        outcome.unwrap();
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn streams_never_take_the_slots_of_unary_calls() {
    let upstream = Upstream::options()
        .max_streams(4)
        .start(|seen| if seen.header("x").is_empty() { Script::echo() } else { slow() })
        .await;
    let pool = pool(limited(&upstream, Limits { connections: 1, ..Limits::default() }));
    let mut open = Vec::new();
    for _ in 0..40 {
        let (sender, call) = bidi();
        open.push((sender, send(&pool, call).await.unwrap()));
    }
    whole(&pool, unary("")).await.unwrap();
    let connections = open.len() / 4 + 1;
    assert!(upstream.connections() >= connections, "{} connections", upstream.connections());
}

#[tokio::test]
async fn too_many_calls_are_refused_at_once_until_others_have_ended() {
    let upstream = Upstream::start(|_| Script::new().head().message("m").stall()).await;
    let pool = pool(spec(&[&upstream]));
    let with = |call| with(call, CallPolicy { in_flight: 2, streams: 1, ..CallPolicy::new(NAME) });
    let unary = |path| with(unary(path));
    let server_streaming = |path| with(server_streaming(path));
    let overloaded = (Code::Unavailable, "UPSTREAM_OVERLOADED".to_owned(), "gateway");
    let first = send(&pool, unary("")).await.unwrap();
    let second = send(&pool, unary("")).await.unwrap();
    assert_eq!(told(send(&pool, unary("")).await), overloaded);
    let stream = send(&pool, server_streaming("")).await.unwrap();
    assert_eq!(told(send(&pool, server_streaming("")).await), overloaded);
    drop((first, stream));
    let third = send(&pool, unary("")).await.unwrap();
    assert_eq!(told(send(&pool, unary("")).await), overloaded);
    drop((second, third));
    send(&pool, server_streaming("")).await.unwrap();
}

#[tokio::test]
async fn the_queue_is_bounded_in_length_and_time() {
    let upstream = Upstream::options().max_streams(1).start(|_| Script::new().head().stall()).await;
    let limits = Limits { connections: 1, queue: 1, queue_time: Duration::from_millis(50) };
    let pool = pool(limited(&upstream, limits));
    let _holds = send(&pool, unary("")).await.unwrap();
    let (one, two) = tokio::join!(send(&pool, unary("")), send(&pool, unary("")));
    assert_eq!(told(one), (Code::Unavailable, "UPSTREAM_QUEUE_TIMEOUT".to_owned(), "upstream"));
    assert_eq!(told(two), (Code::Unavailable, "UPSTREAM_OVERLOADED".to_owned(), "gateway"));
}

#[tokio::test]
async fn a_stream_without_a_message_for_too_long_is_ended() {
    let scripts = [Script::new().stall(), Script::new().head().message("m").stall()];
    for (call, script) in scripts.into_iter().enumerate() {
        let upstream = Upstream::start(move |_| script.clone()).await;
        let pool = pool(spec(&[&upstream]));
        upstream.connected(1).await;
        let idle = Some(Duration::from_millis(300));
        let policy = CallPolicy { idle, ..CallPolicy::new(NAME) };
        let ended = whole(&pool, with(server_streaming(""), policy)).await;
        assert_eq!(
            told(ended),
            (Code::DeadlineExceeded, "STREAM_IDLE".to_owned(), "gateway"),
            "script {call}"
        );
        assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
    }
}

#[tokio::test]
async fn messages_of_either_side_keep_a_stream_alive() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let (sender, call) = bidi();
    let policy = CallPolicy { idle: Some(Duration::from_secs(1)), ..CallPolicy::new(NAME) };
    let mut reply = tokio::spawn({
        let pool = pool(spec(&[&upstream]));
        async move { whole(&pool, with(call, policy)).await }
    });
    for _ in 0..4 {
        sender.send(Ok(Message::from(Bytes::from_static(b"m")))).unwrap();
        let more = tokio::time::timeout(Duration::from_millis(500), &mut reply).await;
        assert!(more.is_err(), "it goes on: {more:?}");
    }
    drop(sender);
    assert_eq!(reply.await.unwrap().unwrap().0.len(), 4);
}

#[tokio::test]
async fn an_old_stream_is_ended_and_a_unary_call_has_no_age() {
    let upstream = Upstream::start(|_| {
        let script = Script::new().head().message("m").sleep(Duration::from_millis(300));
        script.ok()
    })
    .await;
    let pool = pool(spec(&[&upstream]));
    upstream.connected(1).await;
    let policy = CallPolicy { age: Some(Duration::from_millis(100)), ..CallPolicy::new(NAME) };
    let ended = whole(&pool, with(server_streaming(""), policy.clone())).await;
    assert_eq!(told(ended), (Code::Unavailable, "STREAM_TOO_OLD".to_owned(), "gateway"));
    whole(&pool, with(unary(""), policy)).await.unwrap();
}

#[tokio::test]
async fn workers_share_limits() {
    let upstream = Upstream::start(|_| Script::new().head().message("m").stall()).await;
    let shared = Shared::default();
    let pools = [Pool::sharing(&shared), Pool::sharing(&shared)];
    for pool in &pools {
        pool.reconcile(&[Arc::new(spec(&[&upstream]))]);
    }
    let policy = CallPolicy { in_flight: 1, ..CallPolicy::new(NAME) };
    let first = send(&pools[0], with(unary(""), policy.clone())).await.unwrap();
    let refused = send(&pools[1], with(unary(""), policy.clone())).await.unwrap_err();
    assert_eq!(refused.reason().as_deref(), Some("UPSTREAM_OVERLOADED"));
    drop(first);
    send(&pools[1], with(unary(""), policy)).await.unwrap();
}
