//! The properties of gRFC A6 over any sequence of failures.

use proptest::prelude::*;

use super::*;
use crate::rpc::{Code, Origin};

fn failed(code: Code, again: Again) -> Status {
    Status { again, ..Status::new(code, Origin::Upstream, "TEST", "test") }
}

/// What follows each of some failures; stops where the client is told.
fn run(policy: &Retry, tokens: &Throttle, failures: &[Status]) -> Vec<Next> {
    let random = Random::new();
    let mut attempts = Attempts::new(policy);
    let mut decisions = Vec::new();
    for status in failures {
        decisions.push(attempts.failed(status, tokens, &random));
        if decisions.last() == Some(&Next::Fail) {
            break;
        }
    }
    decisions
}

fn any_failure() -> impl Strategy<Value = Status> {
    let code = (1..17_i32).prop_map(Code::from_number);
    let again = prop_oneof![
        Just(Again::ByCode),
        Just(Again::Left),
        Just(Again::Never),
        Just(Again::Unsent),
        (0..5000_u64).prop_map(|delay| Again::After(Duration::from_millis(delay))),
    ];
    (code, again).prop_map(|(code, again)| failed(code, again))
}

proptest! {
    #[test]
    fn attempts_never_exceed_what_is_allowed(
        failures in prop::collection::vec(any_failure(), 0..20),
        allowed in 0..10_u32,
        spent in 0..120_u32,
    ) {
        let policy = Retry { attempts: allowed, ..Retry::default() };
        let tokens = Throttle::default();
        for _ in 0..spent {
            tokens.failed();
        }
        let decisions = run(&policy, &tokens, &failures);
        let again = decisions.iter().filter(|next| matches!(next, Next::After(_))).count();
        prop_assert!(again < policy.attempts.clamp(1, MOST) as usize);
        prop_assert!(tokens.tokens() <= 100);
        for (next, status) in decisions.iter().zip(&failures) {
            let Next::After(delay) = next else { continue };
            match status.again {
                Again::After(asked) => prop_assert_eq!(*delay, asked),
                Again::Never | Again::Unsent => prop_assert!(false, "it must not be sent again"),
                Again::ByCode | Again::Left => prop_assert!(*delay <= policy.max_backoff.mul_f64(1.2)),
            }
            prop_assert!(status.again == Again::Left || policy.codes.contains(&status.code));
        }
    }

    #[test]
    fn tokens_stay_within_their_bounds(outcomes in prop::collection::vec(any::<bool>(), 0..500)) {
        let tokens = Throttle::default();
        let mut expected = 100_000_i64;
        for succeeded in outcomes {
            if succeeded {
                tokens.succeeded();
                expected = (expected + 100).min(100_000);
            } else {
                let allowed = tokens.failed();
                expected = (expected - 1000).max(0);
                prop_assert_eq!(allowed, expected > 50_000);
            }
            prop_assert_eq!(i64::from(tokens.tokens()), expected / 1000);
            prop_assert_eq!(tokens.allows(), expected > 50_000);
        }
    }
}

#[test]
fn delays_double_up_to_the_longest() {
    let policy = Retry { attempts: 5, max_backoff: Duration::from_millis(80), ..Retry::default() };
    let failures: Vec<_> = (0..5).map(|_| failed(Code::Unavailable, Again::ByCode)).collect();
    let decisions = run(&policy, &Throttle::default(), &failures);
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
fn calls_that_fail_with_one_connection_cost_one_token_and_one_attempt_each() {
    let (tokens, random) = (Throttle::default(), Random::new());
    let again = |is_paid: bool| {
        let policy = Retry::default();
        let mut attempts = Attempts::new(&policy);
        let lost = Status { is_paid, ..failed(Code::Unavailable, Again::ByCode) };
        (matches!(attempts.failed(&lost, &tokens, &random), Next::After(_)), attempts.made())
    };
    for call in 0..200 {
        assert_eq!(again(call > 0), (true, 1), "{call}");
    }
    assert_eq!(tokens.tokens(), 99);
    for _ in 0..60 {
        again(false);
    }
    assert_eq!(again(true), (false, 1), "while most calls fail, nobody is asked again");
}

#[test]
fn codes_that_are_not_listed_and_calls_that_were_not_sent_cost_no_token() {
    let tokens = Throttle::default();
    for status in [failed(Code::Internal, Again::ByCode), failed(Code::Unavailable, Again::Unsent)] {
        assert_eq!(run(&Retry::default(), &tokens, &[status]), [Next::Fail]);
    }
    assert_eq!(tokens.tokens(), 100);
}
