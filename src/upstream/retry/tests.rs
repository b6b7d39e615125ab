//! The properties of gRFC A6 over any sequence of failures.

use proptest::prelude::*;

use super::*;
use crate::rpc::{Code, Origin, Status};

fn failure(code: Code, cause: Cause, pushback: Option<Pushback>) -> Failure {
    let status = Status::new(code, Origin::Upstream, "TEST", "test");
    Failure { status, cause, pushback, of_connection: false }
}

fn failed(code: Code) -> Failure {
    failure(code, Cause::Answered, None)
}

/// What follows each of some failures; stops where the client is told.
fn run(policy: Option<&Retry>, throttle: &Throttle, failures: &[Failure]) -> Vec<Next> {
    let random = Random::new();
    let mut attempts = Attempts::new(policy);
    let mut decisions = Vec::new();
    for failure in failures {
        decisions.push(attempts.failed(failure, true, throttle, &random));
        if decisions.last() == Some(&Next::Fail) {
            break;
        }
    }
    decisions
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let code = (1..17_i32).prop_map(Code::from_number);
    let cause = prop_oneof![Just(Cause::Answered), Just(Cause::Unprocessed), Just(Cause::Left)];
    let pushback = prop_oneof![
        Just(None),
        Just(Some(Pushback::Never)),
        (0..5000_u64).prop_map(|delay| Some(Pushback::After(Duration::from_millis(delay)))),
    ];
    (code, cause, pushback).prop_map(|(code, cause, pushback)| failure(code, cause, pushback))
}

proptest! {
    #[test]
    fn attempts_never_exceed_what_is_allowed(
        failures in prop::collection::vec(any_failure(), 0..20),
        allowed in 0..10_u32,
        spent in 0..120_u32,
    ) {
        let policy = Retry { attempts: allowed, ..Retry::default() };
        let throttle = Throttle::default();
        for _ in 0..spent {
            throttle.failed();
        }
        let decisions = run(Some(&policy), &throttle, &failures);
        let again = decisions.iter().filter(|next| matches!(next, Next::After(_))).count();
        let now = decisions.iter().filter(|next| **next == Next::Now).count();
        prop_assert!(again < policy.attempts.clamp(1, MOST) as usize);
        prop_assert!(now <= TRANSPARENT as usize);
        prop_assert!(throttle.tokens() <= 100);
        for (next, failure) in decisions.iter().zip(&failures) {
            match (next, failure.pushback) {
                (Next::After(delay), Some(Pushback::After(asked))) => prop_assert_eq!(*delay, asked),
                (Next::After(_), Some(Pushback::Never)) => prop_assert!(false, "pushback was ignored"),
                (Next::After(delay), None) => prop_assert!(*delay <= policy.max_backoff.mul_f64(1.2)),
                _ => {}
            }
            if matches!(next, Next::After(_)) {
                prop_assert!(failure.cause == Cause::Left || policy.codes.contains(&failure.status.code)
                    || failure.cause == Cause::Unprocessed && policy.codes.contains(&failure.status.code));
            }
        }
    }

    #[test]
    fn without_a_policy_only_unprocessed_calls_are_sent_again(
        failures in prop::collection::vec(any_failure(), 1..20),
    ) {
        let decisions = run(None, &Throttle::default(), &failures);
        for (next, failure) in decisions.iter().zip(&failures) {
            prop_assert!(*next == Next::Fail || failure.cause == Cause::Unprocessed);
        }
    }

    #[test]
    fn tokens_stay_within_their_bounds(outcomes in prop::collection::vec(any::<bool>(), 0..500)) {
        let throttle = Throttle::default();
        let mut expected = 100_000_i64;
        for succeeded in outcomes {
            if succeeded {
                throttle.succeeded();
                expected = (expected + 100).min(100_000);
            } else {
                let allowed = throttle.failed();
                expected = (expected - 1000).max(0);
                prop_assert_eq!(allowed, expected > 50_000);
            }
            prop_assert_eq!(i64::from(throttle.tokens()), expected / 1000);
        }
    }
}

#[test]
fn delays_double_up_to_the_longest() {
    let policy = Retry { attempts: 5, max_backoff: Duration::from_millis(80), ..Retry::default() };
    let failures: Vec<_> = (0..5).map(|_| failed(Code::Unavailable)).collect();
    let decisions = run(Some(&policy), &Throttle::default(), &failures);
    let expected = [25.0, 50.0, 80.0, 80.0];
    assert_eq!(decisions.len(), 5);
    assert_eq!(decisions[4], Next::Fail);
    for (next, expected) in decisions.iter().zip(expected) {
        let Next::After(delay) = next else { panic!("{next:?}") };
        let delay = delay.as_secs_f64() * 1000.0;
        assert!((expected * 0.799..=expected * 1.201).contains(&delay), "{delay} is not near {expected}");
    }
}

#[test]
fn codes_that_are_not_listed_fail_at_once_and_cost_no_token() {
    let throttle = Throttle::default();
    assert_eq!(run(Some(&Retry::default()), &throttle, &[failed(Code::Internal)]), [Next::Fail]);
    assert_eq!(throttle.tokens(), 100);
}

#[test]
fn calls_that_fail_together_cost_one_token_and_one_attempt_each() {
    let (throttle, random) = (Throttle::default(), Random::new());
    let lost = failed(Code::Unavailable);
    let again = |is_new: bool| {
        let policy = Retry::default();
        let mut attempts = Attempts::new(Some(&policy));
        let next = attempts.failed(&lost, is_new, &throttle, &random);
        (matches!(next, Next::After(_)), attempts.made())
    };
    for call in 0..200 {
        assert_eq!(again(call == 0), (true, 1), "{call}");
    }
    assert_eq!(throttle.tokens(), 99);
    for _ in 0..60 {
        again(true);
    }
    assert_eq!(again(false), (false, 1), "while most calls fail, nobody is asked again");
}

#[test]
fn pushback_is_read_as_a6_wants() {
    let read = |value: &'static str| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-retry-pushback-ms", http::HeaderValue::from_static(value));
        Pushback::read(&trailers)
    };
    assert_eq!(Pushback::read(&HeaderMap::new()), None);
    assert_eq!(read("0"), Some(Pushback::After(Duration::ZERO)));
    assert_eq!(read("5000"), Some(Pushback::After(Duration::from_secs(5))));
    for text in ["-1", "", "soon", "2147483648", "1.5"] {
        assert_eq!(read(text), Some(Pushback::Never), "{text}");
    }
}
