//! What can be seen of a pool: the content of `GET /upstreams` on the admin listener.

use serde::Serialize;

/// One upstream of one worker.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamReport {
    pub name: String,
    /// Unary calls in flight, their bodies included.
    pub in_flight: usize,
    /// Streaming calls in flight.
    pub streams: usize,
    /// Of 100; retries stop at 50 (gRFC A6).
    pub retry_tokens: u32,
    pub endpoints: Vec<EndpointReport>,
}

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointReport {
    pub address: String,
    pub weight: u32,
    pub state: EndpointState,
    /// Why it cannot be reached; only while it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub connections: usize,
    pub in_flight: usize,
}

/// Whether calls may go to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    Ready,
    /// Left out for a while, because its calls failed.
    Ejected,
    /// Left out because its health service says so, or has not answered yet.
    Unhealthy,
    Connecting,
    Failed,
}
