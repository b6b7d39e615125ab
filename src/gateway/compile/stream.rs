//! What a route says of the messages of its stream beside their bodies: their cursors and their names.

use std::sync::Arc;

use crate::config::policy::{FieldName, Level, Resume};
use crate::config::problem::{Located, Problem};
use crate::rpc::Kind;
use crate::schema::Method;
use crate::schema::field_path::FieldPathError;
use crate::transcode::field_text::FieldText;
use crate::transcode::request::RequestPlan;
use crate::transcode::resume::{ResumeError, ResumePlan};

use super::candidates;

/// How the streams of a method go on after their upstream died. At a level that many methods share the key
/// holds for those that stream their answer.
///
/// # Errors
/// What does not fit the method.
pub(super) fn resume(
    resume: Option<&Resume>,
    method: Method<'_>,
    plan: &RequestPlan,
) -> Result<Option<Arc<ResumePlan>>, Problem> {
    let Some(resume) = resume else { return Ok(None) };
    if method.kind() != Kind::ServerStreaming {
        return if resume.enabled.value == Level::Route { Err(no_stream(resume, method)) } else { Ok(None) };
    }
    let missing = |key: &str| {
        let problem = Problem::error(resume.enabled.at.clone(), format!("`{key}` is missing"));
        problem.help("name both fields: { response_field = \"cursor\", request_field = \"after\" }")
    };
    let response = resume.response_field.as_ref().ok_or_else(|| missing("response_field"))?;
    let request = resume.request_field.as_ref().ok_or_else(|| missing("request_field"))?;
    let messages = (method.input(), method.output());
    match ResumePlan::new(messages, plan, &response.value.0, &request.value.0) {
        Ok(plan) => Ok(Some(Arc::new(plan))),
        Err(ResumeError::Response(error)) => Err(misfit(response, method, &error, OFF)),
        Err(ResumeError::Request(error)) => Err(misfit(request, method, &error, OFF)),
    }
}

const OFF: &str = "write resume = false for a method that has no cursor";

/// The field by which the events of a method are called. A unary method has one where the field is there.
///
/// # Errors
/// When a stream has no such field.
pub(super) fn event(
    field: Option<&Located<FieldName>>,
    method: Method<'_>,
) -> Result<Option<Arc<FieldText>>, Problem> {
    let Some(field) = field else { return Ok(None) };
    match FieldText::label(method.output(), &field.value.0) {
        Ok(text) => Ok(Some(Arc::new(text))),
        Err(_) if !method.kind().server_streams() => Ok(None),
        Err(error) => Err(misfit(field, method, &error, "write sse.event_field = false for this method")),
    }
}

fn no_stream(resume: &Resume, method: Method<'_>) -> Problem {
    let kind = method.kind().name();
    let message =
        format!("{} is {kind}: only a stream of answers to one request can be resumed", method.name());
    Problem::error(resume.enabled.at.clone(), message).help("leave it out")
}

fn misfit(field: &Located<FieldName>, method: Method<'_>, error: &FieldPathError, help: &str) -> Problem {
    let message = format!("{} cannot do that: {}", method.name(), error.message);
    let help = candidates(error).unwrap_or_else(|| help.to_owned());
    Problem::error(field.at.clone(), message).help(help)
}
