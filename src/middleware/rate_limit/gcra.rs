//! The generic cell rate algorithm (ITU-T I.371, Annex A): a limit on a rate whose whole state is one
//! instant. A pure function of that instant and the present one; who is counted is not known here.
//!
//! A key may spend its burst at once and then one call each interval. What is kept of it is when it will be
//! *rested*: when all of its burst is free again. Instants are nanoseconds since some start.

use std::time::Duration;

/// How often somebody may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// What one call costs, in nanoseconds; never 0.
    interval: u64,
    /// What may be owed: so many calls at once as intervals fit in; at least one.
    window: u64,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Granted {
        /// The state from now on.
        rested: u64,
        /// How many more may come at once.
        left: u64,
        /// Until when there is one more than that.
        next: Duration,
    },
    /// The state stays as it is.
    Refused {
        /// After how long the same call is granted, if no other is before.
        wait: Duration,
    },
}

impl Limit {
    /// `burst` calls at once, and `count` in each `period`. Numbers below 1 count as 1.
    #[must_use]
    pub fn new(count: u32, period: Duration, burst: u32) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        // Rounded up: less than a nanosecond too slow, never too fast.
        let interval = period.div_ceil(u64::from(count.max(1))).max(1);
        Self { interval, window: interval.saturating_mul(u64::from(burst.max(1))) }
    }

    /// How many calls may come at once.
    #[must_use]
    pub const fn burst(self) -> u64 {
        self.window / self.interval
    }

    /// How long it takes until a burst that was spent is free again.
    #[must_use]
    pub const fn window(self) -> Duration {
        Duration::from_nanos(self.window)
    }

    /// Takes one call of a key that is, or was, rested at `rested`.
    #[must_use]
    pub fn take(self, rested: u64, now: u64) -> Taken {
        let after = rested.max(now).saturating_add(self.interval);
        let owed = after - now;
        match self.window.checked_sub(owed) {
            None => Taken::Refused { wait: Duration::from_nanos(owed - self.window) },
            Some(free) => Taken::Granted {
                rested: after,
                left: free / self.interval,
                next: Duration::from_nanos(self.interval - free % self.interval),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn nanos(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos()).unwrap()
    }

    fn limits() -> impl Strategy<Value = Limit> {
        let periods = prop::sample::select(vec![1_u64, 60, 3_600, 86_400]);
        (1..2_000_u32, periods, 1..50_u32)
            .prop_map(|(count, period, burst)| Limit::new(count, Duration::from_secs(period), burst))
    }

    /// Whether a call is granted; the state goes on.
    fn is_granted(limit: Limit, rested: &mut u64, now: u64) -> bool {
        match limit.take(*rested, now) {
            Taken::Granted { rested: after, .. } => {
                *rested = after;
                true
            }
            Taken::Refused { .. } => false,
        }
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = Limit::new(2, Duration::from_secs(1), 3);
        assert_eq!((limit.burst(), limit.window()), (3, Duration::from_millis(1500)));
        let mut rested = 0;
        let at_once = (0..10).filter(|_| is_granted(limit, &mut rested, 10 * SECOND)).count();
        assert_eq!(at_once, 3);
        let Taken::Refused { wait } = limit.take(rested, 10 * SECOND) else { panic!("the burst is spent") };
        assert_eq!(wait, Duration::from_millis(500));
        let later = (0..10).filter(|_| is_granted(limit, &mut rested, 11 * SECOND)).count();
        assert_eq!(later, 2);
    }

    #[test]
    fn the_largest_numbers_do_not_wrap() {
        let limit = Limit::new(1, Duration::MAX, u32::MAX);
        assert!(matches!(limit.take(u64::MAX, u64::MAX), Taken::Granted { .. }));
        assert!(matches!(limit.take(u64::MAX, 0), Taken::Granted { .. }));
        let limit = Limit::new(u32::MAX, Duration::ZERO, 1);
        assert_eq!(limit.burst(), 1);
        assert!(matches!(limit.take(u64::MAX, 0), Taken::Refused { .. }));
    }

    proptest! {
        /// In no span of time are more calls granted than the burst and what the rate allows in it.
        #[test]
        fn no_span_has_more_than_it_may(
            limit in limits(),
            steps in prop::collection::vec(0..3 * SECOND, 1..200),
        ) {
            let (mut now, mut rested) = (0_u64, 0_u64);
            let mut granted = Vec::new();
            for step in steps {
                now += step;
                if is_granted(limit, &mut rested, now) {
                    granted.push(now);
                }
            }
            for (at, start) in granted.iter().enumerate() {
                for (further, end) in granted.iter().enumerate().skip(at) {
                    let allowed = limit.burst() + (end - start) / limit.interval;
                    prop_assert!(((further - at) as u64) < allowed);
                }
            }
        }

        /// As many as are said to be left are left, and the next one comes when it is said to.
        #[test]
        fn what_is_told_is_true(limit in limits(), spent in 0..60_u32, now in 0..u64::MAX / 2) {
            let mut rested = 0;
            for _ in 0..spent {
                is_granted(limit, &mut rested, now);
            }
            let (mut more, count) = match limit.take(rested, now) {
                Taken::Refused { wait } => {
                    let wait = nanos(wait);
                    prop_assert!(wait > 0 && wait <= limit.interval);
                    prop_assert!(!is_granted(limit, &mut rested.clone(), now + wait - 1));
                    prop_assert!(is_granted(limit, &mut rested.clone(), now + wait));
                    return Ok(());
                }
                Taken::Granted { rested: after, left, next } => {
                    let next = nanos(next);
                    let at = |now| match limit.take(after, now) {
                        Taken::Granted { left, .. } => left + 1,
                        Taken::Refused { .. } => 0,
                    };
                    prop_assert_eq!((at(now + next - 1), at(now + next)), (left, left + 1));
                    (after, left)
                }
            };
            for _ in 0..count {
                prop_assert!(is_granted(limit, &mut more, now));
            }
            prop_assert!(!is_granted(limit, &mut more, now));
        }

        /// A key that has been silent for the whole window is as one that never called.
        #[test]
        fn who_rests_is_as_new(limit in limits(), spent in 1..60_u32, now in 0..u64::MAX / 2) {
            let mut rested = 0;
            for _ in 0..spent {
                is_granted(limit, &mut rested, now);
            }
            let later = now + limit.window;
            prop_assert!(rested <= later);
            let as_new = limit.take(0, later);
            prop_assert_eq!(limit.take(rested, later), as_new);
        }
    }
}
