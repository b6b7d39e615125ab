//! The blocks `[auth.NAME]` of a configuration, with the keys that they name read from their files.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use http::Uri;

use crate::config::auth::{Auth, AuthKind, Jwt as JwtSpec, KeySource, Reference};
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::middleware::access::{Authenticator, Reserved};
use crate::middleware::api_key::ApiKeys;
use crate::middleware::basic::Basic;
use crate::middleware::jwt::keys::KeySet;
use crate::middleware::jwt::{Jwt, Keys};
use crate::middleware::mtls::Mtls;
use crate::protocol::headers::passes_always;
use crate::upstream::fetch::Fetch;

use super::issuers::{Issuers, Source};

/// The largest file of keys.
const LARGEST: u64 = 8 << 20;

/// All blocks of one snapshot.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    by_name: HashMap<Arc<str>, Arc<Authenticator>>,
    pub(super) reserved: Reserved,
}

impl Blocks {
    /// Reads what the blocks name.
    pub(super) fn load(config: &Config, issuers: &Issuers) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut by_name = HashMap::new();
        for auth in &config.auth {
            match authenticator(auth, issuers) {
                Ok(authenticator) => drop(by_name.insert(Arc::clone(&auth.name), Arc::new(authenticator))),
                Err(problem) => problems.push(problem),
            }
        }
        let given = config.given_metadata().filter(|name| !passes_always(name));
        let reserved = Reserved::of(by_name.values().map(Arc::as_ref), given);
        (Self { by_name, reserved }, problems)
    }

    /// The block of a name; `config` has checked that there is one.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Authenticator>> {
        self.by_name.get(name).cloned()
    }

    /// Whether there are any: every route then has to say what it asks.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

fn authenticator(auth: &Auth, issuers: &Issuers) -> Result<Authenticator, Problem> {
    let (name, pass) = (&auth.name, auth.pass_credentials);
    match &auth.kind {
        AuthKind::ApiKey(spec) => read(&spec.keys.value)
            .and_then(|text| ApiKeys::new(name, spec, pass, &text))
            .map(Authenticator::ApiKeys)
            .map_err(|error| Problem::error(spec.keys.at.clone(), error)),
        AuthKind::Basic(spec) => read(&spec.users.value)
            .and_then(|text| Basic::new(name, pass, &text))
            .map(|basic| Authenticator::Basic(Box::new(basic)))
            .map_err(|error| Problem::error(spec.users.at.clone(), error)),
        AuthKind::Mtls(spec) => Ok(Authenticator::Mtls(Mtls::new(Arc::clone(name), spec.clone()))),
        AuthKind::Jwt(spec) => {
            let keys = keys(spec, issuers)?;
            Ok(Authenticator::Jwt(Box::new(Jwt::new(Arc::clone(name), (**spec).clone(), pass, keys))))
        }
    }
}

fn keys(spec: &JwtSpec, issuers: &Issuers) -> Result<Keys, Problem> {
    match &spec.jwks.value {
        KeySource::Reference(reference) => read(reference)
            .and_then(|text| KeySet::parse(text.as_bytes()))
            .map(Keys::Fixed)
            .map_err(|error| Problem::error(spec.jwks.at.clone(), error)),
        KeySource::Url(url) => Ok(Keys::Fetched(issuers.of(Source::At(fetch(spec, url)?)))),
        KeySource::Discovered(document) => {
            let (document, issuer) = (fetch(spec, document)?, spec.issuer.as_str().into());
            Ok(Keys::Fetched(issuers.of(Source::Discovered { document, issuer })))
        }
    }
}

fn fetch(spec: &JwtSpec, url: &Uri) -> Result<Fetch, Problem> {
    let ca = spec.jwks_ca.as_ref();
    Fetch::new(url, ca.map(|ca| ca.value.as_path())).map_err(|error| {
        let at = ca.map_or(&spec.jwks.at, |ca| &ca.at);
        Problem::error(at.clone(), error.to_string())
    })
}

/// What a reference stands for. Errors never show any of it.
pub(super) fn read(reference: &Reference) -> Result<String, String> {
    match reference {
        Reference::File(path) => {
            read_file(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        }
        Reference::Env(name) => {
            std::env::var(name).map_err(|_| format!("the environment has no variable {name} of Unicode text"))
        }
    }
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(std::io::Error::other("it is larger than 8 MiB"));
    }
    Ok(text)
}
