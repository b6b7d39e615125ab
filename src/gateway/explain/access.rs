//! Who decides whether a request's call may be made, and why: the blocks that are asked, what each looks for,
//! what a caller must have, and where all that is set.

use std::fmt;

use http::Uri;
use serde::Serialize;

use crate::config::auth::{Auth, AuthKind, CertificateName, Jwt, KeySource, Reference};
use crate::config::model::Config;
use crate::config::policy::{AuthChoice, PolicyKeys, auth_statement, resolve};

/// Who is asked who a caller is.
#[derive(Clone, Debug, Serialize)]
pub struct AccessRow {
    /// The name of the `[auth.NAME]`; `None`: nobody is asked, and anybody may call.
    pub block: Option<String>,
    /// What it looks for, or why nobody is asked.
    pub what: String,
    /// Where a level says that it is asked; `None` where none does.
    pub set_at: Option<String>,
}

/// Who is asked by these levels, the nearest first.
pub(super) fn rows(config: &Config, levels: &[&PolicyKeys]) -> Vec<AccessRow> {
    let statement = auth_statement(levels);
    let set_at = statement.map(|auth| auth.at.to_string());
    let names = match statement.map(|auth| &auth.value) {
        Some(AuthChoice::AnyOf(names)) => names.as_slice(),
        Some(AuthChoice::None) => return vec![nobody("anybody may call: auth = \"none\"", set_at)],
        None => return vec![nobody("anybody may call: there is no [auth.NAME]", set_at)],
    };
    let asked = names.iter().filter_map(|name| config.auth.iter().find(|auth| auth.name == *name));
    asked.map(|auth| row(auth, set_at.clone())).collect()
}

fn nobody(what: &str, set_at: Option<String>) -> AccessRow {
    AccessRow { block: None, what: what.to_owned(), set_at }
}

fn row(auth: &Auth, set_at: Option<String>) -> AccessRow {
    let what = match &auth.kind {
        AuthKind::Jwt(jwt) => tokens(jwt),
        AuthKind::ApiKey(keys) => {
            let query = keys.query.as_ref().map(|name| format!(" or the parameter {name}"));
            let (query, from) = (query.unwrap_or_default(), reference(&keys.keys.value));
            format!("an API key in {}{query}, listed in {from}", keys.header)
        }
        AuthKind::Basic(basic) => {
            format!("user and password, listed in {}", reference(&basic.users.value))
        }
        AuthKind::Mtls(mtls) => match mtls.names.as_slice() {
            [] => "a client certificate with any name".to_owned(),
            names => {
                let names: Vec<_> = names.iter().map(certificate_name).collect();
                format!("a client certificate for {}", names.join(" or "))
            }
        },
    };
    AccessRow { block: Some(auth.name.to_string()), what, set_at }
}

fn tokens(jwt: &Jwt) -> String {
    let keys = match &jwt.jwks.value {
        KeySource::Reference(from) => reference(from),
        KeySource::Url(url) => shown(url),
        KeySource::Discovered(document) => format!("where {} says", shown(document)),
    };
    format!("a bearer token of {} for {}, keys from {keys}", jwt.issuer, jwt.audiences.join(" or "))
}

/// Without the query: nobody knows what stands in it.
fn shown(url: &Uri) -> String {
    let host = url.authority().map_or("", |authority| authority.as_str());
    format!("{}://{host}{}", url.scheme_str().unwrap_or("https"), url.path())
}

/// Where a secret is, never what.
fn reference(reference: &Reference) -> String {
    match reference {
        Reference::File(path) => path.display().to_string(),
        Reference::Env(name) => format!("the variable {name}"),
    }
}

fn certificate_name(name: &CertificateName) -> String {
    match name {
        CertificateName::Uri(uri) => uri.clone(),
        CertificateName::UriBelow(prefix) => format!("{prefix}*"),
        CertificateName::Dns(name) => format!("dns:{name}"),
    }
}

/// What a caller must have, in words; `None` where being known suffices.
pub(super) fn needs(levels: &[&PolicyKeys]) -> Option<String> {
    let require = resolve(levels).require;
    let scopes = require.scopes.iter().map(|scope| format!("the scope {scope}"));
    let claims = require.claims.0.iter().map(|(pointer, value)| format!("the claim {pointer} = {value}"));
    let needs: Vec<_> = scopes.chain(claims).collect();
    (!needs.is_empty()).then(|| needs.join(", "))
}

pub(super) fn write(f: &mut fmt::Formatter<'_>, rows: &[AccessRow], needs: Option<&str>) -> fmt::Result {
    for (index, row) in rows.iter().enumerate() {
        let label = if index == 0 { "asks" } else { "or" };
        let place = row.set_at.as_deref().unwrap_or("default");
        match &row.block {
            Some(block) => writeln!(f, "  {label:<9} {block}: {}  ({place})", row.what)?,
            None => writeln!(f, "  {label:<9} nobody; {}  ({place})", row.what)?,
        }
    }
    needs.map_or(Ok(()), |needs| writeln!(f, "  {:<9} {needs}", "needs"))
}
