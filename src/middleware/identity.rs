//! Who a caller has shown to be, and what is made of it.
//!
//! An [`Identity`] is made by one of the authenticators ([`super::jwt`], [`super::api_key`],
//! [`super::basic`], [`super::mtls`]) and read by the layers behind them. It never stands in an HTTP header, so no client can forge it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use serde_json::Value as Json;

use crate::rpc::metadata::is_reserved;

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
    /// Whether a bearer token shows it: those have a way to say what they lack (RFC 6750 §3.1).
    pub is_token: bool,
    /// When it ends, in seconds since 1970; `None`: it does not by itself.
    pub expires: Option<u64>,
}

impl Identity {
    /// Whether it is good at so many seconds since 1970.
    #[must_use]
    pub fn is_good(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// Somebody whom a file lists, with what it says beside how they show themselves.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) scopes: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Listed {
    /// The identity, by the name that it is listed with.
    ///
    /// # Errors
    /// What cannot be set as metadata.
    pub(super) fn identity(
        self,
        policy: &Arc<str>,
        subject: &str,
        strip: Option<HeaderName>,
    ) -> Result<Arc<Identity>, String> {
        let metadata = self.metadata.into_iter().map(|(name, value)| metadata(&name, &value));
        Ok(Arc::new(Identity {
            policy: Arc::clone(policy),
            subject: subject.into(),
            scopes: self.scopes.into_iter().map(String::into_boxed_str).collect(),
            claims: Json::Object(serde_json::Map::new()),
            metadata: metadata.collect::<Result<_, _>>()?,
            strip,
            is_token: false,
            expires: None,
        }))
    }
}

fn metadata(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| !is_reserved(name));
    let parsed = parsed.ok_or_else(|| format!("`{name}` cannot be set as metadata"))?;
    let value = HeaderValue::from_str(value).map_err(|_| format!("the value of `{name}` is not ASCII"))?;
    Ok((parsed, value))
}

/// What the upstream is told of claims: those that are there and that a header can hold.
#[must_use]
pub fn told(claims: &Json, names: &BTreeMap<String, HeaderName>) -> Vec<(HeaderName, HeaderValue)> {
    names.iter().filter_map(|(pointer, name)| Some((name.clone(), claim_value(claims, pointer)?))).collect()
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
