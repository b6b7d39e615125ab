//! Server-sent events (WHATWG HTML §9.2): one message an event, `event: end` behind the last,
//! `event: error` with the status where the stream fails.
//!
//! `error` is deliberate although EventSource raises its own: the page's `onerror` gets a MessageEvent
//! with data. JSON holds no line break, so one `data:` line an event always suffices.
//! EventSource comes back whenever a response ends. So the end has an id, and who comes back with it gets
//! 204, which makes a browser stop; what can be tried again (`UNAVAILABLE`) is no event at all: the
//! response ends with a `retry:`, and the browser comes back by itself.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::rpc::{Code, Message, Status};

use super::headers::set_stream;
use super::stream_body::{Ending, Framing};
use super::target::SsePolicy;
use super::{Body, Target};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The id of the end; no message has one.
const END: &str = "transom-end";

/// The last event id that a client has seen (WHATWG HTML §9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The answer to a client that has had the end and comes back: "a client can be told to stop reconnecting
/// using the HTTP 204 No Content response code" (WHATWG HTML §9.2.1).
pub(super) fn stop(headers: &HeaderMap) -> Option<Response<Body>> {
    let last = headers.get(LAST_EVENT_ID)?;
    (last == END).then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    })
}

/// The framing of server-sent events.
#[derive(Debug)]
pub(super) struct Sse {
    policy: SsePolicy,
}

impl Sse {
    pub(super) const fn new(policy: SsePolicy) -> Self {
        Self { policy }
    }
}

impl Framing for Sse {
    fn head(&self, _first: Option<&Message>, _target: &Target, headers: &mut HeaderMap) {
        set_stream(headers, EVENT_STREAM);
    }

    /// A comment makes `onopen` fire at once; `retry:` is how long a browser waits to come back.
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b": ok\n");
        retry(self.policy.retry, out);
    }

    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        let start = out.len();
        out.extend_from_slice(b"data: ");
        target.write_json(message, out).inspect_err(|_| out.truncate(start))?;
        out.extend_from_slice(b"\n\n");
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: end\nid: ");
        out.extend_from_slice(END.as_bytes());
        out.extend_from_slice(b"\ndata: {\"code\":0}\n\n");
    }

    fn fail(&mut self, status: &Status, target: &Target, out: &mut Vec<u8>) -> Ending {
        if status.code == Code::Unavailable {
            retry(spread(self.policy.retry), out);
            return Ending::Clean;
        }
        out.extend_from_slice(b"event: error\ndata: ");
        target.write_failure(status, out);
        out.extend_from_slice(b"\n\n");
        Ending::Clean
    }

    fn heartbeat(&self) -> Option<(Duration, &'static [u8])> {
        Some((self.policy.heartbeat, b":\n\n"))
    }

    fn leaves_early(&self) -> bool {
        true
    }
}

/// Says how long to wait before coming back.
fn retry(after: Duration, out: &mut Vec<u8>) {
    out.extend_from_slice(b"retry: ");
    out.extend_from_slice(after.as_millis().to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// A time from `least` to twice that: clients that were cut off together come back one by one.
fn spread(least: Duration) -> Duration {
    let share = u32::try_from(RandomState::new().hash_one(0_u8) % 1024).unwrap_or_default();
    least.saturating_add(least.saturating_mul(share) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_of_the_end_stops() {
        let answer = |id: Option<&'static str>| {
            let headers = id.map(|id| (LAST_EVENT_ID, HeaderValue::from_static(id))).into_iter().collect();
            stop(&headers).map(|response| response.status())
        };
        assert_eq!(answer(Some("transom-end")), Some(StatusCode::NO_CONTENT));
        for other in [None, Some(""), Some("transom-end2"), Some("transom-en"), Some("7")] {
            assert_eq!(answer(other), None, "{other:?}");
        }
    }

    #[test]
    fn those_who_come_back_are_spread_and_never_early() {
        let least = Duration::from_secs(2);
        let times: Vec<_> = (0..200).map(|_| spread(least)).collect();
        assert!(times.iter().all(|time| (least..2 * least).contains(time)), "{times:?}");
        assert!(times.iter().any(|time| *time != times[0]), "{times:?}");
        assert_eq!(spread(Duration::ZERO), Duration::ZERO);
    }
}
