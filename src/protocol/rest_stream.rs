//! Server streams over HTTP and JSON as an array, as NDJSON, or as the bytes of `HttpBody` messages.
//!
//! A failure in the middle is never mistaken for an end: array and NDJSON say it in a last element
//! `{"error":…}`, the array stays unclosed, and the body is aborted in all three. Only in an array of
//! envelopes (`json.envelope`) can that element be no message; it is then closed.

use http::HeaderMap;
use http::header::HeaderValue;

use crate::rpc::{Message, Status};

use super::headers::set_stream;
use super::stream_body::{Ending, Framing};
use super::target::write_error;
use super::{Target, json_error};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// One JSON array.
#[derive(Debug, Default)]
pub(super) struct Array {
    started: bool,
}

impl Framing for Array {
    fn head(&self, _first: Option<&Message>, _target: &Target, headers: &mut HeaderMap) {
        set_stream(headers, JSON);
    }

    fn open(&mut self, out: &mut Vec<u8>) {
        out.push(b'[');
    }

    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        let start = out.len();
        if self.started {
            out.push(b',');
        }
        // What stands before a failure is whole: no comma without a message behind it.
        target.write_json(message, out).inspect_err(|_| out.truncate(start))?;
        self.started = true;
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        out.push(b']');
    }

    /// Only in envelopes can a failure be told from a message; then the array ends whole.
    fn fail(&mut self, status: &Status, target: &Target, out: &mut Vec<u8>) -> Ending {
        if self.started {
            out.push(b',');
        }
        write_error(&json_error::body(status, &target.codec), out);
        if !target.policy.envelope {
            return Ending::Abort;
        }
        out.push(b']');
        Ending::Clean
    }
}

/// One message a line.
#[derive(Debug)]
pub(super) struct Ndjson;

impl Framing for Ndjson {
    fn head(&self, _first: Option<&Message>, _target: &Target, headers: &mut HeaderMap) {
        set_stream(headers, NDJSON);
    }

    fn open(&mut self, _out: &mut Vec<u8>) {}

    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        target.write_json(message, out)?;
        out.push(b'\n');
        Ok(())
    }

    fn close(&mut self, _out: &mut Vec<u8>) {}

    fn fail(&mut self, status: &Status, target: &Target, out: &mut Vec<u8>) -> Ending {
        write_error(&json_error::body(status, &target.codec), out);
        out.push(b'\n');
        Ending::Abort
    }
}

/// The data of `google.api.HttpBody` messages, one behind the other; the first says the content type.
#[derive(Debug)]
pub(super) struct Raw;

impl Framing for Raw {
    fn head(&self, first: Option<&Message>, target: &Target, headers: &mut HeaderMap) {
        let body = first.and_then(|message| target.response.raw(message.bytes.clone()).ok());
        let content_type = body.and_then(|body| HeaderValue::try_from(body.content_type).ok());
        set_stream(headers, content_type.filter(|value| !value.is_empty()).unwrap_or(BYTES));
    }

    fn open(&mut self, _out: &mut Vec<u8>) {}

    fn message(&mut self, message: &Message, target: &Target, out: &mut Vec<u8>) -> Result<(), Status> {
        out.extend_from_slice(&target.raw(message)?.data);
        Ok(())
    }

    fn close(&mut self, _out: &mut Vec<u8>) {}

    fn fail(&mut self, _status: &Status, _target: &Target, _out: &mut Vec<u8>) -> Ending {
        Ending::Abort
    }

    fn leaves_early(&self) -> bool {
        false
    }
}
