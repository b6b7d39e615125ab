//! What can be seen of a pool: the content of `GET /upstreams` on the admin listener.

use std::collections::BTreeMap;

use serde::Serialize;

/// One upstream, of one worker or of several together.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamReport {
    pub name: String,
    /// Unary calls in flight in the whole process, their bodies included.
    pub in_flight: usize,
    /// Streaming calls in flight in the whole process.
    pub streams: usize,
    /// Calls that wait for a connection in the whole process.
    pub waiting: usize,
    /// Of 100; retries stop at 50 (gRFC A6).
    pub retry_tokens: u32,
    pub endpoints: Vec<EndpointReport>,
}

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointReport {
    pub address: String,
    pub weight: u32,
    /// The worst that a worker sees: each has its own connections, and its own experience with them.
    pub state: EndpointState,
    /// Why it cannot be reached; only while it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether its health service says that it serves; only where it is asked.
    #[serde(rename = "serving", skip_serializing_if = "Option::is_none")]
    pub health: Option<bool>,
    /// How often it was ejected of late.
    pub ejections: u32,
    pub connections: usize,
    pub in_flight: usize,
    /// How many workers see it in which state.
    pub workers: BTreeMap<EndpointState, usize>,
}

/// Whether calls may go to an endpoint, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    Ready,
    Connecting,
    /// Left out because its health service says so, or has not answered yet.
    Unhealthy,
    /// Left out for a while, because its calls failed.
    Ejected,
    Failed,
}

impl UpstreamReport {
    /// One report of what several workers see, by name.
    #[must_use]
    pub fn together(workers: impl IntoIterator<Item = Vec<Self>>) -> Vec<Self> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for report in workers.into_iter().flatten() {
            match all.get_mut(&report.name) {
                Some(known) => known.endpoints.extend(report.endpoints),
                None => drop(all.insert(report.name.clone(), report)),
            }
        }
        for report in all.values_mut() {
            report.endpoints = EndpointReport::together(std::mem::take(&mut report.endpoints));
        }
        all.into_values().collect()
    }
}

impl EndpointReport {
    /// The endpoints in the order in which they first occur.
    fn together(reports: Vec<Self>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for report in reports {
            match all.iter_mut().find(|known| known.address == report.address) {
                Some(known) => known.add(report),
                None => all.push(report),
            }
        }
        all
    }

    /// Adds what another worker sees.
    fn add(&mut self, other: Self) {
        self.state = self.state.max(other.state);
        self.failure = self.failure.take().or(other.failure);
        self.health = self.health.zip(other.health).map(|(one, other)| one && other);
        self.ejections += other.ejections;
        self.connections += other.connections;
        self.in_flight += other.in_flight;
        for (state, count) in other.workers {
            *self.workers.entry(state).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str, state: EndpointState) -> EndpointReport {
        let failure = (state == EndpointState::Failed).then(|| "refused".to_owned());
        EndpointReport {
            address: address.to_owned(),
            weight: 1,
            state,
            failure,
            health: Some(state == EndpointState::Ready),
            ejections: 1,
            connections: 2,
            in_flight: 3,
            workers: BTreeMap::from([(state, 1)]),
        }
    }

    fn upstream(name: &str, endpoints: Vec<EndpointReport>) -> UpstreamReport {
        let name = name.to_owned();
        UpstreamReport { name, in_flight: 6, streams: 1, waiting: 0, retry_tokens: 100, endpoints }
    }

    #[test]
    fn workers_are_told_together() {
        use EndpointState::{Failed, Ready};
        let one =
            vec![upstream("b", vec![endpoint("1", Ready), endpoint("2", Ready)]), upstream("a", vec![])];
        let other = vec![upstream("b", vec![endpoint("2", Failed), endpoint("1", Ready)])];
        let together = UpstreamReport::together([one, other]);
        assert_eq!(together.iter().map(|report| &*report.name).collect::<Vec<_>>(), ["a", "b"]);
        let report = &together[1];
        assert_eq!((report.in_flight, report.endpoints.len()), (6, 2), "what is shared is not added");
        let second = &report.endpoints[1];
        assert_eq!((&*second.address, second.state, second.health), ("2", Failed, Some(false)));
        assert_eq!((second.connections, second.in_flight, second.ejections), (4, 6, 2));
        assert_eq!(second.workers, BTreeMap::from([(Ready, 1), (Failed, 1)]));
        assert_eq!(second.failure.as_deref(), Some("refused"));
    }
}
