//! `[auth.NAME]`: the ways in which a caller can show who it is, as the configuration names them.
//!
//! Look here for what each kind of block says and for its defaults. Which route asks for which block is
//! the policy key `auth`; how credentials are verified is not known here.

pub mod key_url;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};

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
    Basic(Basic),
    Mtls(Mtls),
}

/// `type = "jwt"`: signed tokens of one issuer (RFC 7519).
#[derive(Clone, Debug)]
pub struct Jwt {
    /// What `iss` must be.
    pub issuer: String,
    /// `aud` must name one of these; never empty.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are.
    pub jwks: Located<KeySource>,
    /// PEM: the roots to trust in place of the system's, where the keys come from a URL.
    pub jwks_ca: Option<Located<PathBuf>>,
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

/// `jwks`: where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Read at start and at each reload.
    Reference(Reference),
    /// Fetched before the gateway is ready, and again and again: `https`, or `http` to this machine.
    Url(Uri),
    /// As [`KeySource::Url`], from where the issuer's own document says: `jwks` is left out. The document's URL.
    Discovered(Uri),
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
    /// The parameter of a query that it may stand in, too; left out: none.
    pub query: Option<String>,
}

/// `type = "basic"`: users and passwords (RFC 7617).
#[derive(Clone, Debug)]
pub struct Basic {
    /// The file of users.
    pub users: Located<Reference>,
}

/// `type = "mtls"`: the certificate of the client's connection.
#[derive(Clone, Debug)]
pub struct Mtls {
    /// The names that may call; when empty, all that the listener's `client_ca` vouches for.
    pub names: Vec<CertificateName>,
    /// What of a certificate, by JSON pointer (`/sub`, `/uri`, `/dns`), and the metadata that tell it to
    /// the upstream.
    pub claims_to_metadata: BTreeMap<String, HeaderName>,
}

/// A name in a certificate (RFC 5280 §4.2.1.6, `subjectAltName`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateName {
    Uri(String),
    /// Any URI that starts with this, which ends with a slash, and goes on.
    UriBelow(String),
    Dns(String),
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
            Self::Basic(_) => "basic",
            Self::Mtls(_) => "mtls",
        }
    }

    /// The files whose content matters.
    #[must_use]
    pub fn files(&self) -> Vec<&PathBuf> {
        let reference = match self {
            Self::Jwt(jwt) => match &jwt.jwks.value {
                KeySource::Reference(reference) => reference,
                KeySource::Url(_) | KeySource::Discovered(_) => {
                    return jwt.jwks_ca.iter().map(|ca| &ca.value).collect();
                }
            },
            Self::ApiKey(keys) => &keys.keys.value,
            Self::Basic(basic) => &basic.users.value,
            Self::Mtls(_) => return Vec::new(),
        };
        match reference {
            Reference::File(path) => vec![path],
            Reference::Env(_) => Vec::new(),
        }
    }
}
