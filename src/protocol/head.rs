//! What the head of a request says to every adapter: its deadline, and the frame of its call.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::rpc::deadline::{
    InvalidTimeout, parse_connect_timeout, parse_grpc_timeout, parse_request_timeout,
};
use crate::rpc::{Attempt, Call, Deadline, Messages, Metadata, Status};

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
        affinity: target
            .policy
            .affinity
            .as_ref()
            .and_then(|name| headers.get(name))
            .map(HeaderValue::as_bytes)
            .map(affinity),
        policy: Arc::clone(&target.call_policy),
        metadata,
        deadline: deadline(headers, target)?,
        encoding: None,
        accept_encoding: None,
        messages,
        attempt: Attempt::default(),
    })
}

/// The same for equal values, in every worker.
pub(super) fn affinity(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(value);
    hasher.finish()
}

/// How a client says what time it gives a call: the header, how it is read, and its form in words.
type TimeoutHeader = (&'static str, fn(&[u8]) -> Result<Duration, InvalidTimeout>, &'static str);

/// Each counts, whatever the client speaks: a proxy on the way may have set one beside the client's.
const TIMEOUTS: [TimeoutHeader; 3] = [
    (
        "grpc-timeout",
        parse_grpc_timeout,
        "at most eight digits and a unit of H, M, S, m, u or n, such as 500m",
    ),
    ("connect-timeout-ms", parse_connect_timeout, "milliseconds in at most ten digits, such as 500"),
    ("x-request-timeout", parse_request_timeout, "seconds in decimal digits, such as 2 or 0.5"),
];

/// The smallest of the client's timeouts and the route's.
fn deadline(headers: &HeaderMap, target: &Target) -> Result<Option<Deadline>, Status> {
    let timeout = asked(headers)?.into_iter().chain(target.policy.timeout).min();
    Ok(timeout.and_then(Deadline::after))
}

/// The smallest timeout that the client asks for. One that cannot be read is refused: without it the
/// call might run for longer than anybody waits.
fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let mut smallest: Option<Duration> = None;
    for (name, parse, form) in TIMEOUTS {
        for value in headers.get_all(name) {
            let timeout = parse(value.as_bytes()).map_err(|InvalidTimeout| {
                Status::invalid("INVALID_TIMEOUT", format!("{name} must be {form}")).with_http_status(400)
            })?;
            smallest = Some(smallest.map_or(timeout, |least| least.min(timeout)));
        }
    }
    Ok(smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(pairs: &[(&'static str, &str)]) -> Result<Option<Duration>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        asked(&headers).map_err(|status| status.message.into_owned())
    }

    #[test]
    fn the_smallest_timeout_counts_wherever_it_stands() {
        let values = [
            ("grpc-timeout", "1S", 1000),
            ("connect-timeout-ms", "2000", 2000),
            ("x-request-timeout", "3.0", 3000),
        ];
        let less = [("grpc-timeout", "500m"), ("connect-timeout-ms", "500"), ("x-request-timeout", "0.5")];
        assert_eq!(asked_by(&[]), Ok(None));
        for (name, value, millis) in values {
            assert_eq!(asked_by(&[(name, value)]), Ok(Some(Duration::from_millis(millis))), "{name}");
            for least in less {
                let expected = Ok(Some(Duration::from_millis(500)));
                assert_eq!(asked_by(&[(name, value), least]), expected, "{name} and {least:?}");
                assert_eq!(asked_by(&[least, (name, value)]), expected, "{least:?} and {name}");
            }
        }
    }

    #[test]
    fn one_that_cannot_be_read_is_refused_beside_others_that_can() {
        for (name, wrong) in
            [("grpc-timeout", "1s"), ("connect-timeout-ms", "1.5"), ("x-request-timeout", "1s")]
        {
            let error = asked_by(&[("grpc-timeout", "1S"), (name, wrong)]).unwrap_err();
            assert!(error.starts_with(&format!("{name} must be ")), "{error}");
        }
    }
}
