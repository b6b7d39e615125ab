//! The hops of a request as proxies write them, from the last to the first.
//!
//! ```text
//! X-Forwarded-For = 1#( address [ ":" port ] )
//! Forwarded       = 1#( [ pair ] *( ";" [ pair ] ) )        (RFC 7239 §4)
//! pair            = token "=" ( token / quoted-string )
//! ```
//!
//! A line that is malformed is one hop that hides: a quote that a client leaves open swallows what the
//! proxy adds behind it, and must not let the client choose what is read in its place.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who has called the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    Known(IpAddr),
    /// `unknown`, a made-up name, or nothing that can be read.
    Hidden,
}

/// The hops of `X-Forwarded-For`.
pub(super) fn list(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    headers.get_all(X_FORWARDED_FOR).iter().rev().flat_map(|line| {
        // What is no text stands for a hop all the same.
        let hops = line.to_str().unwrap_or("unknown").rsplit(',').map(str::trim_ascii);
        hops.filter(|hop| !hop.is_empty()).map(hop)
    })
}

/// The hops of `Forwarded`.
pub(super) fn elements(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    headers.get_all(FORWARDED).iter().rev().flat_map(|line| {
        let hops = line.to_str().ok().and_then(line_hops);
        hops.unwrap_or_else(|| vec![Hop::Hidden]).into_iter().rev()
    })
}

/// `None`: it is malformed.
fn line_hops(line: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (hop, behind) = element(text)?;
        hops.extend(hop);
        rest = behind;
    }
    Some(hops)
}

/// One element, where it says anything, and what stands behind its comma.
fn element(mut text: &str) -> Option<(Option<Hop>, Option<&str>)> {
    let (mut found, mut is_named) = (None, false);
    loop {
        text = text.trim_ascii_start();
        if !text.is_empty() && !text.starts_with([';', ',']) {
            let (name, value, rest) = pair(text)?;
            if name.eq_ignore_ascii_case("for") {
                // "Each parameter MUST NOT occur more than once per field-value."
                if is_named {
                    return None;
                }
                (found, is_named) = (Some(hop(&value)), true);
            }
            found.get_or_insert(Hop::Hidden);
            text = rest.trim_ascii_start();
        }
        let mut rest = text.chars();
        match rest.next() {
            None => return Some((found, None)),
            Some(',') => return Some((found, Some(rest.as_str()))),
            Some(';') => text = rest.as_str(),
            Some(_) => return None,
        }
    }
}

/// Name and value, and what stands behind.
fn pair(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (name, rest) = text.split_once('=')?;
    if name.is_empty() || name.contains(|char: char| !char.is_ascii_graphic() || "\",;".contains(char)) {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, rest) = unquoted(quoted)?;
        return Some((name, Cow::Owned(value), rest));
    }
    // An address with a port has to be quoted, and often is not.
    let end = rest.find([',', ';', ' ', '\t', '"']).unwrap_or(rest.len());
    let (value, rest) = rest.split_at(end);
    (!value.is_empty()).then_some((name, Cow::Borrowed(value), rest))
}

/// What stands before the closing quote (RFC 9110 §5.6.4), and what behind.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return Some((value, rest.as_str())),
            '\\' => value.push(rest.next()?),
            char => value.push(char),
        }
    }
}

/// An address, with a port or without.
fn hop(text: &str) -> Hop {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = bare().or_else(with_port).or_else(in_brackets);
    address.map_or(Hop::Hidden, |address| Hop::Known(address.to_canonical()))
}
