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

use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use crate::config::policy::{self, EventName};
use crate::rpc::{Code, Message, Status};

use super::event_id;
use super::headers::set_stream;
use super::stream_body::{Ending, Framing};
use super::target::SsePolicy;
use super::{Body, Target};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The answer to a client that has had the end and comes back: "a client can be told to stop reconnecting
/// using the HTTP 204 No Content response code" (WHATWG HTML §9.2.1).
pub(super) fn stop(head: &Parts) -> Option<Response<Body>> {
    event_id::is_end(head).then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    })
}

/// The answer to an EventSource whose call has failed before its first event, and may go well next time: it
/// would never come back from the status that says so. Nothing of the failure is in it: a comment is no place
/// for what an upstream says.
pub(super) fn come_back(status: &Status, target: Option<&Target>) -> Response<Body> {
    let least = target.map_or_else(|| policy::Sse::default().retry, |target| target.policy.sse.retry);
    let mut out = b": unavailable\n".to_vec();
    retry(spread(least.max(asked(status))), &mut out);
    let mut response = Response::new(Body::from(out));
    set_stream(response.headers_mut(), EVENT_STREAM);
    response
}

/// The time that a failure itself says to wait (RFC 9110 §10.2.3); a date is none.
fn asked(status: &Status) -> Duration {
    let after = status.metadata.as_ref().and_then(|metadata| metadata.get(RETRY_AFTER.as_str()));
    let seconds = after.and_then(|value| value.to_str().ok()?.parse::<u16>().ok());
    Duration::from_secs(seconds.unwrap_or_default().into())
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
        retry(spread(self.policy.retry), out);
    }

    /// An event with its name, its id and the message. A name that would break the framing, or tell the end or the
    /// failure of the stream, is left out: it stands in the message anyway.
    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        let start = out.len();
        self.event(message, target, out).inspect_err(|_| out.truncate(start))
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: end\n");
        line(b"id: ", event_id::END.as_bytes(), out);
        out.extend_from_slice(b"data: {\"code\":0}\n\n");
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
}

impl Sse {
    /// Appends an event; on an error, a part of it.
    fn event(&self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        let label = target.label(message)?.filter(|label| EventName::is_usable(label));
        if let Some(label) = label.as_deref().or(self.policy.event.as_deref()) {
            line(b"event: ", label.as_bytes(), out);
        }
        if let Some(cursor) = target.cursor(message)? {
            out.extend_from_slice(b"id: ");
            event_id::write(&cursor, out)?;
            out.push(b'\n');
        }
        out.extend_from_slice(b"data: ");
        target.write_json(message, out)?;
        out.extend_from_slice(b"\n\n");
        Ok(())
    }
}

fn line(field: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(field);
    out.extend_from_slice(value);
    out.push(b'\n');
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
            let request = id
                .into_iter()
                .fold(http::Request::builder(), |request, id| request.header("last-event-id", id));
            stop(&request.body(()).unwrap().into_parts().0).map(|response| response.status())
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
