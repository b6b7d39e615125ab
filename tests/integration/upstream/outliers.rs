//! Endpoints that are reachable and yet no good, and connections that grow old.

use std::time::Duration;

use transom::rpc::Code;
use transom::upstream::{EndpointState, Spec, Timers};

use crate::support::calls::*;
use crate::support::script::Script;
use crate::support::upstream::Upstream;

#[tokio::test]
async fn an_endpoint_that_fails_five_times_in_a_row_is_left_out() {
    let bad = Upstream::start(|_| Script::status(14, "broken")).await;
    let good = Upstream::start(|_| Script::unary("m")).await;
    let pool = pool(spec(&[&bad, &good]));
    let mut failed = 0;
    for _ in 0..200 {
        failed += usize::from(whole(&pool, unary("")).await.is_err());
    }
    assert_eq!(failed, 5);
    let states: Vec<_> = pool.report()[0].endpoints.iter().map(|endpoint| endpoint.state).collect();
    assert_eq!(states, [EndpointState::Ejected, EndpointState::Ready]);
}

#[tokio::test]
async fn what_a_client_can_provoke_ejects_nobody() {
    let upstream = Upstream::start(|_| Script::status(13, "your fault")).await;
    let other = Upstream::start(|_| Script::status(13, "your fault")).await;
    let pool = pool(spec(&[&upstream, &other]));
    for _ in 0..50 {
        assert_eq!(told(whole(&pool, unary("")).await).0, Code::Internal);
    }
    assert!(pool.report()[0].endpoints.iter().all(|endpoint| endpoint.state == EndpointState::Ready));
}

#[tokio::test]
async fn the_last_endpoint_is_asked_whatever_it_answers() {
    let upstream = Upstream::start(|_| Script::status(14, "broken")).await;
    let pool = pool(spec(&[&upstream]));
    for _ in 0..20 {
        whole(&pool, unary("")).await.unwrap_err();
    }
    assert_eq!(upstream.calls().len(), 20);
}

#[tokio::test]
async fn a_connection_that_grows_old_is_replaced_without_a_loss() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let timers = Timers { max_age: Duration::from_millis(50), ..Timers::default() };
    let pool = pool(Spec { timers, ..spec(&[&upstream]) });
    let (sender, call) = bidi();
    let mut old = send(&pool, call).await.unwrap();
    let mut calls = 0;
    while upstream.connections() < 6 {
        whole(&pool, unary("")).await.unwrap();
        calls += 1;
        assert!(calls < 100_000, "connections are replaced");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    sender.send(Ok(transom::rpc::Message::from(bytes::Bytes::from("late")))).unwrap();
    assert_eq!(message(&mut old).await, "late", "a stream keeps its connection");
}
