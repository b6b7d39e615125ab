//! How long to wait before the next try: exponential with jitter.
//!
//! A pure state machine: it knows neither clocks nor sockets. Connections and health checks use it with
//! the numbers of gRPC's connection-backoff.md, shortened for a neighbour in the same network.

use std::time::Duration;

use super::random::Random;

/// The first delay, the factor from one to the next and the longest; each is varied by ±20 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    pub initial: Duration,
    pub multiplier: f64,
    pub max: Duration,
}

impl Curve {
    /// Between two connections to one endpoint.
    pub const CONNECT: Self =
        Self { initial: Duration::from_millis(100), multiplier: 1.6, max: Duration::from_secs(10) };

    /// Between two questions for an endpoint's health.
    pub const HEALTH: Self =
        Self { initial: Duration::from_secs(1), multiplier: 1.6, max: Duration::from_secs(30) };
}

/// Successive delays on a [`Curve`].
#[derive(Debug)]
pub struct Backoff {
    curve: Curve,
    next: Duration,
}

impl Backoff {
    /// Starts at the curve's first delay.
    pub const fn new(curve: Curve) -> Self {
        Self { curve, next: curve.initial }
    }

    /// Starts again, after a success.
    pub const fn reset(&mut self) {
        self.next = self.curve.initial;
    }

    /// The delay before the next try.
    pub fn delay(&mut self, random: &Random) -> Duration {
        let delay = self.next.min(self.curve.max);
        self.next = delay.mul_f64(self.curve.multiplier).min(self.curve.max);
        delay.mul_f64(random.between(0.8, 1.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_maximum_and_stay_within_the_jitter() {
        let random = Random::new();
        let mut backoff = Backoff::new(Curve::CONNECT);
        let mut expected = 0.1_f64;
        for _ in 0..30 {
            let delay = backoff.delay(&random).as_secs_f64();
            assert!((expected * 0.799..=expected * 1.201).contains(&delay), "{delay} is not near {expected}");
            expected = (expected * 1.6).min(10.0);
        }
        backoff.reset();
        assert!(backoff.delay(&random) <= Duration::from_millis(120));
    }
}
