//! Endpoints that are asked for their health by `grpc.health.v1`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use h2::Reason;
use transom::upstream::EndpointState::{self, Ready, Unhealthy};
use transom::upstream::{Pool, Spec, Timers};

use crate::support::calls::*;
use crate::support::script::{Script, Step};
use crate::support::upstream::{PATIENCE, Upstream};

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const SERVING: &[u8] = &[8, 1];
const NOT_SERVING: &[u8] = &[8, 2];

/// An upstream that answers calls, and `Watch` as told.
async fn asked(watch: impl Fn() -> Script + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |seen| if seen.path == WATCH { watch() } else { Script::unary("m") }).await
}

async fn says(status: &'static [u8]) -> Upstream {
    asked(move || Script::new().head().message(status).stall()).await
}

fn watched(upstreams: &[&Upstream]) -> Spec {
    Spec { health: Some("shop.Shop".into()), ..spec(upstreams) }
}

fn states(pool: &Pool) -> Vec<EndpointState> {
    pool.report()[0].endpoints.iter().map(|endpoint| endpoint.state).collect()
}

async fn become_states(pool: &Pool, wanted: &[EndpointState]) {
    let waiting = async {
        while states(pool) != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await;
    in_time.unwrap_or_else(|_| panic!("{:?} become {wanted:?}", states(pool)));
}

fn watches(upstream: &Upstream) -> usize {
    upstream.calls().iter().filter(|seen| seen.path == WATCH).count()
}

/// How many of 60 calls each of the upstreams gets.
async fn deal(pool: &Pool, upstreams: &[&Upstream]) -> Vec<usize> {
    let served = |upstream: &&Upstream| upstream.calls().len() - watches(upstream);
    let before: Vec<_> = upstreams.iter().map(served).collect();
    for _ in 0..60 {
        whole(pool, unary("")).await.unwrap();
    }
    upstreams.iter().map(served).zip(before).map(|(after, before)| after - before).collect()
}

#[tokio::test]
async fn u26_who_does_not_serve_gets_no_calls() {
    let (one, bad, two) = (says(SERVING).await, says(NOT_SERVING).await, says(SERVING).await);
    let pool = pool(watched(&[&one, &bad, &two]));
    become_states(&pool, &[Ready, Unhealthy, Ready]).await;
    bad.call(0).await;
    let dealt = deal(&pool, &[&one, &bad, &two]).await;
    assert_eq!(dealt[1], 0);
    assert!(dealt[0] > 0 && dealt[2] > 0, "{dealt:?}");
    let question = one.call(0).await;
    assert_eq!((&*question.path, &*question.messages()[0]), (WATCH, &b"\x0a\x09shop.Shop"[..]));
    let report = &pool.report()[0];
    assert_eq!((report.streams, report.endpoints[0].in_flight), (0, 0), "a watch is no call");
}

#[tokio::test]
async fn u26_every_change_is_followed_on_one_stream() {
    let pause = Duration::from_millis(300);
    let changing = asked(move || {
        let script = Script::new().head().message(SERVING).sleep(pause).message(NOT_SERVING);
        script.sleep(pause).message(SERVING).stall()
    });
    let (changing, other) = (changing.await, says(SERVING).await);
    let pool = pool(watched(&[&changing, &other]));
    for state in [Ready, Unhealthy, Ready] {
        become_states(&pool, &[state, Ready]).await;
    }
    assert_eq!(watches(&changing), 1);
}

#[tokio::test]
async fn u26_who_knows_no_health_checks_is_healthy() {
    let upstream = asked(|| Script::status(12, "unknown service")).await;
    let pool = pool(watched(&[&upstream]));
    become_states(&pool, &[Ready]).await;
    assert_eq!(watches(&upstream), 1);
}

#[tokio::test]
async fn where_few_are_healthy_all_are_asked() {
    let (good, bad, worse) = (says(SERVING).await, says(NOT_SERVING).await, says(NOT_SERVING).await);
    let pool = pool(watched(&[&good, &bad, &worse]));
    become_states(&pool, &[Ready, Unhealthy, Unhealthy]).await;
    let dealt = deal(&pool, &[&good, &bad, &worse]).await;
    assert!(dealt.iter().all(|&calls| calls > 0), "{dealt:?}");
}

#[tokio::test]
async fn who_has_not_answered_yet_waits_for_it() {
    let (silent, other) = (asked(|| Script::new().stall()).await, says(SERVING).await);
    let pool = pool(watched(&[&silent, &other]));
    become_states(&pool, &[Unhealthy, Ready]).await;
    assert_eq!(deal(&pool, &[&silent, &other]).await, [0, 60]);
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_left_and_asked_again() {
    for script in [Script::new(), Script::new().head()] {
        let silent = asked(move || script.clone().stall()).await;
        let timers = Timers { health: Duration::from_millis(100), ..Timers::default() };
        let pool = pool(Spec { timers, ..watched(&[&silent]) });
        assert_eq!(silent.call(0).await.reset().await, Reason::CANCEL);
        silent.call(1).await;
        assert_eq!(states(&pool), [Unhealthy]);
    }
}

#[tokio::test]
async fn u26_after_a_failure_it_is_asked_again() {
    let fails: [fn() -> Script; 6] = [
        || Script::status(14, "broken"),
        || Script::reset(Reason::INTERNAL_ERROR),
        || Script::new().head().message(SERVING).ok(),
        || Script::new().head().message(&b"\x08"[..]).stall(),
        || Script::new().head().message(vec![0; 2000]).stall(),
        || Script::new().head_with(&[("grpc-encoding", "gzip")]).compressed(SERVING).stall(),
    ];
    for fail in fails {
        let healed = Arc::new(AtomicBool::new(false));
        let is_healed = healed.clone();
        let ill = asked(move || {
            let good = || Script::new().head().message(SERVING).stall();
            if is_healed.load(Ordering::Relaxed) { good() } else { fail() }
        });
        let (ill, other) = (ill.await, says(SERVING).await);
        let pool = pool(watched(&[&ill, &other]));
        ill.call(0).await;
        become_states(&pool, &[Unhealthy, Ready]).await;
        healed.store(true, Ordering::Relaxed);
        become_states(&pool, &[Ready, Ready]).await;
        assert!(watches(&ill) > 1, "{:?}", fail());
    }
}

#[tokio::test]
async fn a_watch_does_not_keep_a_connection_that_drains() {
    let upstream = says(SERVING).await;
    let pool = pool(watched(&[&upstream]));
    become_states(&pool, &[Ready]).await;
    upstream.go_away();
    assert_eq!(upstream.call(0).await.reset().await, Reason::CANCEL);
    assert_eq!(upstream.call(1).await.connection, 2, "it goes on on the next connection");
    become_states(&pool, &[Ready]).await;
}

#[tokio::test]
async fn a_reload_changes_who_is_asked() {
    let upstream = says(NOT_SERVING).await;
    let pool = pool(spec(&[&upstream]));
    become_states(&pool, &[Ready]).await;
    assert_eq!(watches(&upstream), 0);
    pool.reconcile(&[Arc::new(watched(&[&upstream]))]);
    become_states(&pool, &[Unhealthy]).await;
    let first = upstream.call(0).await;
    pool.reconcile(&[Arc::new(watched(&[&upstream]))]);
    whole(&pool, unary("")).await.unwrap();
    assert_eq!(first.ended(), Some(crate::support::upstream::Ended::Well), "the same goes on");
    pool.reconcile(&[Arc::new(spec(&[&upstream]))]);
    become_states(&pool, &[Ready]).await;
    assert_eq!(first.reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn an_endpoint_that_leaves_is_asked_no_more() {
    let (stays, leaves) = (says(SERVING).await, says(SERVING).await);
    let pool = pool(watched(&[&stays, &leaves]));
    become_states(&pool, &[Ready, Ready]).await;
    pool.reconcile(&[Arc::new(watched(&[&stays]))]);
    assert_eq!(leaves.call(0).await.reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn a_restart_is_asked_anew() {
    let upstream = asked(|| Script::new().head().message(SERVING).step(Step::Sleep(PATIENCE))).await;
    let pool = pool(watched(&[&upstream]));
    become_states(&pool, &[Ready]).await;
    let address = upstream.kill().await;
    let watch = |seen: &crate::support::upstream::Seen| match &*seen.path {
        WATCH => Script::new().head().message(NOT_SERVING).stall(),
        _ => Script::unary("m"),
    };
    let _again = Upstream::options().listen(address).start(watch).await;
    become_states(&pool, &[Unhealthy]).await;
}
