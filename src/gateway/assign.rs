//! Which upstream answers which service, and what is excluded.

use std::collections::HashMap;

use crate::config::model::{Config, Selector, Upstream};
use crate::config::problem::{Located, Location, Problem};
use crate::schema::{Method, Schema};

/// Nothing of this package is ever routed to an upstream: reflection, health and channelz are between an
/// upstream and whoever operates it.
const RESERVED: &str = "grpc.";

/// The answer to both questions, for one configuration and schema.
#[derive(Debug)]
pub(super) struct Assignment<'c> {
    config: &'c Config,
    claimed: HashMap<&'c str, usize>,
    /// The upstream that answers what no other claims.
    rest: Option<usize>,
}

impl<'c> Assignment<'c> {
    /// Checks every name that the configuration takes from the schema.
    pub(super) fn new(config: &'c Config, schema: &Schema, problems: &mut Vec<Problem>) -> Self {
        let mut assignment = Self { config, claimed: HashMap::new(), rest: None };
        for (index, upstream) in config.upstreams.iter().enumerate() {
            match &upstream.services {
                Some(services) => assignment.claim(index, services, schema, problems),
                None => assignment.claim_rest(index, upstream, problems),
            }
        }
        let excluded = config.schema.iter().flat_map(|schema| &schema.exclude);
        let policies = config.policies.iter().map(|policy| &policy.selector);
        for selector in excluded.chain(policies) {
            check_selector(selector, schema, problems);
        }
        assignment
    }

    fn claim(
        &mut self,
        index: usize,
        services: &'c [Located<String>],
        schema: &Schema,
        problems: &mut Vec<Problem>,
    ) {
        for service in services {
            if !schema.has_service(&service.value) {
                problems.push(unknown_name(&service.at, "service", &service.value, schema.services()));
            }
            self.claimed.insert(&service.value, index);
        }
    }

    fn claim_rest(&mut self, index: usize, upstream: &Upstream, problems: &mut Vec<Problem>) {
        if let Some(first) = self.rest.and_then(|first| self.config.upstreams.get(first)) {
            let message = format!(
                "upstreams {} and {} would both answer every service that no other claims",
                first.name, upstream.name
            );
            let help = "say which services each answers: `services = [\"package.Service\"]`";
            problems.push(Problem::error(upstream.at.clone(), message).help(help));
            return;
        }
        self.rest = Some(index);
    }

    /// The upstream of a method; `None` where nobody answers it, or nobody may call it.
    pub(super) fn upstream(&self, method: Method<'_>) -> Option<(usize, &'c Upstream)> {
        if self.is_excluded(method) {
            return None;
        }
        let index = self.claimed.get(method.service()).copied().or(self.rest)?;
        Some((index, self.config.upstreams.get(index)?))
    }

    pub(super) fn is_excluded(&self, method: Method<'_>) -> bool {
        let name = method.name();
        let selected = |selector: &Located<Selector>| {
            selector.value.matches(name) || selector.value == Selector::Exact(method.service().to_owned())
        };
        name.starts_with(RESERVED)
            || self.config.schema.iter().flat_map(|schema| &schema.exclude).any(selected)
    }
}

/// A selector that selects nothing is a mistake: what it should have excluded or limited is open.
fn check_selector(selector: &Located<Selector>, schema: &Schema, problems: &mut Vec<Problem>) {
    let selects = |method: Method<'_>| {
        selector.value.matches(method.name()) || selector.value.matches(method.service())
    };
    if schema.methods().any(selects) || selector.value == Selector::Prefix(String::new()) {
        return;
    }
    let name = match &selector.value {
        Selector::Exact(name) | Selector::Prefix(name) => name,
    };
    let names = schema.methods().map(Method::name).chain(schema.services());
    problems.push(unknown_name(&selector.at, "method, service or package", name, names));
}

/// A name that the schema does not have, with the nearest that it has.
pub(super) fn unknown_name<'s>(
    at: &Location,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'s str>,
) -> Problem {
    let problem = Problem::error(at.clone(), format!("the schema has no {what} {name}"));
    let nearest = known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match nearest {
        Some((_, nearest)) => problem.help(format!("did you mean {nearest}?")),
        None => problem.help("`transom routes` lists what there is; names are full: package.Service.Method"),
    }
}
