//! The policy key `cors`: which pages of other origins may call.
//!
//! Patterns match whole origins as browsers write them (RFC 6454 §6.2); what an answer says to a page is
//! not known here.

use std::time::Duration;

use ::config::ValueKind;
use http::HeaderName;

use super::group::group;
use super::value::PolicyValue;
use super::{Effective, PolicyKeys, nearest, row};
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::read::name;
use crate::config::table::Table;

group! {
    /// `cors`: which pages of other origins may call.
    CorsKeys => Cors {
        origins: Origins = Origins::default();
        /// Whether a browser may send cookies and client certificates.
        credentials: bool = false;
        /// For how long a browser need not ask again.
        max_age: Duration = Duration::from_secs(600);
        /// Headers of requests that pages may send beside those that browsers send unasked.
        headers: SentNames = SentNames::Any;
        /// Headers of answers that pages may read beside the built-in ones.
        expose: ReadNames = ReadNames::default();
    }
}

/// `cors.headers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SentNames {
    /// Whatever they ask for: who may call may also say how.
    #[default]
    Any,
    /// These, and no others.
    Only(Vec<HeaderName>),
}

/// `cors.expose`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadNames(pub Vec<HeaderName>);

/// `cors.origins`; without any, no page of another origin may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub Vec<OriginPattern>);

/// One of `cors.origins`. It matches whole origins only, and `null` only as `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// `*`.
    Any,
    /// `https://app.example.com`, `http://localhost:5173`.
    Exact(String),
    /// `https://*.example.com`: one or more labels for the star.
    Subdomains { before: String, after: String },
    /// `http://localhost:*`: any port that is written.
    AnyPort(String),
}

const ORIGIN_FORM: &str = "write it as browsers send it, \"https://app.example.com\", with a port only if it is not \
     the scheme's own; or \"https://*.example.com\", \"http://localhost:*\", \"*\"";

impl OriginPattern {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (scheme, host) = text.split_once("://")?;
        let is_scheme =
            !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let own_port = matches!(scheme, "http" if host.ends_with(":80"))
            || matches!(scheme, "https" if host.ends_with(":443"));
        if !is_scheme || own_port || host.ends_with(':') {
            return None;
        }
        match host.split_once('*') {
            None => is_host(host).then(|| Self::Exact(text.to_owned())),
            Some(("", after)) if after.starts_with('.') && is_host(after) => {
                Some(Self::Subdomains { before: format!("{scheme}://"), after: after.to_owned() })
            }
            Some((before, "")) if before.len() > 1 && before.ends_with(':') && is_host(before) => {
                Some(Self::AnyPort(format!("{scheme}://{before}")))
            }
            Some(_) => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Exact(origin) => origin.clone(),
            Self::Subdomains { before, after } => format!("{before}*{after}"),
            Self::AnyPort(before) => format!("{before}*"),
        }
    }

    /// Whether an `Origin` matches, from its first byte to its last.
    #[must_use]
    pub fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => origin == exact,
            Self::Subdomains { before, after } => origin
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(|labels| labels.split('.').all(is_label)),
            Self::AnyPort(before) => origin
                .strip_prefix(before.as_str())
                .is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())),
        }
    }
}

/// As browsers write a host: in lower case, with a port or without.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl PolicyValue for SentNames {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        match entry.value {
            ValueKind::String(text) if text == "any" => Some(Self::Any),
            ValueKind::String(_) if entry.variable().is_none() => {
                entry.wrong("is no list of names", "write \"any\", or names in square brackets")
            }
            _ => names(entry).map(Self::Only),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Any => "\"any\"".to_owned(),
            Self::Only(names) => show_names(names),
        }
    }
}

impl PolicyValue for ReadNames {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        names(entry).map(Self)
    }

    fn show(&self) -> String {
        show_names(&self.0)
    }
}

fn names(entry: &Entry<'_>) -> Option<Vec<HeaderName>> {
    let names = entry.texts(|entry, text| match text {
        // It would mean a header of that name where cookies come along (Fetch §3.3.4).
        "*" => entry.wrong("\"*\" is no name of a header", "write each name"),
        text => name::header_text(entry, text),
    })?;
    Some(names.into_iter().map(|name| name.value).collect())
}

fn show_names(names: &[HeaderName]) -> String {
    let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
    format!("{names:?}")
}

impl PolicyValue for Origins {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let origins = entry.texts(|entry, text| {
            OriginPattern::parse(text)
                .or_else(|| entry.wrong(format!("\"{text}\" is no origin"), ORIGIN_FORM))
        })?;
        Some(Self(origins.into_iter().map(|origin| origin.value).collect()))
    }

    fn show(&self) -> String {
        format!("{:?}", self.0.iter().map(OriginPattern::show).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_origins() {
        let cases = [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example.evil.test", false),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example:8443", false),
            ("https://*.a.example", "https://x.y.a.example", true),
            ("https://*.a.example", "https://a.example", false),
            ("https://*.a.example", "https://.a.example", false),
            ("https://*.a.example", "https://xa.example", false),
            ("https://*.a.example", "https://evil.test/.a.example", false),
            ("https://*.a.example", "https://evil.test:1@x.a.example", false),
            ("https://*.a.example", "https://x.a.example.evil.test", false),
            ("http://localhost:*", "http://localhost:5173", true),
            ("http://localhost:*", "http://localhost:", false),
            ("http://localhost:*", "http://localhost:1.evil.test", false),
            ("http://localhost:*", "http://localhost.evil.test:1", false),
            ("https://*.a.example", "null", false),
            ("*", "https://any.test", true),
        ];
        for (pattern, origin, expected) in cases {
            let parsed = OriginPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(origin), expected, "{pattern} {origin}");
            assert_eq!(parsed.show(), pattern);
        }
    }

    #[test]
    fn what_no_browser_sends_is_no_pattern() {
        for text in [
            "",
            "null",
            "a.example",
            "https://",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a*.example",
            "https://*",
            "*.example",
            "https://*.*.example",
            "://a",
            "https://a.example:",
            "https://u@a.example",
        ] {
            assert_eq!(OriginPattern::parse(text), None, "{text}");
        }
    }
}
