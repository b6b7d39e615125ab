//! When keys are fetched, and what becomes of them while their issuer is away.

use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::json;

use super::*;

/// A key set with a key of that name.
fn set(id: &str) -> Bytes {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": "AAAA" });
    Bytes::from(json!({ "keys": [key] }).to_string())
}

fn fetched(issuer: &Issuer, text: Bytes) -> (Fetched, Duration) {
    issuer.begin();
    issuer.end(Ok((text, None)))
}

fn failed(issuer: &Issuer) -> Duration {
    issuer.begin();
    let (fetched, pause) = issuer.end(Err("away".into()));
    assert!(matches!(fetched, Fetched::Failed { .. }));
    pause
}

fn version(issuer: &Issuer) -> Option<u64> {
    issuer.current().map(|current| current.version)
}

#[tokio::test(start_paused = true)]
async fn requests_before_the_first_fetch_wait_for_it() {
    let issuer = Issuer::new();
    assert!(!issuer.is_settled());
    let mut waiting = pin!(join_all((0..100).map(|_| issuer.refreshed(issuer.ended()))));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(fetched(&issuer, set("a")).0, Fetched::New);
    assert_eq!(waiting.await, [true; 100]);
    assert!(issuer.is_settled());
    assert_eq!((version(&issuer), issuer.rounds.borrow().ended), (Some(1), 1));
}

#[tokio::test(start_paused = true)]
async fn made_up_names_of_keys_ask_once_and_then_only_after_a_pause() {
    let issuer = Issuer::new();
    fetched(&issuer, set("a"));
    // The first that is unknown may be new; what comes while that is found out joins it.
    assert!(issuer.ask(1) && issuer.ask(1));
    let wanted = issuer.wanted();
    wanted.notified().await;
    assert!(wanted.notified().now_or_never().is_none(), "once for all of them");
    assert_eq!(fetched(&issuer, set("a")).0, Fetched::Same);
    for _ in 0..1000 {
        assert!(!issuer.refreshed(issuer.ended()).await);
    }
    tokio::time::advance(PAUSE.checked_sub(Duration::from_millis(1)).unwrap()).await;
    assert!(!issuer.ask(2));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(issuer.ask(1), "whoever has not seen the last one need not ask");
    assert!(issuer.ask(2));
    assert_eq!(version(&issuer), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_nobody_asked_for_starts_no_pause() {
    let issuer = Issuer::new();
    fetched(&issuer, set("a"));
    issuer.begin();
    // It may have been answered before the key was there that somebody waits for.
    assert!(issuer.ask(1));
    assert_eq!(issuer.end(Ok((set("a"), None))).0, Fetched::Same);
    assert!(issuer.ask(2));
    assert_eq!(fetched(&issuer, set("b")).0, Fetched::New);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_changes_its_keys_quickly_is_followed() {
    let issuer = Issuer::new();
    for (number, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        assert_eq!(fetched(&issuer, set(id)).0, Fetched::New);
        assert_eq!(version(&issuer), Some(number as u64 + 1));
        let ended = issuer.ended();
        assert!(issuer.ask(ended), "a fetch that brought something starts no pause");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_in_other_bytes_are_the_same() {
    let issuer = Issuer::new();
    fetched(&issuer, set("a"));
    let spaced = Bytes::from([&b" "[..], &set("a")].concat());
    let ended = issuer.ended();
    assert!(issuer.ask(ended));
    assert_eq!(issuer.end(Ok((spaced, None))).0, Fetched::Same);
    assert_eq!(version(&issuer), Some(1));
    assert!(!issuer.ask(ended + 1), "whoever makes up names of keys does not drive fetches");
}

#[tokio::test(start_paused = true)]
async fn keys_are_kept_while_their_issuer_is_away_but_not_for_ever() {
    let issuer = Issuer::new();
    fetched(&issuer, set("a"));
    tokio::time::advance(Duration::from_mins(5)).await;
    issuer.begin();
    let (told, _) = issuer.end(Err("away".into()));
    let kept = Some(STALE.checked_sub(Duration::from_mins(5)).unwrap());
    assert_eq!(told, Fetched::Failed { why: "away".into(), kept });
    issuer.begin();
    let (told, _) = issuer.end(Ok((Bytes::from_static(b"<html>"), None)));
    assert!(matches!(told, Fetched::Failed { why, kept: Some(_) } if why.starts_with("no key set")));
    assert_eq!(version(&issuer), Some(1));
    tokio::time::advance(STALE).await;
    assert_eq!(version(&issuer), None);
    // The same document is good again, under the same version.
    assert_eq!(fetched(&issuer, set("a")).0, Fetched::Same);
    assert_eq!(version(&issuer), Some(1));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_ever_more_slowly() {
    let issuer = Issuer::new();
    let pauses: Vec<u64> = (0..7).map(|_| failed(&issuer).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    assert!(!issuer.ask(7), "a failed fetch counts");
    tokio::time::advance(PAUSE).await;
    assert!(issuer.ask(7));
    assert_eq!(fetched(&issuer, set("a")).1.as_secs(), 240);
    assert_eq!(failed(&issuer).as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn freshness_is_the_issuers_word_within_bounds() {
    let issuer = Issuer::new();
    for (says, pause) in [(0, 48), (60, 48), (1000, 800), (86_400, 69_120), (u64::MAX, 69_120)] {
        let (_, next) = issuer.end(Ok((set("a"), Some(Duration::from_secs(says)))));
        assert_eq!(next.as_secs(), pause, "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let issuer = Issuer::new();
    assert!(!issuer.refreshed(issuer.ended()).await);
    assert!(issuer.refreshed(issuer.ended()).now_or_never().is_none(), "the fetch is still under way");
    tokio::time::advance(SETTLING).await;
    assert!(issuer.is_settled());
}

#[tokio::test]
async fn whoever_fetches_is_woken_by_who_asks_and_by_the_end() {
    let issuer = Issuer::new();
    let wanted = issuer.wanted();
    fetched(&issuer, set("a"));
    assert!(wanted.notified().now_or_never().is_none());
    assert!(issuer.refreshed(issuer.ended()).now_or_never().is_none());
    assert!(wanted.notified().now_or_never().is_some());
    drop(issuer);
    assert!(wanted.notified().now_or_never().is_some());
}
