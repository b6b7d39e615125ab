//! Users and passwords (RFC 7617), against a file of Argon2 hashes.
//!
//! A hash costs memory and time on purpose, so each is computed where blocking is allowed, a few at a time
//! in the whole process; who comes when too many wait is told to come back. A user that nobody knows
//! costs the same as a wrong password. Pairs that were good are remembered for a minute, by a hash with a
//! key that only this process has: what is in memory is no easier to guess than what is in the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordVerifier as _};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, request::Parts};
use ring::hmac;
use ring::rand::SystemRandom;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::credential;
use super::identity::{Identity, Listed};
use super::listed;
use super::recent::Recent;
use crate::rpc::{Code, Origin, Status};

/// How long a pair that was good is not hashed again, and how many are remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_SEEN: usize = 10_000;

/// How many requests may wait for their turn, and for how long.
const MOST_WAITING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that the hash of a file may ask for: memory in KiB, and passes over it.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;

/// Those of the process. Half of the cores hash: the others serve those who are in already.
static TURNS: LazyLock<Arc<Turns>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Arc::new(Turns::new(cores.div_ceil(2)))
});

/// Who may hash now.
#[derive(Debug)]
struct Turns {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Turns {
    fn new(at_once: usize) -> Self {
        Self { running: Arc::new(Semaphore::new(at_once)), waiting: Semaphore::new(MOST_WAITING) }
    }

    /// Waits for a turn, which lasts until it is dropped.
    async fn take(&self) -> Result<OwnedSemaphorePermit, Status> {
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        match timeout(PATIENCE, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(busy()),
        }
    }
}

/// The users of one block.
#[derive(Debug)]
pub struct Basic {
    policy: Arc<str>,
    users: HashMap<Box<str>, User>,
    /// What the password of an unknown user is compared with.
    decoy: Hash,
    turns: Arc<Turns>,
    key: hmac::Key,
    seen: Mutex<Recent<[u8; 32], Seen>>,
}

#[derive(Debug)]
struct User {
    hash: Hash,
    identity: Arc<Identity>,
}

/// A hash with its salt and its cost.
#[derive(Clone, Debug)]
struct Hash(Arc<PasswordHash>);

/// A pair that was good.
#[derive(Debug)]
struct Seen {
    until: Instant,
    identity: Arc<Identity>,
}

/// What an entry has.
const FORM: &str = "an entry is `[users.NAME]` with `argon2`, and may have `scopes` and `metadata`";

/// The file: `[users.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    users: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    argon2: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl Basic {
    /// Reads the text of a file of users.
    ///
    /// # Errors
    /// What is wrong, without any of the text: it is secret.
    pub fn new(policy: &Arc<str>, pass: bool, text: &str) -> Result<Self, String> {
        let file: File = listed::read(text, FORM)?;
        let strip = (!pass).then_some(AUTHORIZATION);
        let mut users = HashMap::new();
        for (name, entry) in file.users {
            if name.is_empty() || name.contains(':') {
                return Err("a name is not empty and has no colon: there the password begins".to_owned());
            }
            let user = user(policy, &name, entry, strip.clone())
                .map_err(|error| format!("users.{name}: {error}"))?;
            users.insert(Box::from(name), user);
        }
        // As dear as the dearest: whoever asks for unknown users learns nothing by the time it takes.
        let dearest =
            users.values().max_by_key(|user: &&User| user.hash.cost()).map(|user| user.hash.clone());
        let decoy = dearest.ok_or("the file lists no users")?;
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| "the system has no random bytes")?;
        let (turns, seen) = (Arc::clone(&TURNS), Mutex::new(Recent::new(MOST_SEEN)));
        Ok(Self { policy: Arc::clone(policy), users, decoy, turns, key, seen })
    }

    /// Names of metadata that identities write.
    pub fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.users.values().flat_map(|user| user.identity.metadata.iter().map(|(name, _)| name))
    }

    /// The challenge of a 401 (RFC 7617 §2.1).
    #[must_use]
    pub fn challenge(&self) -> HeaderValue {
        credential::challenge("Basic", &self.policy, &[("charset", "UTF-8")])
    }

    /// The same as [`Basic::authenticate`], where nothing has to be hashed for it.
    pub fn authenticate_now(&self, head: &Parts) -> Option<Result<Option<Arc<Identity>>, Status>> {
        match credential::basic(head) {
            Ok(Some((name, password))) => Some(Ok(Some(self.remembered(&self.tag(&name, &password))?))),
            Ok(None) => Some(Ok(None)),
            Err(status) => Some(Err(status)),
        }
    }

    /// Looks for user and password in the head of a request; `None` when there are none.
    ///
    /// # Errors
    /// 401 for a pair that is not good, 400 for a head that is not, 503 when too many wait.
    pub async fn authenticate(&self, head: &Parts) -> Result<Option<Arc<Identity>>, Status> {
        let Some((name, password)) = credential::basic(head)? else { return Ok(None) };
        let tag = self.tag(&name, &password);
        if let Some(identity) = self.remembered(&tag) {
            return Ok(Some(identity));
        }
        let user = self.users.get(name.as_str());
        let hash = user.map_or(&self.decoy, |user| &user.hash).clone();
        let is_right = hash.matches(password, &self.turns).await?;
        let Some(user) = user.filter(|_| is_right) else {
            let message = "user or password are wrong";
            return Err(credential::invalid("PASSWORD_INVALID", message, self.challenge()));
        };
        let seen = Seen { until: Instant::now() + REMEMBERED, identity: Arc::clone(&user.identity) };
        self.lock().insert(tag, seen);
        Ok(Some(Arc::clone(&user.identity)))
    }

    /// The name cannot run over into the password: a name has no colon.
    fn tag(&self, name: &str, password: &str) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.key, format!("{name}:{password}").as_bytes()).as_ref());
        tag
    }

    fn remembered(&self, tag: &[u8; 32]) -> Option<Arc<Identity>> {
        let mut seen = self.lock();
        let seen = seen.get(tag).filter(|seen| Instant::now() < seen.until)?;
        Some(Arc::clone(&seen.identity))
    }

    fn lock(&self) -> MutexGuard<'_, Recent<[u8; 32], Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hash {
    fn parse(text: &str) -> Result<Self, String> {
        let hash =
            PasswordHash::new(text).map_err(|_| "argon2 must be a hash such as \"$argon2id$v=19$…\"")?;
        if hash.algorithm.as_str() != "argon2id" {
            return Err("argon2 must be a hash by argon2id".to_owned());
        }
        let params = Params::try_from(&hash).map_err(|_| "the parameters of argon2 cannot be used")?;
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES {
            return Err(format!("the hash asks for more than {MOST_MEMORY} KiB or {MOST_PASSES} passes"));
        }
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("argon2 has no salt or no hash".to_owned());
        }
        Ok(Self(Arc::new(hash)))
    }

    /// How much work it is.
    fn cost(&self) -> u64 {
        Params::try_from(&*self.0).map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
    }

    /// Whether it is of a password, computed in turn.
    async fn matches(self, password: String, turns: &Turns) -> Result<bool, Status> {
        let turn = turns.take().await?;
        let verified = tokio::task::spawn_blocking(move || {
            // It is held until the work is done, also when nobody waits for that any more.
            let _turn = turn;
            Argon2::default().verify_password(password.as_bytes(), &*self.0).is_ok()
        });
        verified.await.map_err(|_| busy())
    }
}

fn busy() -> Status {
    let message = "too many passwords wait to be looked at: try again soon";
    Status::new(Code::Unavailable, Origin::Gateway, "PASSWORDS_BUSY", message)
        .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("5"))
}

fn user(policy: &Arc<str>, name: &str, entry: Entry, strip: Option<HeaderName>) -> Result<User, String> {
    let listed = Listed { scopes: entry.scopes, metadata: entry.metadata };
    Ok(User { hash: Hash::parse(&entry.argon2)?, identity: listed.identity(policy, name, strip)? })
}

#[cfg(test)]
mod tests;
