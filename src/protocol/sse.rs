//! Server-sent events (WHATWG HTML §9.2): one message an event, `event: end` behind the last,
//! `event: error` with the status where the stream fails.
//!
//! `error` is deliberate although EventSource raises its own: the page's `onerror` gets a MessageEvent
//! with data. JSON holds no line break, so one `data:` line an event always suffices.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderValue;

use crate::rpc::{Message, Status};

use super::Target;
use super::headers::set_stream;
use super::stream_body::{Ending, Framing};
use super::target::SsePolicy;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

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
        out.extend_from_slice(b": ok\nretry: ");
        out.extend_from_slice(self.policy.retry.as_millis().to_string().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        let start = out.len();
        out.extend_from_slice(b"data: ");
        target.write_json(message, out).inspect_err(|_| out.truncate(start))?;
        out.extend_from_slice(b"\n\n");
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: end\ndata: {\"code\":0}\n\n");
    }

    fn fail(&mut self, status: &Status, target: &Target, out: &mut Vec<u8>) -> Ending {
        out.extend_from_slice(b"event: error\ndata: ");
        target.write_failure(status, out);
        out.extend_from_slice(b"\n\n");
        Ending::Clean
    }

    fn heartbeat(&self) -> Option<(Duration, &'static [u8])> {
        Some((self.policy.heartbeat, b":\n\n"))
    }
}
