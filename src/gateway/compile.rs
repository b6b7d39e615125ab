//! One rule, checked against its method and compiled into a [`Target`].

mod stream;

use std::sync::Arc;

use crate::config::model::{Balance, HashKey, HttpBinding, Route as TomlRoute, Upstream};
use crate::config::policy::{EmptyForm, Idempotent, LocationPart, LocationTemplate, Success};
use crate::config::problem::{Located, Location, Problem};
use crate::middleware::routed::RoutePolicy;
use crate::protocol::Target;
use crate::protocol::success::SuccessPolicy;
use crate::route::{Template, TemplateError};
use crate::rpc;
use crate::schema::field_path::FieldPathError;
use crate::schema::{HttpRule, Idempotency, Method, Schema, comments};
use crate::transcode::Codec;
use crate::transcode::field_text::FieldText;
use crate::transcode::location::{self, LocationPlan};
use crate::transcode::request::{PlanError, RequestPlan};
use crate::transcode::response::ResponsePlan;

use super::policy::{Made, Policies};

/// One way to reach a method, wherever it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule<'c> {
    /// A binding of `[[routes]]`.
    Toml { route: &'c TomlRoute, binding: &'c HttpBinding },
    /// A binding of the method's `google.api.http`.
    Annotation(&'c HttpRule),
    /// `POST /package.Service/Method` with the whole message as its body; native gRPC goes there too.
    Auto,
}

/// The parts of a rule, in one form.
#[derive(Debug)]
struct Parts<'c> {
    method: &'c str,
    template: &'c str,
    body: Option<&'c str>,
    response_body: Option<&'c str>,
}

impl<'c> Rule<'c> {
    fn parts(self, path: &'c str) -> Parts<'c> {
        match self {
            Self::Toml { binding, .. } => Parts {
                method: &binding.method,
                template: &binding.template.value,
                body: binding.body.as_ref().map(|body| body.value.as_str()),
                response_body: binding.response_body.as_ref().map(|body| body.value.as_str()),
            },
            Self::Annotation(rule) => Parts {
                method: &rule.method,
                template: &rule.template,
                body: rule.body.as_deref(),
                response_body: rule.response_body.as_deref(),
            },
            Self::Auto => Parts { method: "POST", template: path, body: Some("*"), response_body: None },
        }
    }

    fn route(self) -> Option<&'c TomlRoute> {
        match self {
            Self::Toml { route, .. } => Some(route),
            Self::Annotation(_) | Self::Auto => None,
        }
    }

    /// Where the rule is written: in a configuration file, or beside its method in a .proto file.
    pub(super) fn at(self, schema: &Schema, method: Method<'_>) -> Location {
        match self {
            Self::Toml { binding, .. } => binding.template.at.clone(),
            Self::Annotation(_) | Self::Auto => {
                let source = comments::of_method(schema, method);
                let file = (!source.file.is_empty()).then(|| Arc::new(source.file.into()));
                Location { file, position: source.position, key: method.name().to_owned() }
            }
        }
    }

    /// The place of a part of the rule, as exact as it is known.
    fn part_at(
        self,
        part: impl Fn(&'c HttpBinding) -> Option<&'c Located<String>>,
        whole: Location,
    ) -> Location {
        match self {
            Self::Toml { binding, .. } => part(binding).map_or(whole, |located| located.at.clone()),
            Self::Annotation(_) | Self::Auto => whole,
        }
    }
}

/// A rule, compiled.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) http_method: Box<str>,
    pub(super) template: Template,
    pub(super) target: Arc<Target>,
    pub(super) policy: Arc<RoutePolicy>,
}

/// Checks and compiles a rule.
pub(super) fn compile<'c>(
    rule: Rule<'c>,
    method: Method<'c>,
    upstream: &'c Upstream,
    codec: &Arc<Codec>,
    policies: &mut Policies<'c>,
) -> Result<Compiled, Problem> {
    let schema = codec.schema();
    let at = || rule.at(schema, method);
    let path = method.path();
    let parts = rule.parts(&path);
    let template =
        template(rule, &parts, upstream).map_err(|error| template_problem(at(), parts.template, error))?;
    let variables = template.variables().iter().map(|variable| variable.path.as_slice());
    let plan = RequestPlan::new(method.input(), variables, parts.body, parts.method == "PATCH")
        .and_then(|request| Ok((request, ResponsePlan::new(method.output(), parts.response_body)?)));
    let (request, response) = plan.map_err(|error| plan_problem(rule, at(), &template, &parts, error))?;
    let made = policies.of(method.name(), method.kind(), upstream, rule.route());
    let success = success(&made, method)?;
    let rpc_method = rpc::Method::new(&path)
        .map_err(|error| Problem::error(at(), format!("{path} cannot be called: {error}")))?;
    let target = Target {
        method: rpc_method,
        method_name: method.name().into(),
        kind: method.kind(),
        idempotent: match made.idempotent {
            Idempotent::Derived => is_idempotent(method, parts.method),
            Idempotent::Always(idempotent) => idempotent,
        },
        call_policy: made.call,
        policy: made.target,
        codec: Arc::clone(codec),
        resume: stream::resume(made.resume.as_ref(), method, &request)?,
        event: stream::event(made.event_field.as_ref(), method)?,
        affinity: affinity(upstream, method),
        success,
        request,
        response,
    };
    Ok(Compiled { http_method: parts.method.into(), template, target: Arc::new(target), policy: made.route })
}

/// The field by whose value calls stay together, where the upstream is balanced so and the method's requests
/// have it.
fn affinity(upstream: &Upstream, method: Method<'_>) -> Option<Arc<FieldText>> {
    let Balance::Hash(HashKey::Field(path)) = &upstream.balance.value else { return None };
    FieldText::key(method.input(), path).ok().map(Arc::new)
}

/// What answers of a method say that went well.
fn success(made: &Made, method: Method<'_>) -> Result<SuccessPolicy, Problem> {
    let Success { status, location, empty } = &made.success;
    let location = match location {
        LocationTemplate::None => None,
        LocationTemplate::Template(parts) => {
            let parts = parts.iter().map(|part| match part {
                LocationPart::Text(text) => location::Part::Text(text),
                LocationPart::Field(path) => location::Part::Field(path),
            });
            Some(LocationPlan::new(method.output(), parts).map_err(|why| {
                Problem::error(made.location_at.clone(), format!("the location of {}: {why}", method.name()))
                    .help("name fields of its answer, or set the location for other methods only")
            })?)
        }
    };
    let no_content = *empty == EmptyForm::NoContent && method.output().name() == "google.protobuf.Empty";
    Ok(SuccessPolicy { status: status.0, no_content, location })
}

/// The upstream's prefix stands before its rules, not before the paths of gRPC itself.
fn template(rule: Rule<'_>, parts: &Parts<'_>, upstream: &Upstream) -> Result<Template, TemplateError> {
    let template = Template::parse(parts.template)?;
    match (&upstream.prefix, rule) {
        (Some(prefix), Rule::Toml { .. } | Rule::Annotation(_)) => template.prefixed(&prefix.value),
        _ => Ok(template),
    }
}

/// "Idempotent" by the method's own word, or by the HTTP method of this binding (RFC 9110 §9.2.2).
fn is_idempotent(method: Method<'_>, http_method: &str) -> bool {
    method.idempotency() != Idempotency::Unknown || matches!(http_method, "GET" | "HEAD" | "PUT" | "DELETE")
}

fn template_problem(at: Location, template: &str, error: TemplateError) -> Problem {
    let message =
        format!("the template \"{template}\" is wrong at column {}: {}", error.column, error.message);
    let problem = Problem::error(at, message);
    match error.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn plan_problem(
    rule: Rule<'_>,
    at: Location,
    template: &Template,
    parts: &Parts<'_>,
    error: PlanError,
) -> Problem {
    let (place, what, error) = match error {
        PlanError::Variable(index, error) => {
            let name =
                template.variables().get(index).map_or_else(String::new, |variable| variable.path.join("."));
            (at, format!("the template \"{template}\" binds {{{name}}}"), error)
        }
        PlanError::Body(error) => {
            let at = rule.part_at(|binding| binding.body.as_ref(), at);
            (at, format!("body = \"{}\"", parts.body.unwrap_or_default()), error)
        }
        PlanError::ResponseBody(error) => {
            let at = rule.part_at(|binding| binding.response_body.as_ref(), at);
            (at, format!("response_body = \"{}\"", parts.response_body.unwrap_or_default()), error)
        }
    };
    let problem = Problem::error(place, format!("{what}, but {}", error.message));
    match candidates(&error) {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn candidates(error: &FieldPathError) -> Option<String> {
    match error.candidates.as_slice() {
        [] => None,
        names if names.len() <= 12 => Some(format!("its fields are {}", names.join(", "))),
        names => Some(format!("its fields are {}, …", names.get(..12)?.join(", "))),
    }
}
