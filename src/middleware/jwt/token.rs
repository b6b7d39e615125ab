//! One token (RFC 7519 in the compact form of RFC 7515 §7.1): taken apart, and its claims checked.
//!
//! Nothing here is believed until the signature has been checked; the claims come first because that is
//! cheap, and keeps tokens of another issuer away from this one's keys.

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use serde_json::Value as Json;

use super::keys::{self, KeySet, Rejected};
use crate::config::auth::{Algorithm, Jwt};

/// A token, taken apart.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub algorithm: Algorithm,
    pub key_id: Option<String>,
    pub claims: Json,
    pub signed: &'t [u8],
    pub signature: Vec<u8>,
}

/// `jku`, `jwk`, `x5u` and the like would let the token choose its own key: they are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Json>,
}

impl<'t> Token<'t> {
    /// Takes a token apart, as far as the configuration lets it in.
    pub(super) fn parse(text: &'t str, spec: &Jwt) -> Result<Self, &'static str> {
        let (signed, signature) = text.rsplit_once('.').ok_or("is no JWT")?;
        let (header, payload) = signed.split_once('.').ok_or("is no JWT")?;
        let header: Header = json(header)?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: what is critical must be understood, and none of it is.
            return Err("has critical headers");
        }
        let algorithm = spec.algorithms.iter().find(|algorithm| keys::name(**algorithm) == header.alg);
        let algorithm = *algorithm.ok_or("is signed with an algorithm that is not allowed")?;
        check_type(header.typ.as_deref(), spec)?;
        let claims: Json = json(payload)?;
        let signature = BASE64URL.decode_to_vec(signature).map_err(|_| "is no JWT")?;
        Ok(Self { algorithm, key_id: header.kid, claims, signed: signed.as_bytes(), signature })
    }

    /// Checks what the token says of itself; returns when it ends, in seconds since 1970.
    pub(super) fn check(&self, spec: &Jwt, now: u64) -> Result<u64, &'static str> {
        let text = |name: &str| self.claims.get(name).and_then(Json::as_str);
        if text("iss") != Some(spec.issuer.as_str()) {
            return Err("is from another issuer");
        }
        let is_ours = |audience: &Json| {
            audience.as_str().is_some_and(|audience| spec.audiences.iter().any(|own| own == audience))
        };
        let for_us = match self.claims.get("aud") {
            Some(Json::Array(audiences)) => audiences.iter().any(is_ours),
            Some(audience) => is_ours(audience),
            None => false,
        };
        if !for_us {
            return Err("is for another audience");
        }
        self.check_times(spec, now)
    }

    /// Checks the signature.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<(), Rejected> {
        keys.verify(self.algorithm, self.key_id.as_deref(), self.signed, &self.signature)
    }

    fn check_times(&self, spec: &Jwt, now: u64) -> Result<u64, &'static str> {
        let leeway = spec.leeway.as_secs();
        let expires = date(self.claims.get("exp")).ok_or("does not say when it expires")?;
        if expires.saturating_add(leeway) <= now {
            return Err("has expired");
        }
        for name in ["nbf", "iat"] {
            let Some(claim) = self.claims.get(name) else { continue };
            let date = date(Some(claim)).ok_or("has a date that is none")?;
            if date > now.saturating_add(leeway) {
                return Err("is not valid yet");
            }
        }
        let longest = spec.max_lifetime.map_or(u64::MAX, |time| time.as_secs().saturating_add(leeway));
        if expires.saturating_sub(now) > longest {
            return Err("is valid for too long");
        }
        Ok(expires.saturating_add(leeway))
    }
}

/// `at+jwt` and `application/at+jwt` are one type (RFC 7515 §4.1.9).
fn check_type(found: Option<&str>, spec: &Jwt) -> Result<(), &'static str> {
    let Some(wanted) = &spec.token_type else { return Ok(()) };
    let short = found.map(|found| found.strip_prefix("application/").unwrap_or(found));
    let fits = short.is_some_and(|found| found.eq_ignore_ascii_case(wanted));
    if fits { Ok(()) } else { Err("is of another type") }
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, &'static str> {
    let bytes = BASE64URL.decode_to_vec(part).map_err(|_| "is no JWT")?;
    serde_json::from_slice(&bytes).map_err(|_| "is no JWT")
}

/// A NumericDate (RFC 7519 §2), which may have a fraction; what no clock can show is none.
fn date(claim: Option<&Json>) -> Option<u64> {
    /// The year 9999: beyond it arithmetic on dates ends in surprises.
    const LAST: u64 = 253_402_300_799;
    let claim = claim?;
    let seconds = claim.as_u64().or_else(|| {
        let text = claim.as_f64().filter(|seconds| *seconds >= 0.0)?.trunc().to_string();
        text.parse().ok()
    })?;
    (seconds <= LAST).then_some(seconds)
}
