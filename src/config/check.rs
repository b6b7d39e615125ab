//! What must hold between keys, and between the configuration and the files that it names.
//!
//! Nothing here needs a schema: whether a selector selects anything, or a template binds to fields, is
//! the business of the layers that know descriptors.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use super::auth::AuthKind;
use super::model::{Address, Config, Endpoint, Listen, SchemaSource, Upstream};
use super::policy::{AuthChoice, PolicyKeys};
use super::problem::{Located, Location, Problem};
use super::raw::Raw;
use super::suggest::closest;

/// Checks a configuration that could be read, as far as it could be.
pub(super) fn check(config: &Config, raw: &Raw) {
    let mut problems = Vec::new();
    listeners(config, &mut problems);
    services(&config.upstreams, &mut problems);
    catch_all(&config.upstreams, &mut problems);
    unused_tls(&config.upstreams, &mut problems);
    selectors(config, &mut problems);
    reflecting(config, &mut problems);
    auth_names(config, &mut problems);
    requirements_of_nobody(config, &mut problems);
    certificates_of_nobody(config, &mut problems);
    files(config, &mut problems);
    for problem in problems {
        raw.report(problem);
    }
}

/// Finds what stands twice; calls back with the first and the second.
fn twice<'c, T: Eq + Hash>(
    items: impl IntoIterator<Item = (T, &'c Location)>,
    mut found: impl FnMut(T, &'c Location, &'c Location),
) {
    let mut seen: HashMap<T, &Location> = HashMap::new();
    for (item, at) in items {
        match seen.get(&item) {
            Some(first) => found(item, first, at),
            None => {
                seen.insert(item, at);
            }
        }
    }
}

/// No two listeners at one address; port 0 is another port each time.
fn listeners(config: &Config, problems: &mut Vec<Problem>) {
    let admin = Located { value: Listen::Tcp(config.admin.listen.value), at: config.admin.listen.at.clone() };
    let fixed = [&admin].into_iter().chain(&config.server.listen).filter_map(|listen| match &listen.value {
        Listen::Tcp(address) if address.port() == 0 => None,
        Listen::Tcp(address) => Some((address.to_string(), &listen.at)),
        Listen::Unix(path) => Some((format!("unix:{}", path.display()), &listen.at)),
    });
    twice(fixed, |address, first, second| {
        let help = format!("see {first}");
        problems.push(Problem::error(second.clone(), format!("{address} is listened on twice")).help(help));
    });
}

/// No service of two upstreams.
fn services(upstreams: &[Upstream], problems: &mut Vec<Problem>) {
    let claims = upstreams.iter().flat_map(|upstream| upstream.services.iter().flatten());
    twice(claims.map(|service| (service.value.as_str(), &service.at)), |service, first, second| {
        let help = format!("it is claimed at {first} already");
        problems.push(Problem::error(second.clone(), format!("`{service}` is claimed twice")).help(help));
    });
}

/// At most one upstream for what no other claims.
fn catch_all(upstreams: &[Upstream], problems: &mut Vec<Problem>) {
    let mut open = upstreams.iter().filter(|upstream| upstream.services.is_none());
    let Some(first) = open.next() else { return };
    for second in open {
        let message =
            format!("`{}` and `{}` both take all services that no other claims", first.name, second.name);
        let help = format!("add services = [\"pkg.Service\"] here or at {}", first.at);
        problems.push(Problem::error(second.at.clone(), message).help(help));
    }
}

/// `http` endpoints know no TLS: it was hardly meant to be left unused.
fn unused_tls(upstreams: &[Upstream], problems: &mut Vec<Problem>) {
    let is_plain = |endpoint: &Located<Endpoint>| matches!(endpoint.value.address, Address::Http { .. });
    for upstream in upstreams.iter().filter(|upstream| upstream.endpoints.iter().all(is_plain)) {
        if upstream.tls.is_some() && !upstream.endpoints.is_empty() {
            let message = "`tls` is set, but all endpoints are http";
            problems.push(Problem::warning(upstream.at.clone(), message).help("write https:// endpoints"));
        }
    }
}

/// No selector twice: of two policies that are equally specific none is the nearer.
fn selectors(config: &Config, problems: &mut Vec<Problem>) {
    let selectors =
        config.policies.iter().map(|policy| (policy.selector.value.to_string(), &policy.selector.at));
    twice(selectors, |selector, first, second| {
        let help = format!("join it with the one at {first}");
        problems.push(Problem::error(second.clone(), format!("`{selector}` is selected twice")).help(help));
    });
}

/// Who is asked for its schema is an upstream.
fn reflecting(config: &Config, problems: &mut Vec<Problem>) {
    let known: Vec<&str> = config.upstreams.iter().map(|upstream| &*upstream.name).collect();
    for schema in &config.schema {
        let SchemaSource::Reflection(name) = &schema.source else { continue };
        if !known.contains(&&*name.value) {
            let help = match closest(&name.value, &known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("the upstreams are {}", known.join(", ")),
            };
            let message = format!("there is no upstream `{}`", name.value);
            problems.push(Problem::error(name.at.clone(), message).help(help));
        }
    }
}

/// All levels of policy keys.
fn all_levels(config: &Config) -> impl Iterator<Item = &PolicyKeys> {
    let upstreams = config.upstreams.iter().map(|upstream| &upstream.policy);
    let policies = config.policies.iter().map(|policy| &policy.policy);
    let routes = config.routes.iter().map(|route| &route.policy);
    [&config.defaults].into_iter().chain(upstreams).chain(policies).chain(routes)
}

/// Names in `auth` are those of blocks.
fn auth_names(config: &Config, problems: &mut Vec<Problem>) {
    let known: Vec<&str> = config.auth.iter().map(|auth| &*auth.name).collect();
    for auth in all_levels(config).filter_map(|level| level.auth.as_ref()) {
        let AuthChoice::AnyOf(names) = &auth.value else { continue };
        for name in names.iter().filter(|name| !known.contains(&&***name)) {
            let help = match known.as_slice() {
                [] => format!("add [auth.{name}], or write auth = \"none\""),
                known => format!("the blocks are {}", known.join(", ")),
            };
            problems.push(Problem::error(auth.at.clone(), format!("there is no [auth.{name}]")).help(help));
        }
    }
}

/// What a caller must have can be looked for only where it is asked who it is.
fn requirements_of_nobody(config: &Config, problems: &mut Vec<Problem>) {
    for level in all_levels(config) {
        let scopes = level.require.scopes.as_ref().filter(|scopes| !scopes.value.is_empty());
        let claims = level.require.claims.as_ref().filter(|claims| !claims.value.0.is_empty());
        let Some(at) = scopes.map(|scopes| &scopes.at).or(claims.map(|claims| &claims.at)) else { continue };
        let anybody = level.auth.as_ref().is_some_and(|auth| auth.value == AuthChoice::None);
        if anybody || config.auth.is_empty() {
            let message = "is required of a caller that nobody asks who it is";
            problems
                .push(Problem::error(at.clone(), message).help("add `auth` with the name of an [auth.NAME]"));
        }
    }
}

/// A block for certificates needs a listener that asks for them.
fn certificates_of_nobody(config: &Config, problems: &mut Vec<Problem>) {
    if config.server.tls.as_ref().is_some_and(|tls| tls.clients.is_some()) {
        return;
    }
    for auth in config.auth.iter().filter(|auth| matches!(auth.kind, AuthKind::Mtls(_))) {
        let message = "no client is asked for a certificate";
        let help = "add client_ca = \"clients.pem\" to server.tls: who vouches for clients";
        problems.push(Problem::error(auth.at.clone(), message).help(help));
    }
}

/// Files that are named must be there.
fn files(config: &Config, problems: &mut Vec<Problem>) {
    let server = config.server.tls.iter().flat_map(|tls| {
        [&tls.cert, &tls.key].into_iter().chain(tls.clients.iter().map(|clients| &clients.ca))
    });
    let upstreams = config.upstreams.iter().filter_map(|upstream| upstream.tls.as_ref()).flat_map(|tls| {
        tls.ca.iter().chain(tls.client.iter().flat_map(|client| [&client.cert, &client.key]))
    });
    let sets = config.schema.iter().filter_map(|schema| match &schema.source {
        SchemaSource::DescriptorSet(path) => Some(path),
        _ => None,
    });
    let folders = config.schema.iter().flat_map(|schema| match &schema.source {
        SchemaSource::Protos { include, .. } => include.as_slice(),
        _ => &[],
    });
    let secrets =
        config.auth.iter().flat_map(|auth| auth.kind.files().into_iter().map(|path| (path, &auth.at)));
    problems.extend(
        secrets
            .filter(|(path, _)| !path.is_file())
            .map(|(path, at)| Problem::error(at.clone(), format!("there is no file {}", path.display()))),
    );
    problems
        .extend(server.chain(upstreams).chain(sets).filter_map(|path| missing(path, Path::is_file, "file")));
    problems.extend(folders.filter_map(|path| missing(path, Path::is_dir, "folder")));
}

fn missing(path: &Located<PathBuf>, is_there: impl Fn(&Path) -> bool, what: &str) -> Option<Problem> {
    let message = format!("there is no {what} {}", path.value.display());
    (!is_there(&path.value)).then(|| {
        Problem::error(path.at.clone(), message)
            .help("a relative path starts at the folder of the file it stands in")
    })
}
