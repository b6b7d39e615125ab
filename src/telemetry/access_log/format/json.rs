//! The JSON form of a line.
//!
//! The fields are few and known, so they are written as they come, without a tree or a string of their own:
//! a line a request is among the costliest things that a gateway does for nobody.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Entry, is_unsafe, version};
use crate::rpc::{Code, Origin};
use crate::telemetry::timestamp::Timestamp;

/// Appends an entry as one object. What is unknown is left out.
pub(super) fn write(out: &mut String, entry: &Entry) -> fmt::Result {
    out.push_str("{\"time\":\"");
    write!(out, "{}", Timestamp(entry.time))?;
    out.push('"');
    match (entry.told, entry.peer) {
        (Some(client), Some(peer)) => write!(out, ",\"client\":\"{client}\",\"peer\":\"{peer}\"")?,
        (Some(client), None) => write!(out, ",\"client\":\"{client}\"")?,
        (None, Some(peer)) => write!(out, ",\"client\":\"{peer}\"")?,
        (None, None) => out.push_str(",\"client\":null"),
    }
    let mut object = Object { out };
    object.text("request_id", &entry.request_id)?;
    object.text("method", entry.method.as_str())?;
    object.text("path", &entry.path)?;
    object.known("host", entry.host.as_deref())?;
    object.text("protocol", entry.protocol)?;
    object.text("http_version", version(entry.http_version))?;
    object.number("status", entry.status.into());
    object.known("rpc_method", entry.rpc_method.as_deref())?;
    object.known("kind", entry.kind)?;
    object.known("code", entry.code.map(Code::name))?;
    object.known("origin", entry.origin.map(Origin::name))?;
    object.known("reason", entry.reason.as_deref())?;
    object.number("bytes_in", entry.bytes_in);
    object.number("bytes_out", entry.bytes_out);
    object.number("messages_in", entry.messages_in);
    object.number("messages_out", entry.messages_out);
    object.milliseconds("duration_ms", entry.duration)?;
    object.text("end", entry.end.name())?;
    out.push('}');
    Ok(())
}

/// An object that has begun and has a field before the next. Names are plain words.
struct Object<'o> {
    out: &'o mut String,
}

impl Object<'_> {
    fn name(&mut self, name: &str) {
        self.out.push_str(",\"");
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn text(&mut self, name: &str, text: &str) -> fmt::Result {
        self.name(name);
        self.out.push('"');
        if text.bytes().all(is_plain) {
            self.out.push_str(text);
        } else {
            text.chars().try_for_each(|char| self.char(char))?;
        }
        self.out.push('"');
        Ok(())
    }

    fn known(&mut self, name: &str, text: Option<&str>) -> fmt::Result {
        text.map_or(Ok(()), |text| self.text(name, text))
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        self.out.push_str(itoa::Buffer::new().format(number));
    }

    /// To the microsecond.
    fn milliseconds(&mut self, name: &str, duration: Duration) -> fmt::Result {
        self.name(name);
        let micros = duration.as_micros();
        self.out.push_str(itoa::Buffer::new().format(micros / 1_000));
        write!(self.out, ".{:03}", micros % 1_000)
    }

    /// Inside strings JSON demands escapes below U+0020 only; terminals obey more than those.
    fn char(&mut self, char: char) -> fmt::Result {
        match char {
            '"' | '\\' => self.out.push('\\'),
            char if is_unsafe(char) => {
                return char
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .try_for_each(|unit| write!(self.out, "\\u{unit:04x}"));
            }
            _ => {}
        }
        self.out.push(char);
        Ok(())
    }
}

/// What stands in a JSON string as it is, in any reading.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}
