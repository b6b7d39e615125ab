//! How a line of the access log looks: a JSON object, or a line for people with colours.
//!
//! Whatever came from outside is escaped: a line stays one line, and no terminal obeys it.

mod json;

use std::fmt::{self, Write as _};

use http::Version;

use super::Entry;
use crate::telemetry::log::Format;
use crate::telemetry::timestamp::Timestamp;

/// Appends the line of an entry, with its end of line.
pub fn line(out: &mut String, format: Format, entry: &Entry) {
    let written = match format {
        Format::Json => json::write(out, entry),
        Format::Readable => readable(out, entry),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    out.push('\n');
}

const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// `time status METHOD path → method CODE (reason) duration in/out protocol client id end`.
fn readable(out: &mut String, entry: &Entry) -> fmt::Result {
    write!(out, "{DIM}{}{RESET} ", Timestamp(entry.time))?;
    write!(out, "{}{}{RESET} {} {}", colour(entry.status), entry.status, entry.method, Escaped(&entry.path))?;
    if let Some(method) = &entry.rpc_method {
        write!(out, " {DIM}→{RESET} {}", Escaped(method))?;
    }
    if let Some(code) = entry.code {
        write!(out, " {code}")?;
    }
    if let Some(reason) = &entry.reason {
        write!(out, " {}", Escaped(reason))?;
    }
    write!(out, " {DIM}{:.1?} in={} out={}", entry.duration, entry.bytes_in, entry.bytes_out)?;
    write!(out, " {} {}", entry.protocol, version(entry.http_version))?;
    match (entry.told, entry.peer) {
        (Some(client), _) => write!(out, " {client}")?,
        (None, Some(peer)) => write!(out, " {peer}")?,
        (None, None) => {}
    }
    write!(out, " {}{RESET}", Escaped(&entry.request_id))?;
    match entry.end {
        super::End::Complete => Ok(()),
        end => write!(out, " \x1b[33m{}{RESET}", end.name()),
    }
}

/// Green, cyan, yellow or red by the class of the status.
const fn colour(status: u16) -> &'static str {
    match status {
        0..300 => "\x1b[32m",
        300..400 => "\x1b[36m",
        400..500 => "\x1b[33m",
        _ => "\x1b[31m",
    }
}

/// The version as ALPN and operators name it.
fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP",
    }
}

/// Text from outside, with escapes for what a terminal might obey.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            char if is_unsafe(char) => write!(f, "{}", char.escape_unicode()),
            char => f.write_char(char),
        })
    }
}

/// Control characters, line separators, and the marks that reorder or hide text.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
