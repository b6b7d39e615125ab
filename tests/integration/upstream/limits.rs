//! Limits: of calls, of streams on a connection, of waiting.

use std::time::Duration;

use futures_util::future::join_all;
use transom::rpc::Code;
use transom::upstream::{Limits, Spec};

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
async fn a_peer_that_allows_one_stream_gets_several_connections() {
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
    let pool = pool(limited(&upstream, Limits { in_flight: 2, streams: 1, ..Limits::default() }));
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
    let limits =
        Limits { connections: 1, queue: 1, queue_time: Duration::from_millis(50), ..Limits::default() };
    let pool = pool(limited(&upstream, limits));
    let _holds = send(&pool, unary("")).await.unwrap();
    let (one, two) = tokio::join!(send(&pool, unary("")), send(&pool, unary("")));
    assert_eq!(told(one), (Code::Unavailable, "UPSTREAM_QUEUE_TIMEOUT".to_owned(), "upstream"));
    assert_eq!(told(two), (Code::Unavailable, "UPSTREAM_OVERLOADED".to_owned(), "gateway"));
}
