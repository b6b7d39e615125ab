//! The plan over any failures, and the layer over a caller that answers as it is told, in paused time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tower::{ServiceExt as _, service_fn};

use super::*;
use crate::rpc::{self, Again, CallPolicy, Code, Kind, Message, Messages, Metadata, Method, Origin};

/// How long a copy takes, and how it ends: `None` well.
type Copy = (u64, Option<(Code, Again)>);

fn call() -> Call {
    let hedge = Some(rpc::Hedge { attempts: 3, ..rpc::Hedge::default() });
    Call {
        method: Method::new("/a.B/C").unwrap(),
        kind: Kind::Unary,
        idempotent: true,
        affinity: None,
        policy: Arc::new(CallPolicy { hedge, retry: None, ..CallPolicy::new("shop") }),
        metadata: Metadata::new(),
        deadline: None,
        encoding: None,
        accept_encoding: None,
        messages: Messages::One(Message::from(Bytes::from_static(b"m"))),
        attempt: Attempt::default(),
    }
}

fn status(code: Code, again: Again) -> Status {
    Status { again, ..Status::new(code, Origin::Upstream, "TEST", "test") }
}

struct Ran {
    /// The code, or which of the copies answered.
    outcome: Result<usize, Code>,
    /// When each copy was sent, in milliseconds.
    sent: Vec<u128>,
    took: u128,
    /// Copies that nobody waits for any longer.
    cancelled: usize,
}

/// Sends a call whose copies take their time and end as given.
async fn run(budget: &Budget, call: Call, copies: &[Copy]) -> Ran {
    let start = Instant::now();
    let (sent, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (noted, finished, copies) = (Arc::clone(&sent), Arc::clone(&ended), copies.to_vec());
    let caller = service_fn(move |call: Call| {
        let number = call.attempt.previous as usize;
        noted.lock().unwrap().push(start.elapsed().as_millis());
        let ((time, end), finished) = (copies[number], Arc::clone(&finished));
        async move {
            tokio::time::sleep(Duration::from_millis(time)).await;
            finished.fetch_add(1, Ordering::Relaxed);
            if let Some((code, again)) = end {
                return Err(status(code, again));
            }
            let mut metadata = Metadata::new();
            metadata.insert(http::HeaderName::from_static("copy"), number.into());
            Ok(Reply { metadata, encoding: None, frames: Box::pin(futures_util::stream::empty()) })
        }
    });
    let outcome = HedgeLayer::new(budget.clone()).layer(caller).oneshot(call).await;
    let number = |reply: Reply| reply.metadata.get("copy").unwrap().to_str().unwrap().parse().unwrap();
    let sent = sent.lock().unwrap().clone();
    let cancelled = sent.len() - ended.load(Ordering::Relaxed);
    let outcome = outcome.map(number).map_err(|status| status.code);
    Ran { outcome, sent, took: start.elapsed().as_millis(), cancelled }
}

const BUSY: Option<(Code, Again)> = Some((Code::Unavailable, Again::ByCode));

#[tokio::test(start_paused = true)]
async fn copies_follow_each_other_until_one_answers() {
    /// Copies, the outcome, when each was sent, how long all took, how many were cancelled.
    type Case<'a> = (&'a [Copy], Result<usize, Code>, &'a [u128], u128, usize);
    let cases: [Case<'_>; 8] = [
        (&[(10, None)], Ok(0), &[0], 10, 0),
        (&[(500, None), (10, None)], Ok(1), &[0, 50], 60, 1),
        (&[(70, None), (500, None)], Ok(0), &[0, 50], 70, 1),
        (&[(500, None), (500, None), (10, None)], Ok(2), &[0, 50, 100], 110, 2),
        // A failure that another copy need not share sends the next at once.
        (&[(10, BUSY), (10, None)], Ok(1), &[0, 10], 20, 0),
        (&[(10, BUSY), (10, BUSY), (10, BUSY)], Err(Code::Unavailable), &[0, 10, 20], 30, 0),
        (&[(70, BUSY), (200, None), (500, None)], Ok(1), &[0, 50, 70], 250, 1),
        // Any other is final.
        (&[(500, None), (10, Some((Code::NotFound, Again::ByCode)))], Err(Code::NotFound), &[0, 50], 60, 1),
    ];
    for (copies, outcome, sent, took, cancelled) in cases {
        let ran = run(&Budget::default(), call(), copies).await;
        assert_eq!((ran.outcome, &*ran.sent, ran.cancelled), (outcome, sent, cancelled), "{copies:?}");
        assert!((took..took + 10).contains(&ran.took), "{copies:?} took {}", ran.took);
    }
}

#[tokio::test(start_paused = true)]
async fn servers_may_push_back() {
    let pushed = |again| Some((Code::Unavailable, again));
    let later = pushed(Again::After(Duration::from_millis(300)));
    let ran = run(&Budget::default(), call(), &[(10, later), (10, None)]).await;
    assert_eq!((ran.outcome, &*ran.sent), (Ok(1), &[0, 310][..]));
    for again in [Again::Never, Again::Unsent] {
        let ran = run(&Budget::default(), call(), &[(10, pushed(again))]).await;
        assert_eq!((ran.outcome, &*ran.sent), (Err(Code::Unavailable), &[0][..]), "{again:?}");
        // What is under way already may still answer.
        let ran = run(&Budget::default(), call(), &[(70, pushed(again)), (200, None)]).await;
        assert_eq!((ran.outcome, &*ran.sent), (Ok(1), &[0, 50][..]), "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_others_spend_meanwhile_end_a_call_with_its_failure() {
    let later = Some((Code::Unavailable, Again::After(Duration::from_millis(300))));
    let budget = Budget::default();
    let spend = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        while budget.tokens.allows() {
            budget.tokens.failed();
        }
    };
    let copies = [(10, later), (10, None)];
    let (ran, ()) = tokio::join!(run(&budget, call(), &copies), spend);
    assert_eq!((ran.outcome, &*ran.sent), (Err(Code::Unavailable), &[0][..]));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_copy_that_would_come_too_late() {
    let later = Some((Code::Unavailable, Again::After(Duration::from_secs(60))));
    let call = Call { deadline: rpc::Deadline::after(Duration::from_secs(15)), ..call() };
    let ran = run(&Budget::default(), call, &[(10, later), (10, None)]).await;
    assert_eq!((ran.outcome, &*ran.sent), (Err(Code::Unavailable), &[0][..]));
    assert!(ran.took < 20, "{}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn the_word_of_a_server_stands_over_that_nobody_was_there() {
    let unsent = Some((Code::Internal, Again::Unsent));
    let ran = run(&Budget::default(), call(), &[(10, BUSY), (10, unsent)]).await;
    assert_eq!((ran.outcome, &*ran.sent), (Err(Code::Unavailable), &[0, 10][..]));
}

#[test]
fn what_is_paid_costs_nothing_and_a_fatal_code_ends_all() {
    let policy = rpc::Hedge::default();
    let tokens = crate::upstream::retry::Throttle::default();
    let mut plan = Plan::new(&policy);
    plan.send();
    let paid = Status { is_paid: true, ..status(Code::Unavailable, Again::ByCode) };
    assert_eq!(plan.failed(&paid, &tokens), Next::After(Duration::ZERO));
    assert_eq!(tokens.tokens(), 100);
    assert_eq!(plan.failed(&status(Code::InvalidArgument, Again::Never), &tokens), Next::Fail);
    assert_eq!(tokens.tokens(), 99);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_hedged_while_most_calls_fail_or_where_it_may_do_harm() {
    let budget = Budget::default();
    while budget.tokens.allows() {
        budget.tokens.failed();
    }
    let ran = run(&budget, call(), &[(500, None)]).await;
    assert_eq!((ran.outcome, &*ran.sent), (Ok(0), &[0][..]));
    for call in [
        Call { idempotent: false, ..call() },
        Call { policy: Arc::new(CallPolicy::new("shop")), ..call() },
        Call { messages: Messages::Stream(Box::pin(futures_util::stream::empty())), ..call() },
        Call { messages: Messages::One(Bytes::from(vec![0; 64 * 1024 + 1]).into()), ..call() },
    ] {
        let ran = run(&Budget::default(), call, &[(500, None)]).await;
        assert_eq!((ran.outcome, &*ran.sent), (Ok(0), &[0][..]));
    }
}

proptest! {
    #[test]
    fn copies_never_exceed_what_is_allowed(
        failures in prop::collection::vec((1..17_i32, 0..5_u8, any::<bool>()), 0..30),
        attempts in 0..9_u32,
        spent in 0..120_u32,
    ) {
        let policy = rpc::Hedge { attempts, ..rpc::Hedge::default() };
        let budget = Budget::default();
        for _ in 0..spent {
            budget.tokens.failed();
        }
        let mut plan = Plan::new(&policy);
        plan.send();
        for (code, again, sends) in failures {
            let again = [Again::ByCode, Again::Left, Again::Never, Again::Unsent, Again::After(Duration::ZERO)]
                [usize::from(again)];
            let status = status(Code::from_number(code), again);
            match plan.failed(&status, &budget.tokens) {
                Next::Fail => prop_assert!(!policy.codes.contains(&status.code)),
                Next::Wait => prop_assert!(!plan.may_send(&budget.tokens)),
                Next::After(_) => {
                    prop_assert!(plan.may_send(&budget.tokens) && again != Again::Never);
                    if sends {
                        plan.send();
                    }
                }
            }
            prop_assert!(plan.sent() <= attempts.clamp(1, MOST_COPIES));
        }
    }
}

const MOST_COPIES: u32 = crate::upstream::retry::MOST;
