//! JSON Web Tokens as bearer tokens (RFC 7519, RFC 6750, RFC 8725).
//!
//! [`token`] takes a token apart and checks its claims, [`keys`] its signature. Tokens that were good are
//! remembered for a minute, by their hash. Keys that are fetched, and when, are [`issuer`]'s.

pub mod issuer;
pub mod keys;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clock::now;
use super::credential::{self, invalid_token, keys_unavailable};
use super::identity::{Identity, claim_value};
use super::recent::Recent;
use crate::config::auth::Jwt as Spec;
use crate::rpc::Status;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, request::Parts};
use issuer::Issuer;
use keys::{KeySet, Rejected};
use ring::digest::{SHA256, digest};
use serde_json::Value as Json;
use token::Token;

/// How long a token that was good is not looked at again.
const REMEMBERED: Duration = Duration::from_secs(60);

/// How many are remembered.
const MOST_SEEN: usize = 10_000;

/// How often one token waits for keys to be fetched: the first fetch may have begun before its key was there.
const ROUNDS: usize = 2;

/// The tokens of one block.
#[derive(Debug)]
pub struct Jwt {
    policy: Arc<str>,
    spec: Spec,
    pass: bool,
    keys: Keys,
    /// Tokens that were good, by their SHA-256. A reload makes new blocks: a key that is withdrawn takes
    /// its tokens with it.
    seen: Mutex<Recent<[u8; 32], Seen>>,
}

/// Where the keys of a block come from.
#[derive(Debug)]
pub enum Keys {
    /// They are read with the configuration.
    Fixed(KeySet),
    Fetched(Arc<Issuer>),
}

/// A token that was good, under its hash.
#[derive(Debug)]
struct Seen {
    until: Instant,
    /// The version of the keys that it was verified with.
    version: u64,
    identity: Arc<Identity>,
}

/// Why a token does not let its bearer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Token(&'static str),
    /// There are no keys to tell.
    NoKeys,
}

impl From<&'static str> for Refused {
    fn from(why: &'static str) -> Self {
        Self::Token(why)
    }
}

impl Refused {
    fn status(self, realm: &str) -> Status {
        match self {
            Self::Token(why) => invalid_token(realm, why),
            Self::NoKeys => keys_unavailable(),
        }
    }
}

impl Jwt {
    /// A block with the keys of its issuer.
    #[must_use]
    pub fn new(policy: Arc<str>, spec: Spec, pass: bool, keys: Keys) -> Self {
        Self { policy, spec, pass, keys, seen: Mutex::new(Recent::new(MOST_SEEN)) }
    }

    /// The challenge of a 401.
    #[must_use]
    pub fn challenge(&self) -> HeaderValue {
        credential::challenge("Bearer", &self.policy, &[])
    }

    /// Names of metadata that identities write.
    pub fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.spec.claims_to_metadata.values()
    }

    /// Looks for a token in the head of a request; `None` when there is none. Waits only for keys that
    /// have to be fetched.
    ///
    /// # Errors
    /// 401 for a token that is not good, 400 for a head that is not, 503 when there are no keys to tell.
    pub async fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        let Some(text) = credential::bearer(head)? else { return Ok(None) };
        self.verify(text, now()).await.map(Some).map_err(|refused| refused.status(&self.policy))
    }

    async fn verify(&self, text: &str, now: u64) -> Result<Arc<Identity>, Refused> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        if let Some(identity) = self.remembered(&hash, now) {
            return Ok(identity);
        }
        let token = Token::parse(text, &self.spec)?;
        let expires = token.check(&self.spec, now)?;
        let version = self.keys.verify(&token).await?;
        let identity = Arc::new(self.identity(token.claims, expires));
        let seen = Seen { until: Instant::now() + REMEMBERED, version, identity: Arc::clone(&identity) };
        self.lock().insert(hash, seen);
        Ok(identity)
    }

    fn remembered(&self, hash: &[u8; 32], now: u64) -> Option<Arc<Identity>> {
        let version = self.keys.version()?;
        let mut seen = self.lock();
        let seen = seen.get(hash).filter(|seen| seen.version == version && seen.still_good(now))?;
        Some(Arc::clone(&seen.identity))
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
            is_token: true,
            expires: Some(expires),
            claims,
        }
    }
}

impl Keys {
    /// The version of the keys that are good now; `None` when none are.
    fn version(&self) -> Option<u64> {
        match self {
            Self::Fixed(_) => Some(0),
            Self::Fetched(issuer) => issuer.version(),
        }
    }

    /// Checks a signature; gives the version of the keys that it was checked with.
    async fn verify(&self, token: &Token<'_>) -> Result<u64, Refused> {
        match self {
            Self::Fixed(set) => Ok(token.verify(set).map(|()| 0).map_err(Rejected::why)?),
            Self::Fetched(issuer) => verify_fetched(issuer, token).await,
        }
    }
}

/// A key that is not known may be new, and keys that are not there may be on their way.
async fn verify_fetched(issuer: &Issuer, token: &Token<'_>) -> Result<u64, Refused> {
    let mut left = ROUNDS;
    loop {
        let ended = issuer.ended();
        let refused = match issuer.current() {
            Some(current) => match token.verify(&current.set) {
                Ok(()) => return Ok(current.version),
                Err(why @ Rejected::Forged) => return Err(why.why().into()),
                Err(why @ Rejected::UnknownKey) => Refused::Token(why.why()),
            },
            None => Refused::NoKeys,
        };
        if left == 0 || !issuer.refreshed(ended).await {
            return Err(refused);
        }
        left -= 1;
    }
}

impl Seen {
    fn still_good(&self, now: u64) -> bool {
        // Both clocks: the wall's decides what is expired, and a jump of it does not prolong the minute.
        self.identity.is_good(now) && Instant::now() < self.until
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

#[cfg(test)]
mod tests;
