//! A JSON Web Key Set (RFC 7517) and the check of a signature with it (RFC 7515 §5.2, RFC 7518 §3).
//!
//! The cryptography is ring's, which is in the tree for TLS. Which algorithms there are comes from the
//! configuration; a token's `alg` only picks among them, and a key only serves the algorithms of its own
//! type: a public key can never become the secret of an HMAC, for there is none here.

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

use crate::config::auth::Algorithm;

/// Keys of one set that are kept; an issuer has a handful.
const MOST_KEYS: usize = 64;
/// Keys that are tried for a token that names none.
const MOST_TRIED: usize = 4;

/// The public keys of an issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// No key of the set is the one that the token names: it may be new.
    UnknownKey,
    Forged,
}

impl Rejected {
    /// What is wrong with the token, in words that follow it.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::UnknownKey => "is signed with an unknown key",
            Self::Forged => "has a wrong signature",
        }
    }
}

impl KeySet {
    /// Reads a set. Keys of kinds that nobody here can use are left out (RFC 7517 §5).
    ///
    /// # Errors
    /// When it is no key set, or no key of it can be used.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        // Without its words: where a set is expected, a secret may stand.
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| format!("no key set (line {}, column {})", error.line(), error.column()))?;
        let keys = document.keys.into_iter().take(MOST_KEYS);
        let keys: Vec<_> = keys.filter_map(|jwk| key(serde_json::from_value(jwk).ok()?)).collect();
        if keys.is_empty() { Err("no key that can verify a signature".to_owned()) } else { Ok(Self { keys }) }
    }

    /// Whether both have the same keys, in whatever order.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.keys.len() == other.keys.len() && self.keys.iter().all(|key| other.keys.contains(key))
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Rejected> {
        let fits = |key: &&Key| key.fits(algorithm) && (id.is_none() || key.id.as_deref() == id);
        let mut candidates = self.keys.iter().filter(fits).take(MOST_TRIED).peekable();
        if candidates.peek().is_none() {
            return Err(Rejected::UnknownKey);
        }
        let verified = candidates.any(|key| key.material.verify(algorithm, signed, signature));
        if verified { Ok(()) } else { Err(Rejected::Forged) }
    }
}

fn key(jwk: Jwk) -> Option<Key> {
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let bytes = |text: &Option<String>| BASE64URL.decode_to_vec(text.as_deref()?).ok();
    // An uncompressed point (SEC 1 §2.3.3).
    let point = |length| {
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        (x.len() == length && y.len() == length).then(|| [vec![4], x, y].concat())
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x)?),
        _ => return None,
    };
    Some(Key { id: jwk.kid, algorithm: jwk.alg, material })
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = matches!(
            (&self.material, algorithm),
            (Material::P256(_), Algorithm::Es256)
                | (Material::P384(_), Algorithm::Es384)
                | (Material::Ed25519(_), Algorithm::EdDsa)
        ) || matches!(self.material, Material::Rsa { .. }) && rsa(algorithm).is_some();
        kind && self.algorithm.as_deref().is_none_or(|own| own == name(algorithm))
    }
}

impl Material {
    fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let plain = |parameters: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(parameters, key).verify(signed, signature).is_ok()
        };
        match self {
            Self::Rsa { n, e } => rsa(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }),
            Self::P256(key) => plain(&ECDSA_P256_SHA256_FIXED, key),
            Self::P384(key) => plain(&ECDSA_P384_SHA384_FIXED, key),
            Self::Ed25519(key) => plain(&ED25519, key),
        }
    }
}

const fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

/// The name in `alg`.
#[must_use]
pub const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256 => "RS256",
        Algorithm::Rs384 => "RS384",
        Algorithm::Rs512 => "RS512",
        Algorithm::Ps256 => "PS256",
        Algorithm::Ps384 => "PS384",
        Algorithm::Ps512 => "PS512",
        Algorithm::Es256 => "ES256",
        Algorithm::Es384 => "ES384",
        Algorithm::EdDsa => "EdDSA",
    }
}
