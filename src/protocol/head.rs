//! What the head of a request says to every adapter: its deadline, and the frame of its call.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use http::HeaderMap;

use crate::rpc::deadline::parse_grpc_timeout;
use crate::rpc::{Call, Deadline, Messages, Metadata, Status};

use super::Target;

/// The call of a target, without compression.
pub(super) fn call(
    headers: &HeaderMap,
    target: &Target,
    metadata: Metadata,
    messages: Messages,
) -> Result<Call, Status> {
    Ok(Call {
        method: target.method.clone(),
        kind: target.kind,
        idempotent: target.idempotent,
        affinity: affinity(headers, target),
        policy: Arc::clone(&target.call_policy),
        metadata,
        deadline: deadline(headers, target)?,
        encoding: None,
        accept_encoding: None,
        messages,
    })
}

/// The same for equal values of the header, in every worker.
fn affinity(headers: &HeaderMap, target: &Target) -> Option<u64> {
    let value = headers.get(target.policy.affinity.as_ref()?)?;
    let mut hasher = DefaultHasher::new();
    hasher.write(value.as_bytes());
    Some(hasher.finish())
}

/// The smaller of the client's `grpc-timeout` and the route's timeout.
fn deadline(headers: &HeaderMap, target: &Target) -> Result<Option<Deadline>, Status> {
    let asked = headers.get("grpc-timeout").map(|value| parse_grpc_timeout(value.as_bytes())).transpose();
    let asked = asked.map_err(|_| {
        let message =
            "grpc-timeout must be at most eight digits and a unit of H, M, S, m, u or n, such as 500m";
        Status::invalid("INVALID_TIMEOUT", message).with_http_status(400)
    })?;
    let timeout = match (asked, target.policy.timeout) {
        (Some(asked), Some(limit)) => Some(asked.min(limit)),
        (asked, limit) => asked.or(limit),
    };
    Ok(timeout.and_then(Deadline::after))
}
