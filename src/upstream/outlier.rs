//! Which endpoints are left out for a while because their calls fail: gRFC A50 as a state machine.
//!
//! It hears how calls ended and raises a flag that the balancer reads; it knows neither calls nor
//! sockets. Two rules eject: failures in a row, which works for two endpoints as for fifty, and A50's
//! success rate, which needs five. Failures that a client can provoke at will must not be counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When an endpoint is ejected, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlier {
    /// So many failures in a row eject.
    pub consecutive: u32,
    /// How often success rates are compared, and ejections reviewed.
    pub interval: Duration,
    /// The first ejection; each further one is longer by as much.
    pub base: Duration,
    /// The longest ejection.
    pub max: Duration,
    /// The most endpoints ejected at once, in percent, though one always may be; never the last.
    pub max_percent: usize,
    /// An endpoint is ejected whose success rate is so many standard deviations below the mean.
    pub deviations: f64,
    /// Success rates are compared only among so many endpoints…
    pub hosts: usize,
    /// …with so many calls each within the interval.
    pub calls: u64,
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            consecutive: 5,
            interval: Duration::from_secs(10),
            base: Duration::from_secs(30),
            max: Duration::from_secs(300),
            max_percent: 50,
            deviations: 1.9,
            hosts: 5,
            calls: 100,
        }
    }
}

/// The record of all endpoints of one upstream.
#[derive(Debug)]
pub struct Detector {
    records: HashMap<u64, Record>,
    next_review: Instant,
}

#[derive(Debug, Default)]
struct Record {
    ejected: Arc<AtomicBool>,
    until: Option<Instant>,
    /// How often it was ejected, less one for each interval without.
    times: u32,
    in_row: u32,
    successes: u64,
    failures: u64,
}

impl Record {
    fn rate(&self) -> Option<f64> {
        let total = self.successes + self.failures;
        #[expect(clippy::cast_precision_loss, reason = "calls within ten seconds are far below 2^52")]
        (total > 0).then(|| self.successes as f64 / total as f64)
    }

    fn readmit(&mut self) {
        self.until = None;
        self.in_row = 0;
        self.ejected.store(false, Ordering::Relaxed);
    }
}

impl Detector {
    /// Nothing is known yet.
    pub fn new(now: Instant) -> Self {
        Self { records: HashMap::new(), next_review: now }
    }

    /// Starts to watch an endpoint; the flag says whether it is ejected.
    pub fn watch(&mut self, host: u64) -> Arc<AtomicBool> {
        self.records.entry(host).or_default().ejected.clone()
    }

    /// How often an endpoint was ejected, less one for each interval since in which it was not.
    pub fn ejections(&self, host: u64) -> u32 {
        self.records.get(&host).map_or(0, |record| record.times)
    }

    /// Forgets an endpoint.
    pub fn forget(&mut self, host: u64) {
        self.records.remove(&host);
    }

    /// Notes how a call ended.
    pub fn note(&mut self, host: u64, failed: bool, policy: &Outlier, now: Instant) {
        if now >= self.next_review {
            self.review(policy, now);
        }
        let Some(record) = self.records.get_mut(&host) else { return };
        if failed {
            record.failures += 1;
            record.in_row += 1;
        } else {
            record.successes += 1;
            record.in_row = 0;
        }
        if record.until.is_none() && record.in_row >= policy.consecutive {
            self.eject(host, policy, now);
        }
    }

    /// Ends ejections whose time is over, compares success rates and starts a new interval.
    fn review(&mut self, policy: &Outlier, now: Instant) {
        self.next_review = now + policy.interval;
        for record in self.records.values_mut() {
            match record.until {
                Some(until) if now >= until => record.readmit(),
                Some(_) => {}
                None => record.times = record.times.saturating_sub(1),
            }
        }
        for host in self.outliers(policy) {
            self.eject(host, policy, now);
        }
        for record in self.records.values_mut() {
            record.successes = 0;
            record.failures = 0;
        }
    }

    /// Those whose success rate is far below the mean, the worst first.
    fn outliers(&self, policy: &Outlier) -> Vec<u64> {
        let known = self.records.iter().filter(|(_, record)| record.until.is_none());
        let rates: Vec<(u64, f64)> = known
            .filter(|(_, record)| record.successes + record.failures >= policy.calls)
            .filter_map(|(host, record)| Some((*host, record.rate()?)))
            .collect();
        let count = u32::try_from(rates.len()).unwrap_or(u32::MAX);
        if rates.len() < policy.hosts.max(1) {
            return Vec::new();
        }
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / f64::from(count);
        let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / f64::from(count);
        let threshold = mean - policy.deviations * variance.sqrt();
        let mut outliers: Vec<_> = rates.into_iter().filter(|(_, rate)| *rate < threshold).collect();
        outliers.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        outliers.into_iter().map(|(host, _)| host).collect()
    }

    fn eject(&mut self, host: u64, policy: &Outlier, now: Instant) {
        let total = self.records.len();
        let ejected = self.records.values().filter(|record| record.until.is_some()).count();
        let most = (total * policy.max_percent / 100).max(1).min(total.saturating_sub(1));
        let Some(record) = self.records.get_mut(&host).filter(|_| ejected < most) else { return };
        record.times += 1;
        record.until = Some(now + (policy.base * record.times).min(policy.max));
        record.ejected.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
