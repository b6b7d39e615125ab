//! `[auth.NAME]`: the ways in which a caller can show who it is, as the configuration names them.
//!
//! Look here for what each kind of block says and for its defaults. Which route asks for which block is
//! the policy key `auth`; how credentials are verified is not known here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::problem::{Located, Location};

/// One `[auth.NAME]`.
#[derive(Clone, Debug)]
pub struct Auth {
    pub name: Arc<str>,
    pub kind: AuthKind,
    /// Whether the credential that was verified goes on to the upstream; left out, it ends here.
    pub pass_credentials: bool,
    pub at: Location,
}

/// `type`, with the keys that each type has.
#[derive(Clone, Debug)]
pub enum AuthKind {
    Jwt(Box<Jwt>),
    ApiKey(ApiKey),
}

/// `type = "jwt"`: signed tokens of one issuer (RFC 7519).
#[derive(Clone, Debug)]
pub struct Jwt {
    /// What `iss` must be.
    pub issuer: String,
    /// `aud` must name one of these; never empty.
    pub audiences: Vec<String>,
    /// The issuer's keys, read at start and at each reload.
    pub jwks: Located<Reference>,
    /// The algorithms that are taken, whatever a token's header says; never empty.
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock and ours may be apart.
    pub leeway: Duration,
    /// Tokens that are good for longer than this are refused.
    pub max_lifetime: Option<Duration>,
    /// What `typ` must be, where tokens of another purpose have the same issuer (RFC 8725 §3.11).
    pub token_type: Option<String>,
    /// Claims, by JSON pointer, and the metadata that tell them to the upstream.
    pub claims_to_metadata: BTreeMap<String, HeaderName>,
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). There is neither `none` nor a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// `type = "api_key"`: `ID.SECRET` in a header.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The file of keys.
    pub keys: Located<Reference>,
    pub header: HeaderName,
}

/// A secret, or what stands for one: never written in the configuration itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `file:PATH`.
    File(PathBuf),
    /// `env:NAME`.
    Env(String),
}

impl Reference {
    /// The file whose content matters.
    #[must_use]
    pub const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Env(_) => None,
        }
    }
}

impl AuthKind {
    /// The word that stands in `type`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::ApiKey(_) => "api_key",
        }
    }

    /// The files whose content matters.
    #[must_use]
    pub fn files(&self) -> Vec<&PathBuf> {
        let reference = match self {
            Self::Jwt(jwt) => &jwt.jwks.value,
            Self::ApiKey(keys) => &keys.keys.value,
        };
        match reference {
            Reference::File(path) => vec![path],
            Reference::Env(_) => Vec::new(),
        }
    }
}
