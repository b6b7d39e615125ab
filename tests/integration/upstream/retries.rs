//! Which calls are sent again, how often and where (gRFC A6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use transom::rpc::{Call, CallPolicy, Code, Kind, Message, Messages, Retry, Status};
use transom::upstream::{Spec, Timers};

use crate::support::calls::*;
use crate::support::script::{Script, Step};
use crate::support::upstream::Upstream;

fn busy() -> Script {
    Script::status(14, "busy")
}

/// Busy for so many calls, then well.
async fn busy_for(times: usize, busy: impl Fn() -> Script + Send + Sync + 'static) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(
        move |_| {
            if count.fetch_add(1, Ordering::Relaxed) < times { busy() } else { Script::unary("m") }
        },
    )
    .await
}

async fn outcome(upstream: &Upstream, call: Call) -> Result<(), Status> {
    whole(&pool(spec(&[upstream])), call).await.map(drop)
}

#[tokio::test]
async fn an_idempotent_call_is_sent_up_to_three_times() {
    let upstream = busy_for(2, busy).await;
    outcome(&upstream, idempotent("")).await.unwrap();
    let attempts: Vec<_> =
        upstream.calls().iter().map(|seen| seen.header("grpc-previous-rpc-attempts").to_owned()).collect();
    assert_eq!(attempts, ["", "1", "2"]);

    let upstream = busy_for(3, busy).await;
    let status = outcome(&upstream, idempotent("")).await.unwrap_err();
    assert_eq!((status.code, status.message.as_ref()), (Code::Unavailable, "busy"));
    assert_eq!(upstream.calls().len(), 3);
}

#[tokio::test]
async fn what_must_not_be_sent_twice_is_not() {
    let committed = || Script::new().step(Step::Request).head().trailers(&[("grpc-status", "14")]);
    let large = vec![0; 65_537];
    let stream = || {
        let messages = [Ok(Message::from(Bytes::from("m")))];
        let messages = Messages::Stream(Box::pin(futures_util::stream::iter(messages)));
        Call { idempotent: true, messages, ..call(Kind::ClientStreaming) }
    };
    let cases: Vec<(&str, Upstream, Call)> = vec![
        ("not idempotent", busy_for(1, busy).await, unary("")),
        ("another code", busy_for(1, || Script::status(13, "bug")).await, idempotent("")),
        ("a head has arrived", busy_for(1, committed).await, idempotent("")),
        ("too large to keep", busy_for(1, busy).await, idempotent(large)),
        ("a stream that has begun", busy_for(1, busy).await, stream()),
    ];
    for (what, upstream, call) in cases {
        outcome(&upstream, call).await.expect_err(what);
        assert_eq!(upstream.calls().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn u24_the_upstream_may_push_back() {
    for (value, calls) in [("0", 2), ("1", 2), ("-1", 1), ("soon", 1)] {
        let pushes = move || {
            let trailers = [("grpc-status", "14"), ("grpc-retry-pushback-ms", value)];
            Script::new().step(Step::Request).trailers(&trailers)
        };
        let upstream = busy_for(1, pushes).await;
        assert_eq!(outcome(&upstream, idempotent("")).await.is_ok(), calls == 2, "{value}");
        assert_eq!(upstream.calls().len(), calls, "{value}");
    }
}

#[tokio::test]
async fn a_delay_that_the_deadline_does_not_allow_is_not_waited_for() {
    let pushes = || {
        let trailers =
            [("grpc-status", "14"), ("grpc-retry-pushback-ms", "60000"), ("grpc-message", "later")];
        Script::new().step(Step::Request).trailers(&trailers)
    };
    let upstream = busy_for(1, pushes).await;
    let status = outcome(&upstream, idempotent("")).await.unwrap_err();
    assert_eq!((status.code, status.message.as_ref()), (Code::Unavailable, "later"));
}

#[tokio::test]
async fn another_endpoint_is_asked_while_there_is_one() {
    let busy = Upstream::start(|_| self::busy()).await;
    let free = Upstream::start(|_| Script::unary("m")).await;
    let pool = pool(spec(&[&busy, &free]));
    busy.connected(1).await;
    for _ in 0..30 {
        whole(&pool, idempotent("")).await.unwrap();
    }
    assert_eq!(free.calls().len(), 30);
}

#[tokio::test]
async fn retries_stop_while_most_calls_fail() {
    let upstream = Upstream::start(|_| busy()).await;
    let retry = Some(Retry { backoff: Duration::ZERO, ..Retry::default() });
    let pool = pool(spec(&[&upstream]));
    let policy = CallPolicy { retry, ..CallPolicy::new(NAME) };
    for _ in 0..100 {
        whole(&pool, with(idempotent(""), policy.clone())).await.unwrap_err();
    }
    // Fifty tokens pay for fifty attempts, of which a third are first ones; then only first ones are left.
    let sent = upstream.calls().len();
    assert!((130..=140).contains(&sent), "{sent} attempts");
    assert!(pool.report()[0].retry_tokens < 50);
}

#[tokio::test]
async fn an_attempt_may_have_its_own_limit_of_time() {
    let upstream = busy_for(1, || Script::new().stall()).await;
    let retry = Some(Retry { per_attempt: Some(Duration::from_millis(50)), ..Retry::default() });
    let call = with(idempotent(""), CallPolicy { retry, ..CallPolicy::new(NAME) });
    whole(&pool(spec(&[&upstream])), call).await.unwrap();
    assert_eq!(upstream.call(0).await.reset().await, h2::Reason::CANCEL);
}

#[tokio::test]
async fn retries_may_be_switched_off() {
    let upstream = busy_for(1, busy).await;
    let call = with(idempotent(""), CallPolicy { retry: None, ..CallPolicy::new(NAME) });
    whole(&pool(spec(&[&upstream])), call).await.unwrap_err();
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test]
async fn calls_leave_an_endpoint_that_freezes() {
    let frozen = Upstream::start(|_| Script::unary("m")).await;
    let alive = Upstream::start(|_| Script::unary("m")).await;
    let timers = Timers {
        silence: Duration::from_millis(50),
        connect: Duration::from_millis(200),
        ping: Duration::from_secs(5),
        ..Timers::default()
    };
    let pool = pool(Spec { timers, ..spec(&[&frozen, &alive]) });
    frozen.connected(1).await;
    for _ in 0..10 {
        whole(&pool, unary("")).await.unwrap();
    }
    frozen.freeze();
    let calls: Vec<_> = (0..40).map(|_| whole(&pool, idempotent(""))).collect();
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    // The endpoint is known to be silent now: no call goes there at all.
    for _ in 0..20 {
        whole(&pool, within(Duration::from_secs(5), unary(""))).await.unwrap();
    }
}

#[tokio::test]
async fn the_only_endpoint_is_not_left() {
    let slow =
        || Script::new().step(Step::Request).sleep(Duration::from_millis(300)).head().message("m").ok();
    let upstream = Upstream::start(move |_| slow()).await;
    let timers = Timers { silence: Duration::from_millis(20), ..Timers::default() };
    let pool = pool(Spec { timers, ..spec(&[&upstream]) });
    let calls = Arc::new(pool);
    whole(&*calls, idempotent("")).await.unwrap();
    assert_eq!(upstream.calls().len(), 1);
}
