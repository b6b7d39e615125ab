//! Endpoints that come and go, and calls that do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use transom::config::model::Address;
use transom::rpc::{Code, Frame, Message};
use transom::upstream::{Spec, Timers};

use crate::support::calls::*;
use crate::support::script::{Script, Step};
use crate::support::upstream::Upstream;

fn local(port: u16) -> Address {
    Address::Http { host: "127.0.0.1".into(), port }
}

/// A port where nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn unavailable() -> (Code, String, &'static str) {
    (Code::Unavailable, "UPSTREAM_UNAVAILABLE".into(), "upstream")
}

#[tokio::test]
async fn a_dead_endpoint_takes_no_calls() {
    let alive = Upstream::start(|_| Script::unary("m")).await;
    let spec = Spec::new(NAME, [local(closed_port().await), address(&alive), local(closed_port().await)]);
    let pool = pool(spec);
    for _ in 0..50 {
        whole(&pool, unary("")).await.unwrap();
    }
}

#[tokio::test]
async fn all_dead_is_said_at_once_and_life_is_noticed() {
    let port = closed_port().await;
    let pool = pool(Spec::new(NAME, [local(port), local(closed_port().await)]));
    for _ in 0..3 {
        assert_eq!(told(whole(&pool, unary("")).await), unavailable());
    }
    let _alive =
        Upstream::options().listen(([127, 0, 0, 1], port).into()).start(|_| Script::unary("m")).await;
    for _ in 0..200 {
        if whole(&pool, unary("")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the endpoint is found alive again");
}

#[tokio::test]
async fn what_does_not_speak_http2_is_dead() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http1 = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports = [silent.local_addr().unwrap().port(), http1.local_addr().unwrap().port()];
    let answers = tokio::spawn(async move {
        loop {
            let (mut socket, _) = http1.accept().await.unwrap();
            socket.read_u8().await.unwrap();
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    for port in ports {
        let timers = Timers { connect: Duration::from_millis(100), ..Timers::default() };
        let pool = pool(Spec { timers, ..Spec::new(NAME, [local(port)]) });
        assert_eq!(told(whole(&pool, unary("")).await), unavailable());
    }
    answers.abort();
}

#[tokio::test]
async fn a_connection_lost_within_a_call_is_unavailable_and_the_call_is_not_sent_again() {
    let upstream = Upstream::start(|_| Script::new().step(Step::Request).step(Step::HangUp).stall()).await;
    let other = Upstream::start(|_| Script::new().step(Step::Request).step(Step::HangUp).stall()).await;
    let pool = pool(spec(&[&upstream, &other]));
    let told = told(whole(&pool, unary("")).await);
    assert_eq!(told, (Code::Unavailable, "UPSTREAM_CONNECTION_LOST".into(), "upstream"));
    assert_eq!(upstream.calls().len() + other.calls().len(), 1);
}

#[tokio::test]
async fn a_graceful_goaway_loses_nothing() {
    let upstream = Upstream::start(|_| Script::echo()).await;
    let pool = pool(spec(&[&upstream]));
    let mut open = Vec::new();
    for _ in 0..100 {
        let (sender, call) = bidi();
        open.push((sender, send(&pool, call).await.unwrap()));
    }
    upstream.go_away();
    for number in 0..200 {
        let text = number.to_string();
        assert_eq!(whole(&pool, unary(text.clone())).await.unwrap().0, [text]);
    }
    for (sender, mut reply) in open {
        sender.send(Ok(Message::from(Bytes::from("late")))).unwrap();
        assert_eq!(message(&mut reply).await, "late");
        drop(sender);
        assert!(matches!(next(&mut reply).await, Some(Ok(Frame::Trailers(_)))));
    }
    assert!(upstream.connections() > 2, "new calls went to new connections");
}

#[tokio::test]
async fn a_goaway_with_an_error_fails_what_was_begun_and_nothing_else() {
    let upstream = Upstream::start(|seen| match seen.connection {
        1 => Script::new().step(Step::Request).step(Step::Abort(Reason::ENHANCE_YOUR_CALM)).stall(),
        _ => Script::echo(),
    })
    .await;
    let pool = pool(spec(&[&upstream]));
    let (code, _, origin) = told(whole(&pool, unary("lost")).await);
    assert_eq!((code, origin), (Code::Unavailable, "upstream"));
    for _ in 0..20 {
        assert_eq!(whole(&pool, unary("next")).await.unwrap().0, ["next"]);
    }
    assert_eq!(upstream.connections(), 2);
    assert_eq!(upstream.calls().len(), 21, "the lost call was not sent again");
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_though_it_is_not_idempotent() {
    let count = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::start(move |_| match count.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Script::reset(Reason::REFUSED_STREAM),
        _ => Script::echo(),
    })
    .await;
    let pool = pool(spec(&[&upstream]));
    assert_eq!(whole(&pool, unary("once")).await.unwrap().0, ["once"]);
    assert_eq!(upstream.calls().len(), 2);
    let (sender, call) = bidi();
    let reply = send(&pool, call);
    let (mut reply, ()) = tokio::join!(async { reply.await.unwrap() }, async {
        upstream.call(3).await;
        sender.send(Ok(Message::from(Bytes::from("after")))).unwrap();
    });
    assert_eq!(message(&mut reply).await, "after");
}

#[tokio::test]
async fn refusing_for_ever_ends() {
    let upstream = Upstream::start(|_| Script::reset(Reason::REFUSED_STREAM)).await;
    let told = told(whole(&pool(spec(&[&upstream])), unary("")).await);
    assert_eq!(told, (Code::Unavailable, "UPSTREAM_RESET".into(), "upstream"));
    assert_eq!(upstream.calls().len(), 4);
}

#[tokio::test]
async fn a_refused_call_goes_to_another_endpoint() {
    let full = Upstream::start(|_| Script::reset(Reason::REFUSED_STREAM)).await;
    let free = Upstream::start(|_| Script::unary("m")).await;
    let pool = pool(spec(&[&full, &free]));
    for _ in 0..20 {
        whole(&pool, unary("")).await.unwrap();
    }
    assert_eq!(free.calls().len(), 20);
}

#[tokio::test]
async fn reconciling_keeps_the_connections_of_what_stays_and_drains_the_rest() {
    let stays = Upstream::start(|_| Script::echo()).await;
    let leaves = Upstream::start(|_| Script::echo()).await;
    let pool = pool(spec(&[&stays, &leaves]));
    stays.connected(1).await;
    leaves.connected(1).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let (sender, call) = bidi();
        open.push((sender, send(&pool, call).await.unwrap()));
    }
    // One for unary calls, one for streams.
    stays.connected(2).await;
    pool.reconcile(&[Arc::new(spec(&[&stays]))]);
    let there = leaves.calls().len();
    for _ in 0..20 {
        whole(&pool, unary("m")).await.unwrap();
    }
    assert_eq!(leaves.calls().len(), there, "no new calls go to what was removed");
    assert_eq!(stays.connections(), 2, "no new connection was needed");
    for (sender, mut reply) in open {
        sender.send(Ok(Message::from(Bytes::from("late")))).unwrap();
        assert_eq!(message(&mut reply).await, "late");
    }
}

#[tokio::test]
async fn an_upstream_that_left_still_answers_requests_that_began_before() {
    let upstream = Upstream::start(|_| Script::unary("m")).await;
    let pool = pool(spec(&[&upstream]));
    pool.reconcile(&[]);
    whole(&pool, unary("")).await.unwrap();
    let told = told(whole(&transom::upstream::Pool::new(), unary("")).await);
    assert_eq!(told, unavailable());
}

#[tokio::test]
async fn endpoints_killed_and_revived_in_turn_cost_no_call() {
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(Upstream::start(|_| Script::unary("m")).await);
    }
    let pool = pool(spec(&upstreams.iter().collect::<Vec<_>>()));
    for upstream in &upstreams {
        upstream.connected(1).await;
    }
    for round in 0..6 {
        let address = upstreams.remove(0).kill().await;
        for _ in 0..20 {
            whole(&pool, unary("")).await.unwrap_or_else(|status| panic!("round {round}: {status}"));
        }
        upstreams.push(Upstream::options().listen(address).start(|_| Script::unary("m")).await);
        upstreams.last().unwrap().connected(1).await;
    }
}
