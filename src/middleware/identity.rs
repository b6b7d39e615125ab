//! Who a caller has shown to be, and what is made of it.
//!
//! An [`Identity`] is made by one of the authenticators ([`super::jwt`], [`super::api_key`]) and read by
//! the layers behind them. It never stands in an HTTP header, so no client can forge it.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde_json::Value as Json;

/// A caller that has proved who it is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The `[auth.NAME]` that vouches for it.
    pub policy: Arc<str>,
    /// Its name there.
    pub subject: Box<str>,
    pub scopes: Vec<Box<str>>,
    /// What a token says; an object, empty where there is no token.
    pub claims: Json,
    /// What the upstream is told.
    pub metadata: Vec<(HeaderName, HeaderValue)>,
    /// The header that carried the credential, where it ends at the gateway.
    pub strip: Option<HeaderName>,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

/// A claim as a header can hold it: texts, numbers and truth values of printable ASCII, to a size.
#[must_use]
pub fn claim_value(claims: &Json, pointer: &str) -> Option<HeaderValue> {
    /// Upstreams have limits on headers, and a token of 8 KiB could use all of one.
    const LARGEST: usize = 1024;
    let text = match claims.pointer(pointer)? {
        Json::String(text) => text.clone(),
        value @ (Json::Number(_) | Json::Bool(_)) => value.to_string(),
        Json::Array(items) => items.iter().map(Json::as_str).collect::<Option<Vec<_>>>()?.join(","),
        Json::Null | Json::Object(_) => return None,
    };
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (printable && text.len() <= LARGEST).then(|| HeaderValue::try_from(text).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_cannot_smuggle() {
        let claims = json!({ "a": "x", "n": 7, "l": ["a", "b"], "crlf": "a\r\nx-admin: 1", "u": "ä", "o": {},
            "long": "x".repeat(1025), "m": ["a", 1] });
        let value = |pointer| claim_value(&claims, pointer);
        assert_eq!(value("/a"), Some(HeaderValue::from_static("x")));
        assert_eq!(value("/n"), Some(HeaderValue::from_static("7")));
        assert_eq!(value("/l"), Some(HeaderValue::from_static("a,b")));
        for pointer in ["/crlf", "/u", "/o", "/long", "/m", "/absent"] {
            assert_eq!(value(pointer), None, "{pointer}");
        }
    }
}
