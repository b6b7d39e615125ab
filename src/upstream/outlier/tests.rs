//! Ejection and return over time that the tests make.

use proptest::prelude::*;

use super::*;

struct Watched {
    detector: Detector,
    flags: Vec<Arc<AtomicBool>>,
    policy: Outlier,
    now: Instant,
}

impl Watched {
    fn new(hosts: u64) -> Self {
        let now = Instant::now();
        let mut detector = Detector::new(now);
        let flags = (0..hosts).map(|host| detector.watch(host)).collect();
        Self { detector, flags, policy: Outlier::default(), now }
    }

    fn note(&mut self, host: u64, failed: bool) {
        self.detector.note(host, failed, &self.policy, self.now);
    }

    fn fail(&mut self, host: u64, times: u32) {
        for _ in 0..times {
            self.note(host, true);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn ejected(&self) -> Vec<usize> {
        let flags = self.flags.iter().enumerate();
        flags.filter(|(_, flag)| flag.load(Ordering::Relaxed)).map(|(host, _)| host).collect()
    }
}

#[test]
fn five_failures_in_a_row_eject() {
    let mut watched = Watched::new(2);
    watched.fail(1, 4);
    watched.note(1, false);
    watched.fail(1, 4);
    assert!(watched.ejected().is_empty(), "a success starts the row again");
    watched.fail(1, 1);
    assert_eq!(watched.ejected(), [1]);
}

#[test]
fn the_last_is_never_ejected_and_no_more_than_half() {
    let mut watched = Watched::new(1);
    watched.fail(0, 50);
    assert!(watched.ejected().is_empty());
    let mut watched = Watched::new(4);
    for host in 0..4 {
        watched.fail(host, 50);
    }
    assert_eq!(watched.ejected(), [0, 1]);
}

#[test]
fn each_ejection_is_longer_and_good_times_are_remembered() {
    let mut watched = Watched::new(2);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        watched.fail(0, 5);
        assert_eq!(watched.ejected(), [0]);
        let start = watched.now;
        while !watched.ejected().is_empty() {
            watched.pass(10);
            watched.note(1, false);
        }
        lengths.push((watched.now - start).as_secs());
    }
    assert_eq!(lengths, [30, 60, 90]);
    for _ in 0..3 {
        watched.pass(10);
        watched.note(1, false);
    }
    watched.fail(0, 5);
    watched.pass(30);
    watched.note(1, false);
    assert!(watched.ejected().is_empty(), "the first length again");
}

#[test]
fn a_success_rate_far_below_the_others_ejects() {
    let mut watched = Watched::new(6);
    watched.note(0, false);
    for host in 0..6 {
        for call in 0..200 {
            // Never five failures in a row: only the rate can tell.
            watched.note(host, if host == 3 { call % 2 == 0 } else { call % 100 == 0 });
        }
    }
    assert!(watched.ejected().is_empty(), "rates are compared when the interval ends");
    watched.pass(10);
    watched.note(0, false);
    assert_eq!(watched.ejected(), [3]);
}

#[test]
fn rates_need_enough_endpoints_and_calls() {
    for (hosts, calls) in [(4, 200), (6, 90)] {
        let mut watched = Watched::new(hosts);
        watched.note(0, false);
        for host in 0..hosts {
            for call in 0..calls {
                watched.note(host, host == 3 && call % 2 == 0);
            }
        }
        watched.pass(10);
        watched.note(0, false);
        assert!(watched.ejected().is_empty(), "{hosts} endpoints, {calls} calls");
    }
}

#[test]
fn what_is_forgotten_counts_no_longer() {
    let mut watched = Watched::new(2);
    watched.detector.forget(0);
    watched.fail(0, 10);
    watched.fail(1, 10);
    assert!(watched.ejected().is_empty(), "one is left, which is the last");
}

proptest! {
    #[test]
    fn someone_is_always_left(
        hosts in 1..8_u64,
        calls in prop::collection::vec((0..8_u64, any::<bool>(), 0..20_u64), 0..400),
    ) {
        let mut watched = Watched::new(hosts);
        for (host, failed, seconds) in calls {
            watched.pass(seconds);
            watched.note(host, failed);
            let ejected = watched.ejected().len();
            let hosts = watched.flags.len();
            prop_assert!(ejected < hosts && ejected <= (hosts / 2).max(1), "{} of {}", ejected, hosts);
        }
    }
}
