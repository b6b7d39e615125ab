//! `[auth.NAME]`: one reader a type of block.

mod key_source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::name;
use crate::config::auth::{Algorithm, ApiKey, Auth, AuthKind, Jwt, KeySource, Reference};
use crate::config::entry::{Choice, Entry};
use crate::config::table::Table;
use crate::config::unbuilt::Shape;

const REFERENCE_FORM: &str = "write \"file:PATH\" or \"env:NAME\"";
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
/// More would make `exp` a suggestion.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// The words of `type`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Jwt,
    ApiKey,
    /// Named by the vocabulary, not built yet; so are those below.
    Basic,
    Mtls,
    ExtAuthz,
    Forward,
}

impl Choice for Kind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("jwt", Self::Jwt),
        ("api_key", Self::ApiKey),
        ("basic", Self::Basic),
        ("mtls", Self::Mtls),
        ("ext_authz", Self::ExtAuthz),
        ("forward", Self::Forward),
    ];
}

/// `credentials`: what becomes of a credential that was verified.
#[derive(Clone, Copy, PartialEq)]
enum Credentials {
    Strip,
    Pass,
}

impl Choice for Credentials {
    const WORDS: &'static [(&'static str, Self)] = &[("strip", Self::Strip), ("pass", Self::Pass)];
}

impl Choice for Algorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];
}

pub(super) fn auth(root: &mut Table<'_>) -> Vec<Auth> {
    let Some(table) = root.table("auth", Shape::Auths) else { return Vec::new() };
    let named = table.named();
    named.into_iter().filter_map(|(name, entry)| block(name, &entry)).collect()
}

fn block(name: &str, entry: &Entry<'_>) -> Option<Auth> {
    let mut table = entry.table(Shape::Auth)?;
    let wrong_name = name == "none";
    if wrong_name {
        table.wrong("`none` is no name of a block", "it is what `auth` says of routes that anybody may call");
    }
    let kind = table.required("type", "\"jwt\"", Entry::choice);
    let credentials = table.get("credentials", Entry::choice).unwrap_or(Credentials::Strip);
    let at = table.at();
    // Without a type nobody knows which keys there are.
    let kind = match kind?.value {
        Kind::Jwt => jwt(&mut table).map(|jwt| AuthKind::Jwt(Box::new(jwt))),
        Kind::ApiKey => api_key(&mut table).map(AuthKind::ApiKey),
        Kind::Basic | Kind::Mtls | Kind::ExtAuthz | Kind::Forward => {
            table.wrong("this `type` is not built yet", "write \"jwt\" or \"api_key\"");
            return None;
        }
    };
    table.finish();
    let kind = kind?;
    let pass_credentials = credentials == Credentials::Pass;
    (!wrong_name).then(|| Auth { name: Arc::from(name), kind, pass_credentials, at })
}

fn jwt(table: &mut Table<'_>) -> Option<Jwt> {
    let issuer = table.required("issuer", "\"https://issuer.example.com\"", text);
    let audiences = table.required("audiences", "[\"my-api\"]", texts);
    let jwks = table.required("jwks", "\"https://issuer.example.com/keys.json\"", key_source::read);
    let jwks_ca = table.located("jwks_ca", Entry::path);
    let algorithms = table.get("algorithms", algorithms).unwrap_or_else(|| vec![Algorithm::Rs256]);
    let leeway = table.get("leeway", leeway).unwrap_or(DEFAULT_LEEWAY);
    let max_lifetime = table.get("max_lifetime", Entry::duration);
    let token_type = table.get("token_type", text);
    let claims_to_metadata = table.get("claims_to_metadata", claims_to_metadata).unwrap_or_default();
    let jwks = jwks?;
    if let (Some(_), KeySource::Reference(_)) = (&jwks_ca, &jwks.value) {
        table.wrong("`jwks_ca` is for keys that come from a URL", "leave it out");
    }
    Some(Jwt {
        issuer: issuer?.value,
        audiences: audiences?.value,
        jwks,
        jwks_ca,
        algorithms,
        leeway,
        max_lifetime,
        token_type,
        claims_to_metadata,
    })
}

fn api_key(table: &mut Table<'_>) -> Option<ApiKey> {
    let keys = table.required("keys", "\"file:keys.toml\"", reference);
    let header = table.get("header", name::header);
    Some(ApiKey { keys: keys?, header: header.unwrap_or(HeaderName::from_static("x-api-key")) })
}

fn text(entry: &Entry<'_>) -> Option<String> {
    match entry.text()? {
        "" => entry.wrong("must not be empty", "write a text"),
        text => Some(text.to_owned()),
    }
}

/// At least one text: an empty list would let everything or nothing in, and neither is meant.
fn texts(entry: &Entry<'_>) -> Option<Vec<String>> {
    if entry.is_empty_list() {
        return entry.wrong("must not be empty", "write at least one");
    }
    let texts = entry.texts(|entry, text| match text {
        "" => entry.wrong("must not be empty", "write a text"),
        text => Some(text.to_owned()),
    })?;
    Some(texts.into_iter().map(|text| text.value).collect())
}

fn algorithms(entry: &Entry<'_>) -> Option<Vec<Algorithm>> {
    if entry.is_empty_list() {
        return entry.wrong("must not be empty", "write at least one, such as \"RS256\"");
    }
    let list = entry.texts(|entry, text| {
        let known = Algorithm::WORDS.iter().find(|(word, _)| *word == text);
        known.map(|(_, algorithm)| *algorithm).or_else(|| {
            let words: Vec<_> = Algorithm::WORDS.iter().map(|(word, _)| *word).collect();
            entry.wrong(
                format!("\"{text}\" is no algorithm with public keys"),
                format!("write one of {}", words.join(", ")),
            )
        })
    })?;
    Some(list.into_iter().map(|algorithm| algorithm.value).collect())
}

fn leeway(entry: &Entry<'_>) -> Option<Duration> {
    let leeway = entry.duration()?;
    if leeway > MOST_LEEWAY {
        return entry.wrong("is more than clocks are apart", "write at most \"5m\"");
    }
    Some(leeway)
}

fn reference(entry: &Entry<'_>) -> Option<Reference> {
    reference_text(entry, entry.text()?, REFERENCE_FORM)
}

/// What is wrong is told without the text: it may be the secret itself.
fn reference_text(entry: &Entry<'_>, text: &str, form: &str) -> Option<Reference> {
    match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Some(Reference::File(entry.resolve(path))),
        Some(("env", name)) if !name.is_empty() => Some(Reference::Env(name.to_owned())),
        _ => entry.wrong("must be a reference, not the secret itself", form),
    }
}

fn claims_to_metadata(entry: &Entry<'_>) -> Option<BTreeMap<String, HeaderName>> {
    let table = entry.table(Shape::Claims)?;
    let claims = table.named().into_iter().filter_map(|(pointer, entry)| {
        let pointer = name::pointer(&entry, pointer)?;
        Some((pointer, name::metadata(&entry)?))
    });
    Some(claims.collect())
}
