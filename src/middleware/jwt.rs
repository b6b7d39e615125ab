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
use super::identity::{Identity, told};
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

    /// The same as [`Jwt::authenticate`], where no keys have to be fetched for it.
    pub fn authenticate_now(&self, head: &Parts) -> Option<Result<Option<Arc<Identity>>, Status>> {
        match credential::bearer(head) {
            Ok(Some(text)) => {
                let verified = self.verify_now(text, now())?;
                Some(verified.map(Some).map_err(|refused| refused.status(&self.policy)))
            }
            Ok(None) => Some(Ok(None)),
            Err(status) => Some(Err(status)),
        }
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

    /// `None`: keys that are not there may decide.
    fn verify_now(&self, text: &str, now: u64) -> Option<Result<Arc<Identity>, Refused>> {
        let hash = hash(text);
        if let Some(identity) = self.remembered(&hash, now) {
            return Some(Ok(identity));
        }
        let token = Token::parse(text, &self.spec).and_then(|token| {
            let expires = token.check(&self.spec, now)?;
            Ok((token, expires))
        });
        let (token, expires) = match token {
            Ok(token) => token,
            Err(why) => return Some(Err(why.into())),
        };
        let verified = self.keys.verify_now(&token)?;
        Some(verified.map(|version| self.remember(hash, token, expires, version)).map_err(Refused::Token))
    }

    async fn verify(&self, text: &str, now: u64) -> Result<Arc<Identity>, Refused> {
        if let Some(verified) = self.verify_now(text, now) {
            return verified;
        }
        let token = Token::parse(text, &self.spec)?;
        let expires = token.check(&self.spec, now)?;
        let version = self.keys.verify(&token).await?;
        Ok(self.remember(hash(text), token, expires, version))
    }

    fn remember(&self, hash: [u8; 32], token: Token<'_>, expires: u64, version: u64) -> Arc<Identity> {
        let identity = Arc::new(self.identity(token.claims, expires));
        let seen = Seen { until: Instant::now() + REMEMBERED, version, identity: Arc::clone(&identity) };
        self.lock().insert(hash, seen);
        identity
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
        Identity {
            policy: Arc::clone(&self.policy),
            subject: claims.get("sub").and_then(Json::as_str).unwrap_or_default().into(),
            scopes: scopes(&claims),
            metadata: told(&claims, &self.spec.claims_to_metadata),
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

    /// Checks a signature; gives the version of the keys that it was checked with. `None`: keys that are not
    /// there may decide.
    fn verify_now(&self, token: &Token<'_>) -> Option<Result<u64, &'static str>> {
        match self {
            Self::Fixed(set) => Some(token.verify(set).map(|()| 0).map_err(Rejected::why)),
            Self::Fetched(issuer) => {
                let current = issuer.current()?;
                match token.verify(&current.set) {
                    Ok(()) => Some(Ok(current.version)),
                    Err(Rejected::Forged) => Some(Err(Rejected::Forged.why())),
                    Err(Rejected::UnknownKey) => None,
                }
            }
        }
    }

    /// The same, with keys that are not known, which may be new, and those that may be on their way.
    async fn verify(&self, token: &Token<'_>) -> Result<u64, Refused> {
        let mut left = ROUNDS;
        loop {
            let ended = self.ended();
            if let Some(verified) = self.verify_now(token) {
                return Ok(verified?);
            }
            if left == 0 || !self.refreshed(ended).await {
                let has_keys = self.version().is_some();
                return Err(if has_keys { Rejected::UnknownKey.why().into() } else { Refused::NoKeys });
            }
            left -= 1;
        }
    }

    fn ended(&self) -> u64 {
        match self {
            Self::Fixed(_) => 0,
            Self::Fetched(issuer) => issuer.ended(),
        }
    }

    async fn refreshed(&self, after: u64) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Fetched(issuer) => issuer.refreshed(after).await,
        }
    }
}

fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
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
