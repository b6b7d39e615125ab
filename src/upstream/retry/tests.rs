//! The layer over a caller that fails as it is told, in paused time.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

use super::*;
use crate::rpc::{CallPolicy, Code, Kind, Message, Messages, Metadata, Method, Origin};

type Outcome = Result<Reply, Status>;

/// What was sent, and when.
type Sent = Arc<Mutex<Vec<(Instant, Attempt)>>>;

fn call(policy: CallPolicy) -> Call {
    Call {
        method: Method::new("/a.B/C").unwrap(),
        kind: Kind::Unary,
        idempotent: true,
        affinity: None,
        policy: Arc::new(policy),
        metadata: Metadata::new(),
        deadline: None,
        encoding: None,
        accept_encoding: None,
        messages: Messages::One(Message::from(Bytes::from_static(b"m"))),
        attempt: Attempt::default(),
    }
}

fn failed(again: Again) -> Outcome {
    Err(Status { again, ..Status::new(Code::Unavailable, Origin::Upstream, "TEST", "busy") })
}

fn reply() -> Reply {
    let frames = Box::pin(futures_util::stream::empty());
    Reply { metadata: Metadata::new(), encoding: None, frames }
}

/// Sends a call through the layer to a caller whose outcomes are given.
async fn run(call: Call, outcomes: Vec<Outcome>) -> (Outcome, Vec<(Instant, Attempt)>, Budget) {
    let (sent, outcomes) = (Sent::default(), Arc::new(Mutex::new(VecDeque::from(outcomes))));
    let noted = Arc::clone(&sent);
    let caller = service_fn(move |call: Call| {
        noted.lock().unwrap().push((Instant::now(), call.attempt));
        let outcome = outcomes.lock().unwrap().pop_front().unwrap();
        async move { outcome }
    });
    let budget = Budget::default();
    let outcome = RetryLayer::new(budget.clone()).layer(caller).oneshot(call).await;
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    (outcome, sent, budget)
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_delayed_and_know_of_each_other() {
    let outcomes = vec![failed(Again::ByCode), failed(Again::After(Duration::from_secs(7))), Ok(reply())];
    let (outcome, sent, budget) = run(call(CallPolicy::new("shop")), outcomes).await;
    assert!(outcome.is_ok());
    assert_eq!(sent.iter().map(|(_, attempt)| attempt.previous).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(sent.iter().map(|(_, attempt)| attempt.may_leave).collect::<Vec<_>>(), [true, true, false]);
    sent[0].1.tried.add(4);
    assert_eq!(sent[2].1.tried.so_far(), [4]);
    let delays: Vec<_> = sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!((20..=30).contains(&delays[0].as_millis()), "{delays:?}");
    assert!((7000..7010).contains(&delays[1].as_millis()), "{delays:?}");
    assert_eq!(budget.tokens.tokens(), 98);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_twice_is_sent_once() {
    let policy = || CallPolicy::new("shop");
    let large = Messages::One(Message::from(Bytes::from(vec![0; 64 * 1024 + 1])));
    let calls = [
        Call { idempotent: false, ..call(policy()) },
        call(CallPolicy { retry: None, ..policy() }),
        call(CallPolicy { retry: Some(rpc::Retry { attempts: 1, ..rpc::Retry::default() }), ..policy() }),
        Call { messages: large, ..call(policy()) },
        Call { messages: Messages::Stream(Box::pin(futures_util::stream::empty())), ..call(policy()) },
    ];
    for call in calls {
        let (outcome, sent, _) = run(call, vec![failed(Again::ByCode), Ok(reply())]).await;
        assert!(outcome.is_err() && sent.len() == 1 && !sent[0].1.may_leave);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_word_of_a_server_is_told() {
    let (outcome, sent, _) = run(call(CallPolicy::new("shop")), vec![failed(Again::Unsent)]).await;
    assert_eq!((outcome.unwrap_err().again, sent.len()), (Again::Unsent, 1));
    let outcomes = vec![failed(Again::ByCode), failed(Again::Unsent)];
    let (outcome, sent, _) = run(call(CallPolicy::new("shop")), outcomes).await;
    assert_eq!((outcome.unwrap_err().again, sent.len()), (Again::ByCode, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_beyond_the_deadline() {
    let deadline = rpc::Deadline::after(Duration::from_secs(5));
    let call = Call { deadline, ..call(CallPolicy::new("shop")) };
    let before = Instant::now();
    let (outcome, sent, _) = run(call, vec![failed(Again::After(Duration::from_secs(60)))]).await;
    assert!(outcome.is_err() && sent.len() == 1 && before.elapsed() < Duration::from_secs(1));
}
