//! JSON Web Tokens as bearer tokens (RFC 7519, RFC 6750, RFC 8725).
//!
//! [`token`] takes a token apart and checks its claims, [`keys`] its signature. Tokens that were good are remembered for a minute, by their hash.

pub mod keys;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::credential::{self, invalid_token};
use super::identity::{Identity, claim_value};
use super::recent::Recent;
use crate::config::auth::Jwt as Spec;
use crate::rpc::Status;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, request::Parts};
use keys::{KeySet, Rejected};
use ring::digest::{SHA256, digest};
use serde_json::Value as Json;
use token::Token;

/// How long a token that was good is not looked at again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How many are remembered.
const MOST_SEEN: usize = 10_000;

/// The tokens of one block.
#[derive(Debug)]
pub struct Jwt {
    policy: Arc<str>,
    spec: Spec,
    pass: bool,
    keys: KeySet,
    /// Tokens that were good, by their SHA-256. A reload makes new blocks: a key that is withdrawn takes
    /// its tokens with it.
    seen: Mutex<Recent<[u8; 32], Seen>>,
}

/// A token that was good, under its hash.
#[derive(Debug)]
struct Seen {
    until: Instant,
    identity: Arc<Identity>,
}

impl Jwt {
    /// A block with the keys of its issuer.
    #[must_use]
    pub fn new(policy: Arc<str>, spec: Spec, pass: bool, keys: KeySet) -> Self {
        Self { policy, spec, pass, keys, seen: Mutex::new(Recent::new(MOST_SEEN)) }
    }

    /// The challenge of a 401.
    #[must_use]
    pub const fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static("Bearer")
    }

    /// Names of metadata that identities write.
    pub fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.spec.claims_to_metadata.values()
    }

    /// Looks for a token in the head of a request; `None` when there is none.
    ///
    /// # Errors
    /// 401 for a token that is not good, 400 for a head that is not.
    pub fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        let Some(text) = credential::bearer(head)? else { return Ok(None) };
        self.verify(text, now()).map(Some).map_err(invalid_token)
    }

    fn verify(&self, text: &str, now: u64) -> Result<Arc<Identity>, &'static str> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        if let Some(seen) = self.lock().get(&hash)
            && seen.still_good(now)
        {
            return Ok(Arc::clone(&seen.identity));
        }
        let token = Token::parse(text, &self.spec)?;
        let expires = token.check(&self.spec, now)?;
        let id = token.key_id.as_deref();
        self.keys.verify(token.algorithm, id, token.signed, &token.signature).map_err(|why| match why {
            Rejected::UnknownKey => "is signed with an unknown key",
            Rejected::Forged => "has a wrong signature",
        })?;
        let identity = Arc::new(self.identity(token.claims, expires));
        let seen = Seen { until: Instant::now() + REMEMBERED, identity: Arc::clone(&identity) };
        self.lock().insert(hash, seen);
        Ok(identity)
    }

    fn lock(&self) -> MutexGuard<'_, Recent<[u8; 32], Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self, claims: Json, expires: u64) -> Identity {
        let metadata = self.spec.claims_to_metadata.iter();
        Identity {
            policy: Arc::clone(&self.policy),
            subject: claims.get("sub").and_then(Json::as_str).unwrap_or_default().into(),
            scopes: scopes(&claims),
            metadata: metadata
                .filter_map(|(pointer, name)| Some((name.clone(), claim_value(&claims, pointer)?)))
                .collect(),
            strip: (!self.pass).then_some(AUTHORIZATION),
            expires,
            claims,
        }
    }
}

impl Seen {
    fn still_good(&self, now: u64) -> bool {
        // Both clocks: the wall's decides what is expired, and a jump of it does not prolong the minute.
        now < self.identity.expires && Instant::now() < self.until
    }
}

/// `scope` with spaces (RFC 8693 §4.2), or a list in `scp`.
fn scopes(claims: &Json) -> Vec<Box<str>> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Json::String(text)) => text.split_ascii_whitespace().map(Box::from).collect(),
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(Box::from).collect(),
        _ => Vec::new(),
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests;
