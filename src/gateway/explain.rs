//! `transom explain`: what would become of a request, without sending it.

mod access;

use std::fmt;

use http::Uri;
use serde::Serialize;

use crate::config::policy::{self, Effective, PolicyKeys};
use crate::route::{Miss, Near};
use crate::rpc::FieldViolation;
use crate::transcode::query;
use crate::transcode::request::{Parts, RequestError};

use super::credentials;
use super::routes::{Route, RouteRow};
use super::snapshot::Snapshot;
pub use access::AccessRow;

/// How many routes that came close are shown.
const CLOSE: usize = 5;

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The request that is explained.
    pub method: String,
    pub target: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What becomes of the request.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one, for a person who reads it")]
pub enum Outcome {
    /// A route matches.
    Match {
        route: RouteRow,
        /// What binds where.
        bindings: Vec<Binding>,
        /// What is wrong with the parameters.
        violations: Vec<Violation>,
        /// Whether the request's body is bound, and to what.
        body: Option<String>,
        /// Who is asked who the caller is; any of these.
        access: Vec<AccessRow>,
        /// What the caller must have.
        needs: Option<String>,
        policies: Vec<PolicyRow>,
    },
    /// No route has this path, or none has it with this method.
    Miss {
        /// 400, 404 or 405.
        status: u16,
        why: String,
        close: Vec<Close>,
    },
}

/// A value and the field that it goes to.
#[derive(Clone, Debug, Serialize)]
pub struct Binding {
    pub field: String,
    pub value: String,
    /// `path` or `query`.
    pub from: &'static str,
}

/// A parameter that does not fit.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    pub field: String,
    pub description: String,
}

/// A policy key, its value and where that is set.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyRow {
    pub key: String,
    pub value: String,
    pub set_at: Option<String>,
}

/// A route that came close, and why it does not match.
#[derive(Clone, Debug, Serialize)]
pub struct Close {
    pub route: RouteRow,
    pub why: String,
}

pub(super) fn explain(snapshot: &Snapshot, method: &str, target: &str, host: Option<&str>) -> Explanation {
    let mut target = target.to_owned();
    let outcome = match target.parse::<Uri>() {
        Ok(uri) => outcome(snapshot, method, uri, host, &mut target),
        Err(error) => {
            Outcome::Miss { status: 400, why: format!("this is no target: {error}"), close: Vec::new() }
        }
    };
    Explanation { method: method.to_owned(), target, outcome }
}

/// `target` loses credentials that stand in it.
fn outcome(
    snapshot: &Snapshot,
    method: &str,
    mut uri: Uri,
    host: Option<&str>,
    target: &mut String,
) -> Outcome {
    let host = host.map(str::to_ascii_lowercase).or_else(|| uri.host().map(str::to_ascii_lowercase));
    let mut miss = Miss::NotFound;
    for router in snapshot.routes.routers(host.as_deref()) {
        match router.find(method, uri.path()) {
            Ok(found) => {
                let route = found.value;
                let captures: Vec<String> = found.captures.iter().map(str::to_owned).collect();
                if let Some((shown, _)) = credentials::without(&route.policy.access, &uri) {
                    *target = shown.to_string();
                    uri = shown;
                }
                let captures: Vec<&str> = captures.iter().map(String::as_str).collect();
                return matched(snapshot, route, &captures, &uri);
            }
            Err(Miss::NotFound) => {}
            Err(why) => miss = why,
        }
    }
    missed(snapshot, method, &uri, host.as_deref(), miss)
}

fn matched(snapshot: &Snapshot, route: &Route, captures: &[&str], uri: &Uri) -> Outcome {
    let target = &route.target;
    let query = uri.query().unwrap_or_default();
    let paths = target.request.captures().iter().map(|plan| plan.path.to_string());
    let mut bindings: Vec<Binding> = paths
        .zip(captures)
        .map(|(field, value)| Binding { field, value: (*value).to_owned(), from: "path" })
        .collect();
    bindings.extend(query::pairs(query).flatten().map(|(name, value)| Binding {
        field: name.into_owned(),
        value: value.into_owned(),
        from: "query",
    }));
    let parts = Parts { captures, query, body: &[], content_type: "" };
    let encoded = target.request.encode(&target.codec, parts, &target.policy.read, &target.policy.query);
    let violations = match encoded {
        Err(RequestError::Parameters(violations)) => violations.into_iter().map(Violation::from).collect(),
        Ok(_) | Err(RequestError::Body(_) | RequestError::Form(_)) => Vec::new(),
    };
    let levels = levels(snapshot, route);
    Outcome::Match {
        route: route.row(),
        bindings,
        violations,
        body: target.request.body_name().map(str::to_owned),
        access: access::rows(&snapshot.config, &levels),
        needs: access::needs(&levels),
        policies: policy::effective(&levels).into_iter().map(PolicyRow::from).collect(),
    }
}

/// The levels of policy keys that hold for a route, the nearest first.
fn levels<'s>(snapshot: &'s Snapshot, route: &Route) -> Vec<&'s PolicyKeys> {
    let config = &snapshot.config;
    let upstream = config.upstreams.get(route.upstream);
    let toml = route.toml.and_then(|index| config.routes.get(index));
    config.levels(&route.target.method_name, upstream, toml)
}

fn missed(snapshot: &Snapshot, method: &str, uri: &Uri, host: Option<&str>, miss: Miss) -> Outcome {
    let (status, why) = match miss {
        Miss::NotFound => (404, format!("no route matches {method} {}", uri.path())),
        Miss::MethodNotAllowed { allow } => {
            (405, format!("the path is known, but only for {}", allow.join(", ")))
        }
        Miss::InvalidPath(error) => (400, error.to_string()),
    };
    let close = snapshot
        .routes
        .routers(host)
        .flat_map(|router| router.near(uri.path(), CLOSE))
        .take(CLOSE)
        .map(|(route, near)| Close { route: route.row(), why: why_not(near) })
        .collect();
    Outcome::Miss { status, why, close }
}

fn why_not(near: Near) -> String {
    match near {
        Near::Method => "its method is another".to_owned(),
        Near::Verb => "its verb (after the colon) is another".to_owned(),
        Near::Segments { differing: 1, shared } => format!("one segment differs, after {shared} that match"),
        Near::Segments { differing, shared } => {
            format!("{differing} segments differ, after {shared} that match")
        }
    }
}

impl From<FieldViolation> for Violation {
    fn from(violation: FieldViolation) -> Self {
        Self { field: violation.field, description: violation.description }
    }
}

impl From<Effective> for PolicyRow {
    fn from(effective: Effective) -> Self {
        Self { key: effective.key, value: effective.value, set_at: effective.at.map(|at| at.to_string()) }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.method, self.target)?;
        match &self.outcome {
            Outcome::Match { route, bindings, violations, body, access, needs, policies } => {
                writeln!(f, "  matches   {} {}  ({})", route.method, route.template, route.source)?;
                writeln!(
                    f,
                    "  calls     {}  ({}, upstream {})",
                    route.grpc_method, route.kind, route.upstream
                )?;
                if let Some(host) = &route.host {
                    writeln!(f, "  host      {host}")?;
                }
                for (index, binding) in bindings.iter().enumerate() {
                    let label = if index == 0 { "binds" } else { "" };
                    writeln!(
                        f,
                        "  {label:<9} {} = \"{}\"  (from the {})",
                        binding.field, binding.value, binding.from
                    )?;
                }
                if let Some(body) = body {
                    let what = if body == "*" { "the whole message" } else { body };
                    writeln!(f, "  body      {what}")?;
                }
                for violation in violations {
                    writeln!(f, "  wrong     {}: {}", violation.field, violation.description)?;
                }
                access::write(f, access, needs.as_deref())?;
                write_policies(f, policies)
            }
            Outcome::Miss { status, why, close } => {
                writeln!(f, "  {status}       {why}")?;
                for (index, close) in close.iter().enumerate() {
                    let label = if index == 0 { "close" } else { "" };
                    writeln!(
                        f,
                        "  {label:<9} {} {}: {}",
                        close.route.method, close.route.template, close.why
                    )?;
                }
                Ok(())
            }
        }
    }
}

fn write_policies(f: &mut fmt::Formatter<'_>, policies: &[PolicyRow]) -> fmt::Result {
    let width = policies.iter().map(|row| row.key.len()).max().unwrap_or_default();
    for (index, row) in policies.iter().enumerate() {
        let label = if index == 0 { "policies" } else { "" };
        let place = row.set_at.as_deref().unwrap_or("default");
        writeln!(f, "  {label:<9} {:<width$}  {}  ({place})", row.key, row.value)?;
    }
    Ok(())
}
