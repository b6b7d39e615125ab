//! The ids of events: a cursor as text that fits behind `id:` and into `Last-Event-ID`, and back.
//!
//! A client takes an id as it is and gives it back as it was (WHATWG HTML §9.2.6), so any text must pass
//! unharmed through lines and through a header. What is plain stands for itself; all else is `~` and
//! base64url. Where cursors come from and go to is [`ResumePlan`]'s.
//!
//! [`ResumePlan`]: crate::transcode::resume::ResumePlan

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName};
use http::request::Parts;

use crate::rpc::{FieldViolation, Status};
use crate::transcode::query;

use super::Target;

/// The id of the end; no message has one.
pub(super) const END: &str = "transom-end";

/// The last event id that a client has seen (WHATWG HTML §9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The same as a query parameter, for those who cannot set headers, browsers' WebSockets among them.
pub const LAST_EVENT_ID_PARAMETER: &str = "lastEventId";

/// The longest id: it comes back in a header, beside all others.
const LONGEST: usize = 4096;

/// What an id begins with that does not stand for itself.
const ENCODED: u8 = b'~';

/// Appends the id of a cursor.
///
/// # Errors
/// When it is too long to come back: the upstream's fault.
pub(super) fn write(cursor: &str, out: &mut Vec<u8>) -> Result<(), Status> {
    let start = out.len();
    if is_plain(cursor) {
        out.extend_from_slice(cursor.as_bytes());
    } else {
        out.push(ENCODED);
        base64_simd::URL_SAFE_NO_PAD.encode_append(cursor, out);
    }
    if out.len() - start <= LONGEST {
        return Ok(());
    }
    out.truncate(start);
    let text = format!("the upstream sent a cursor that makes an id of more than {LONGEST} bytes");
    Err(Status::bad_upstream("UPSTREAM_CURSOR_TOO_LONG", text))
}

/// The cursor of an id; `None` for what is no id of a message.
fn read(id: &str) -> Option<Cow<'_, str>> {
    match id.strip_prefix(char::from(ENCODED)) {
        Some(encoded) => {
            let cursor = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(encoded).ok()?;
            String::from_utf8(cursor).ok().map(Cow::Owned)
        }
        None => is_plain(id).then_some(Cow::Borrowed(id)),
    }
}

/// Whether a cursor can stand for itself.
fn is_plain(cursor: &str) -> bool {
    let printable = cursor.bytes().all(|byte| byte.is_ascii_graphic());
    printable && !cursor.is_empty() && cursor != END && !cursor.starts_with(char::from(ENCODED))
}

/// The id that a client has seen last: of the header, else of the query, where a client that comes back still
/// has what it began with. Empty is none.
///
/// # Errors
/// 400 where it is no text, or is there twice.
fn seen(head: &Parts) -> Result<Option<Cow<'_, str>>, Status> {
    if let Some(id) = in_header(&head.headers)?.filter(|id| !id.is_empty()) {
        return Ok(Some(Cow::Borrowed(id)));
    }
    in_query(head.uri.query().unwrap_or_default())
}

fn in_header(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let id = value.to_str().map_err(|_| invalid("it is no text"))?;
    if values.next().is_some() {
        return Err(invalid("it is given twice"));
    }
    Ok(Some(id))
}

fn in_query(query: &str) -> Result<Option<Cow<'_, str>>, Status> {
    let mut ids = query::pairs(query).flatten().filter(|(name, _)| name == LAST_EVENT_ID_PARAMETER);
    let Some((_, id)) = ids.next() else { return Ok(None) };
    if ids.next().is_some() {
        return Err(invalid("it is given twice"));
    }
    Ok(Some(id).filter(|id| !id.is_empty()))
}

/// Whether a client has had the end. An id that cannot be read is not that of the end.
pub(super) fn is_end(head: &Parts) -> bool {
    seen(head).is_ok_and(|id| id.as_deref() == Some(END))
}

/// What an encoded request lacks to go on behind the event that the client has seen last; empty where it
/// has seen none, or the route does not resume.
///
/// # Errors
/// 400 for an id that is none of this stream's.
pub(super) fn after(head: &Parts, target: &Target) -> Result<Vec<u8>, Status> {
    let mut bound = Vec::new();
    if let Some(plan) = &target.resume
        && let Some(id) = seen(head)?
    {
        let cursor = read(&id).ok_or_else(|| invalid("it is no id of this stream"))?;
        plan.write(&target.codec, &cursor, &mut bound).map_err(|error| invalid(&error.description))?;
    }
    Ok(bound)
}

fn invalid(description: &str) -> Status {
    let field = "Last-Event-ID".to_owned();
    let message = format!("the last event id is invalid: {description}");
    let violation = FieldViolation { field, description: description.to_owned() };
    Status::invalid("INVALID_LAST_EVENT_ID", message).with_violations(&[violation])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(cursor: &str) -> String {
        let mut out = b"id: ".to_vec();
        write(cursor, &mut out).unwrap();
        String::from_utf8(out.split_off(4)).unwrap()
    }

    #[test]
    fn every_cursor_comes_back_as_it_was() {
        for cursor in
            ["7", "a-b_c/d+e=", "2026-01-02T03:04:05Z", "-1", "\u{7f}", "é", "transom-end", "~", "~7", " 7"]
                .into_iter()
                .chain([
                    "",
                    "7 ",
                    "7\r\nevent: end",
                    "7\n\ndata: x",
                    "\0",
                    "\u{feff}7",
                    "a b",
                    "transom-end0",
                ])
        {
            let id = id(cursor);
            assert!(id.bytes().all(|byte| byte.is_ascii_graphic()) && id != END, "{cursor:?}: {id}");
            assert_eq!(read(&id).as_deref(), Some(cursor), "{id}");
        }
        assert_eq!(id("41"), "41");
    }

    #[test]
    fn every_character_passes_alone_and_between_others() {
        for code in (0..0x300).chain([0x2028, 0xfeff, 0x1f600]) {
            let character = char::from_u32(code).unwrap();
            for cursor in [character.to_string(), format!("a{character}b")] {
                let id = id(&cursor);
                assert!(id.bytes().all(|byte| byte.is_ascii_graphic()), "{cursor:?}");
                assert_eq!(read(&id).as_deref(), Some(cursor.as_str()));
            }
        }
    }

    #[test]
    fn what_was_never_an_id_is_none() {
        for text in ["", "transom-end", "a b", "~!", "~YQ==", "~_w", "a\tb"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_id_that_could_not_come_back_is_the_upstreams_fault() {
        let mut out = b"before".to_vec();
        assert!(write(&"x".repeat(LONGEST), &mut out.clone()).is_ok());
        for cursor in ["x".repeat(LONGEST + 1), " ".repeat(LONGEST)] {
            let status = write(&cursor, &mut out).unwrap_err();
            assert_eq!(status.reason().as_deref(), Some("UPSTREAM_CURSOR_TOO_LONG"));
            assert_eq!(out, b"before");
        }
    }

    fn head(query: &str, headers: &[&str]) -> Parts {
        let mut request = http::Request::builder().uri(format!("/x?{query}"));
        for id in headers {
            request = request.header(LAST_EVENT_ID, *id);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_header_counts_before_the_parameter() {
        let cases = [
            ("", &[][..], Some(None)),
            ("lastEventId=7", &[], Some(Some("7"))),
            ("lastEventId=%7EIDc&x=y", &[], Some(Some("~IDc"))),
            ("lastEventId=7", &["8"], Some(Some("8"))),
            ("lastEventId=7", &[""], Some(Some("7"))),
            ("lastEventId=", &[], Some(None)),
            ("lastEventId=7&lastEventId=7", &[], None),
            ("", &["7", "8"], None),
            ("", &["é"], None),
        ];
        for (query, headers, expected) in cases {
            let head = head(query, headers);
            let seen = seen(&head).ok().map(|id| id.map(Cow::into_owned));
            assert_eq!(seen, expected.map(|id| id.map(str::to_owned)), "{query} {headers:?}");
        }
    }
}
