//! `[auth.NAME]`: one reader a type of block.

mod key_source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::name;
use crate::config::auth::{
    Algorithm, ApiKey, Auth, AuthKind, Basic, CertificateName, Jwt, KeySource, Mtls, Reference,
};
use crate::config::entry::{Choice, Entry};
use crate::config::table::Table;

const REFERENCE_FORM: &str = "write \"file:PATH\" or \"env:NAME\"";
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
/// More would make `exp` a suggestion.
const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// The words of `type`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Jwt,
    ApiKey,
    Basic,
    Mtls,
    /// Named by the vocabulary, not built yet; so is the one below.
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
    let Some(table) = root.table("auth") else { return Vec::new() };
    let named = table.named();
    named.into_iter().filter_map(|(name, entry)| block(name, &entry)).collect()
}

fn block(name: &str, entry: &Entry<'_>) -> Option<Auth> {
    let mut table = entry.table()?;
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
        Kind::Basic => basic(&mut table).map(AuthKind::Basic),
        Kind::Mtls => Some(AuthKind::Mtls(mtls(&mut table))),
        Kind::ExtAuthz | Kind::Forward => {
            let help = "write one of \"jwt\", \"api_key\", \"basic\", \"mtls\"";
            table.wrong("this `type` is not built yet", help);
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
    let jwks = key_source::read(table, issuer.as_ref());
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
    let query = table.get("query", text);
    Some(ApiKey { keys: keys?, header: header.unwrap_or(HeaderName::from_static("x-api-key")), query })
}

fn basic(table: &mut Table<'_>) -> Option<Basic> {
    Some(Basic { users: table.required("users", "\"file:users.toml\"", reference)? })
}

fn mtls(table: &mut Table<'_>) -> Mtls {
    let names = table.get("names", |entry| {
        let names = entry.texts(certificate_name)?;
        Some(names.into_iter().map(|name| name.value).collect())
    });
    let claims_to_metadata = table.get("claims_to_metadata", claims_to_metadata);
    Mtls { names: names.unwrap_or_default(), claims_to_metadata: claims_to_metadata.unwrap_or_default() }
}

/// `scheme://…`, `scheme://…/*` or `dns:NAME`. Nothing else may hold a `*`: names are compared whole.
fn certificate_name(entry: &Entry<'_>, text: &str) -> Option<CertificateName> {
    let help = "write a URI, all below one (\"spiffe://example.org/shop/*\"), or \"dns:client.example.org\"";
    let name = match text.strip_prefix("dns:") {
        Some(name) if !name.is_empty() => CertificateName::Dns(name.to_owned()),
        Some(_) => return entry.wrong("must have a name", help),
        None => match text.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('/') => CertificateName::UriBelow(prefix.to_owned()),
            _ => CertificateName::Uri(text.to_owned()),
        },
    };
    let (CertificateName::Uri(rest) | CertificateName::UriBelow(rest) | CertificateName::Dns(rest)) = &name;
    let is_uri = rest.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    let is_bare_host = matches!(&name, CertificateName::UriBelow(prefix) if prefix.ends_with("://"));
    if rest.contains('*') || is_bare_host || !is_uri && !matches!(name, CertificateName::Dns(_)) {
        return entry.wrong(format!("\"{text}\" is no name of a certificate"), help);
    }
    Some(name)
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
    name::reference(entry, text).or_else(|| entry.wrong("must be a reference, not the secret itself", form))
}

fn claims_to_metadata(entry: &Entry<'_>) -> Option<BTreeMap<String, HeaderName>> {
    let table = entry.table()?;
    let claims = table.named().into_iter().filter_map(|(pointer, entry)| {
        let pointer = name::pointer(&entry, pointer)?;
        Some((pointer, name::metadata(&entry)?))
    });
    Some(claims.collect())
}
