//! The route table: every rule of every source, in order of rank, compiled and entered.
//!
//! `[[routes]]` beats an annotation with the same HTTP method, host and shape, and both beat the
//! automatic `POST /package.Service/Method`. Two rules of one rank that collide are a problem that names
//! both.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use crate::config::model::{Balance, Collisions, Config, HashKey, Hosts, Upstream};
use crate::config::problem::Problem;
use crate::middleware::routed::RoutePolicy;
use crate::protocol::Target;
use crate::route::{Router, RouterBuilder, Template};
use crate::schema::{Method, MethodId};
use crate::transcode::Codec;

use super::assign::{Assignment, unknown_name};
use super::auth::Blocks;
use super::compile::{Compiled, Rule, compile};
use super::policy::Policies;
use super::secrets::Secrets;

/// Where a route is written; the first beats the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RouteSource {
    Toml,
    Annotation,
    Auto,
}

impl RouteSource {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Annotation => "annotation",
            Self::Auto => "auto",
        }
    }
}

/// An entry of the table.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) http_method: Box<str>,
    pub(super) template: Template,
    pub(super) source: RouteSource,
    pub(super) host: Option<Box<str>>,
    /// The positions in the configuration of its upstream and of its `[[routes]]`.
    pub(super) upstream: usize,
    pub(super) toml: Option<usize>,
    pub(super) target: Arc<Target>,
    pub(super) policy: Arc<RoutePolicy>,
}

/// A row of `transom routes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteRow {
    /// The HTTP method.
    pub method: String,
    pub template: String,
    /// The full name of the gRPC method.
    pub grpc_method: String,
    /// The kind of the call.
    pub kind: &'static str,
    /// `toml`, `annotation` or `auto`.
    pub source: &'static str,
    /// The host that the route is for; `None` for every host.
    pub host: Option<String>,
    pub upstream: String,
}

/// All routes.
#[derive(Debug)]
pub(super) struct RouteTable {
    /// In order of rank, then of their source.
    entries: Vec<Arc<Route>>,
    hosts: HashMap<Box<str>, Router<Arc<Route>>>,
    any_host: Router<Arc<Route>>,
    /// Native gRPC, by path.
    rpc: HashMap<Box<str>, (Arc<Target>, Arc<RoutePolicy>)>,
    /// The policy of what has no route.
    pub(super) missed: Arc<RoutePolicy>,
}

impl RouteTable {
    /// The routers to ask for a host, in order.
    pub(super) fn routers(&self, host: Option<&str>) -> impl Iterator<Item = &Router<Arc<Route>>> {
        host.and_then(|host| self.hosts.get(host)).into_iter().chain([&self.any_host])
    }

    /// The target of a gRPC path.
    pub(super) fn rpc(&self, path: &str) -> Option<&(Arc<Target>, Arc<RoutePolicy>)> {
        self.rpc.get(path)
    }

    /// The table for people.
    pub(super) fn rows(&self) -> Vec<RouteRow> {
        self.entries.iter().map(|route| route.row()).collect()
    }
}

impl Route {
    pub(super) fn row(&self) -> RouteRow {
        RouteRow {
            method: self.http_method.to_string(),
            template: self.template.to_string(),
            grpc_method: self.target.method_name.to_string(),
            kind: self.target.kind.name(),
            source: self.source.name(),
            host: self.host.as_deref().map(str::to_owned),
            upstream: self.target.call_policy.upstream.to_string(),
        }
    }
}

/// Builds the table; where a problem is an error, the table lacks what the problem is about.
pub(super) fn build(
    config: &Config,
    codec: &Arc<Codec>,
    blocks: &Blocks,
    secrets: &Secrets,
) -> (RouteTable, Vec<Problem>) {
    let mut problems = Vec::new();
    let assignment = Assignment::new(config, codec.schema(), &mut problems);
    let mut builder = Builder {
        config,
        codec,
        policies: Policies::new(config, blocks, secrets),
        entries: Vec::new(),
        hosts: HashMap::new(),
        any_host: RouterBuilder::new(),
        rpc: HashMap::new(),
        hashed: HashSet::new(),
        problems,
    };
    let replaced = builder.add_toml(&assignment);
    builder.add_annotations(&assignment, &replaced);
    builder.add_auto(&assignment);
    builder.problems.extend(builder.policies.undecided());
    builder.problems.extend(builder.policies.open());
    builder.problems.extend(builder.unhashed());
    builder.finish()
}

struct Builder<'c> {
    config: &'c Config,
    codec: &'c Arc<Codec>,
    policies: Policies<'c>,
    entries: Vec<Arc<Route>>,
    hosts: HashMap<Box<str>, RouterBuilder<Arc<Route>>>,
    any_host: RouterBuilder<Arc<Route>>,
    rpc: HashMap<Box<str>, (Arc<Target>, Arc<RoutePolicy>)>,
    /// The positions of upstreams with a method that is balanced by a field.
    hashed: HashSet<usize>,
    problems: Vec<Problem>,
}

/// Where a compiled rule belongs.
#[derive(Clone, Copy)]
struct Entry<'c> {
    rule: Rule<'c>,
    source: RouteSource,
    method: Method<'c>,
    upstream: (usize, &'c Upstream),
    toml: Option<usize>,
}

impl<'c> Builder<'c> {
    /// Adds `[[routes]]`; gives the methods whose annotations do not count.
    fn add_toml(&mut self, assignment: &Assignment<'c>) -> HashSet<MethodId> {
        let mut replaced = HashSet::new();
        let schema = self.codec.schema();
        for (index, route) in self.config.routes.iter().enumerate() {
            let selector = &route.selector;
            let Some(method) = schema.method_by_name(&selector.value) else {
                let names = schema.methods().map(Method::name);
                self.problems.push(unknown_name(&selector.at, "method", &selector.value, names));
                continue;
            };
            let Some(upstream) = assignment.upstream(method) else {
                self.problems.push(unreachable(route, assignment.is_excluded(method)));
                continue;
            };
            if route.replace {
                replaced.insert(method.id());
            }
            for binding in &route.bindings {
                let rule = Rule::Toml { route, binding };
                self.add(Entry { rule, source: RouteSource::Toml, method, upstream, toml: Some(index) });
            }
        }
        replaced
    }

    fn add_annotations(&mut self, assignment: &Assignment<'c>, replaced: &HashSet<MethodId>) {
        for method in self.codec.schema().methods() {
            let Some(upstream) = assignment.upstream(method) else { continue };
            if replaced.contains(&method.id()) {
                continue;
            }
            for rule in method.http() {
                let rule = Rule::Annotation(rule);
                self.add(Entry { rule, source: RouteSource::Annotation, method, upstream, toml: None });
            }
        }
    }

    fn add_auto(&mut self, assignment: &Assignment<'c>) {
        for method in self.codec.schema().methods() {
            let Some(upstream) = assignment.upstream(method) else { continue };
            let entry = Entry { rule: Rule::Auto, source: RouteSource::Auto, method, upstream, toml: None };
            let Some(compiled) = self.compile(entry) else { continue };
            let native = (Arc::clone(&compiled.target), Arc::clone(&compiled.policy));
            self.rpc.insert(method.path().into(), native);
            if upstream.1.auto_routes {
                self.enter(entry, &compiled);
            }
        }
    }

    fn add(&mut self, entry: Entry<'c>) {
        if let Some(compiled) = self.compile(entry) {
            self.enter(entry, &compiled);
        }
    }

    fn compile(&mut self, entry: Entry<'c>) -> Option<Compiled> {
        let compiled = compile(entry.rule, entry.method, entry.upstream.1, self.codec, &mut self.policies);
        match compiled {
            Ok(compiled) => {
                if compiled.target.affinity.is_some() {
                    self.hashed.insert(entry.upstream.0);
                }
                Some(compiled)
            }
            Err(problem) => {
                // What is wrong with a policy is wrong for each rule of its method.
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                None
            }
        }
    }

    /// Enters a rule under each of its hosts.
    fn enter(&mut self, entry: Entry<'c>, compiled: &Compiled) {
        match &entry.upstream.1.hosts {
            Hosts::Any => self.enter_host(entry, compiled, None),
            Hosts::Names(names) => {
                for host in names {
                    self.enter_host(entry, compiled, Some(&host.value));
                }
            }
            Hosts::Annotated => self.enter_host(entry, compiled, entry.method.default_host()),
        }
    }

    fn enter_host(&mut self, entry: Entry<'c>, compiled: &Compiled, host: Option<&str>) {
        let router = match host {
            None => &mut self.any_host,
            Some(host) => self.hosts.entry(host.into()).or_default(),
        };
        let route = Arc::new(Route {
            http_method: compiled.http_method.clone(),
            template: compiled.template.clone(),
            source: entry.source,
            host: host.map(Box::from),
            upstream: entry.upstream.0,
            toml: entry.toml,
            target: Arc::clone(&compiled.target),
            policy: Arc::clone(&compiled.policy),
        });
        match router.insert(&compiled.http_method, &compiled.template, Arc::clone(&route)) {
            Ok(()) => self.entries.push(route),
            Err(collision) if collision.first.source < route.source => {}
            Err(collision) => {
                let first = Arc::clone(collision.first);
                self.collide(entry, &route, &first);
            }
        }
    }

    fn collide(&mut self, entry: Entry<'c>, route: &Route, first: &Route) {
        let at = entry.rule.at(self.codec.schema(), entry.method);
        let host = route.host.as_deref().map_or_else(String::new, |host| format!(" on {host}"));
        let message = format!(
            "{} {}{host} of {} collides with {} {} of {}: both match the same requests",
            route.http_method,
            route.template,
            route.target.method_name,
            first.http_method,
            first.template,
            first.target.method_name,
        );
        self.problems.push(match self.config.collisions {
            Collisions::Error => Problem::error(at, message).help(
                "give one of their upstreams `hosts` or a `prefix`, or let the first win with `collisions = \"warn\"`",
            ),
            Collisions::Warn => Problem::warning(at, message).help("the first wins"),
        });
    }

    /// A field to balance by that no request has is misspelt.
    fn unhashed(&self) -> Vec<Problem> {
        let upstreams = self.config.upstreams.iter().enumerate();
        let unhashed = upstreams.filter_map(|(index, upstream)| {
            let Balance::Hash(HashKey::Field(path)) = &upstream.balance.value else { return None };
            let message =
                format!("no request to the upstream `{}` has a field \"{path}\" to hash", upstream.name);
            let help = "name a string, bytes, number or enum that is not repeated, such as \"field:user.id\"";
            (!self.hashed.contains(&index))
                .then(|| Problem::error(upstream.balance.at.clone(), message).help(help))
        });
        unhashed.collect()
    }

    fn finish(self) -> (RouteTable, Vec<Problem>) {
        let table = RouteTable {
            entries: self.entries,
            hosts: self.hosts.into_iter().map(|(host, router)| (host, router.build())).collect(),
            any_host: self.any_host.build(),
            rpc: self.rpc,
            missed: Arc::new(self.policies.of_misses()),
        };
        (table, self.problems)
    }
}

fn unreachable(route: &crate::config::model::Route, excluded: bool) -> Problem {
    let method = &route.selector.value;
    let at = route.selector.at.clone();
    if excluded {
        return Problem::error(at, format!("{method} is excluded, so no route can lead to it"));
    }
    Problem::error(at, format!("no upstream answers the service of {method}"))
        .help("name it in `services` of an upstream, or leave `services` out of one")
}
