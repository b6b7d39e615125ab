//! A request, from path, query and body to one encoded message, by a plan made when routes are loaded.
//!
//! Order of precedence: the path wins over the body, a query parameter may name neither
//! (google/api/http.proto, "Rules for HTTP mapping").

use crate::rpc::FieldViolation;
use crate::schema::field_path::FieldPathError;
use crate::schema::{Field, Message, MessageId};

use super::binding::{FieldPlan, is_singular, put_bytes};
use super::form::{Form, Value};
use super::http_body;
use super::query::{self, Binder, Bound, QueryOptions};
use super::{Codec, JsonError, ReadOptions};

/// How requests of one binding become messages.
#[derive(Clone, Debug)]
pub struct RequestPlan {
    message: MessageId,
    captures: Box<[FieldPlan]>,
    body: BodyPlan,
    /// The only `FieldMask` of a PATCH request, to be filled from the body where it is empty
    /// (google/api/http.proto does not say so; every gateway does, and AIP-134 relies on it).
    mask: Option<FieldPlan>,
}

/// What the body of a request is.
#[derive(Clone, Debug)]
enum BodyPlan {
    /// Nothing: all fields come from path and query.
    None,
    /// The whole message as JSON; there are no query parameters.
    Whole,
    /// One field as JSON.
    Field(FieldPlan),
    /// The raw bytes of a `google.api.HttpBody`: the message itself (`None`) or a field of it.
    Raw(Option<FieldPlan>),
}

/// Why a binding does not fit its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The path variable of this index.
    Variable(usize, FieldPathError),
    /// `body`.
    Body(FieldPathError),
    /// `response_body`.
    ResponseBody(FieldPathError),
}

/// The parts of a request that become a message.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The values of the path variables, in the order of the template.
    pub captures: &'a [&'a str],
    /// The query, still encoded, without its `?`.
    pub query: &'a str,
    pub body: &'a [u8],
    /// The `Content-Type`, for raw bodies.
    pub content_type: &'a str,
}

/// Why a request is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The body is not what it should be.
    Body(JsonError),
    /// Fields of a form do not fit.
    Form(Vec<FieldViolation>),
    /// A path variable or query parameters do not fit.
    Parameters(Vec<FieldViolation>),
}

impl RequestPlan {
    /// Makes the plan of a binding.
    ///
    /// # Errors
    /// When the template or `body` names what the message does not have.
    pub fn new<'v>(
        input: Message<'_>,
        variables: impl IntoIterator<Item = &'v [String]>,
        body: Option<&str>,
        fills_mask: bool,
    ) -> Result<Self, PlanError> {
        let captures = variables
            .into_iter()
            .enumerate()
            .map(|(index, path)| capture(input, path).map_err(|error| PlanError::Variable(index, error)))
            .collect::<Result<_, _>>()?;
        let body = BodyPlan::new(input, body).map_err(PlanError::Body)?;
        let mask = if fills_mask && matches!(body, BodyPlan::Field(_)) { only_mask(input) } else { None };
        Ok(Self { message: input.id(), captures, body, mask })
    }

    /// Whether the body is raw bytes of any content type.
    #[must_use]
    pub const fn takes_raw_body(&self) -> bool {
        matches!(self.body, BodyPlan::Raw(_))
    }

    /// Whether the request has a body at all.
    #[must_use]
    pub const fn takes_body(&self) -> bool {
        !matches!(self.body, BodyPlan::None)
    }

    /// The fields that the path binds, in the order of the template's variables.
    #[must_use]
    pub fn captures(&self) -> &[FieldPlan] {
        &self.captures
    }

    /// What `body` names: `*`, a field, or nothing.
    #[must_use]
    pub fn body_name(&self) -> Option<&str> {
        match &self.body {
            BodyPlan::None => None,
            BodyPlan::Whole | BodyPlan::Raw(None) => Some("*"),
            BodyPlan::Field(plan) | BodyPlan::Raw(Some(plan)) => Some(&plan.path),
        }
    }

    /// Whether the body may be a form: it is the whole message, or a field that is one message.
    #[must_use]
    pub fn takes_form(&self, codec: &Codec) -> bool {
        match &self.body {
            BodyPlan::Whole => true,
            BodyPlan::Field(plan) => {
                plan.field(codec).is_some_and(|field| is_singular(field) && field.message().is_some())
            }
            BodyPlan::None | BodyPlan::Raw(_) => false,
        }
    }

    /// Encodes a request whose body is a form.
    ///
    /// # Errors
    /// What is wrong with each field of the form, or with each parameter.
    pub fn encode_form(
        &self,
        codec: &Codec,
        parts: Parts<'_>,
        form: &Form,
        read: &ReadOptions,
        query: &QueryOptions,
    ) -> Result<Vec<u8>, RequestError> {
        let mut out = Vec::new();
        let (content, paths) = self.form_content(codec, form, read, query).map_err(RequestError::Form)?;
        match &self.body {
            BodyPlan::Field(plan) if !content.is_empty() => plan.write_message(codec, &content, &mut out),
            _ => out.extend_from_slice(&content),
        }
        self.weave(codec, parts, read, query, &mut out, |_| {
            Ok(Some(paths).filter(|paths| !paths.is_empty()))
        })?;
        Ok(out)
    }

    /// The message that a form makes, and the paths of its fields.
    fn form_content(
        &self,
        codec: &Codec,
        form: &Form,
        read: &ReadOptions,
        query: &QueryOptions,
    ) -> Result<(Vec<u8>, Vec<String>), Vec<FieldViolation>> {
        let (mut root, mut read) = (self.message, *read);
        if let BodyPlan::Field(plan) = &self.body {
            root = plan.field(codec).and_then(Field::message).map_or(root, Message::id);
            read.max_depth = read.max_depth.saturating_sub(plan.numbers().count());
        }
        let mut binder = Binder::new(codec, root, query, &read, Bound { path: &[], body: None });
        let mut content = Vec::new();
        form.bind(&mut binder, &mut content)?;
        Ok((content, binder.into_paths().into_iter().map(String::from).collect()))
    }

    /// Encodes a request.
    ///
    /// # Errors
    /// What is wrong with the body, or with each parameter.
    pub fn encode(
        &self,
        codec: &Codec,
        parts: Parts<'_>,
        read: &ReadOptions,
        query: &QueryOptions,
    ) -> Result<Vec<u8>, RequestError> {
        let mut out = Vec::with_capacity(parts.body.len() + 32);
        self.encode_body(codec, parts, read, &mut out).map_err(RequestError::Body)?;
        self.weave(codec, parts, read, query, &mut out, |body| {
            let paths = (!parts.body.is_empty()).then(|| codec.field_paths(body, parts.body, read));
            paths.transpose()
        })?;
        Ok(out)
    }

    /// Encodes a message of a client stream: where no `body` is named, a frame is the whole message.
    ///
    /// # Errors
    /// As those of [`RequestPlan::encode`].
    pub fn encode_streamed(
        &self,
        codec: &Codec,
        parts: Parts<'_>,
        read: &ReadOptions,
        query: &QueryOptions,
    ) -> Result<Vec<u8>, RequestError> {
        if self.takes_body() || parts.body.is_empty() {
            return self.encode(codec, parts, read, query);
        }
        let mut out = Vec::with_capacity(parts.body.len() + 32);
        codec.read(self.message, parts.body, read, &mut out).map_err(RequestError::Body)?;
        self.weave(codec, parts, read, query, &mut out, |_| Ok(None))?;
        Ok(out)
    }

    /// Appends what is not the body: the query, the mask of the body's paths, and the path.
    fn weave(
        &self,
        codec: &Codec,
        parts: Parts<'_>,
        read: &ReadOptions,
        query: &QueryOptions,
        out: &mut Vec<u8>,
        paths: impl FnOnce(MessageId) -> Result<Option<Vec<String>>, JsonError>,
    ) -> Result<(), RequestError> {
        let mut violations = Vec::new();
        let before = out.len();
        self.encode_query(codec, parts.query, read, query, out, &mut violations);
        let has_query = out.len() > before;
        self.encode_mask(codec, parts.query, has_query, paths, out).map_err(RequestError::Body)?;
        for (plan, text) in self.captures.iter().zip(parts.captures) {
            if let Err(error) = plan.write_text(codec, text, read, out) {
                violations.push(FieldViolation { field: error.path, description: error.description });
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(RequestError::Parameters(violations)) }
    }

    /// "If the body is empty", the message or the field is left as it is.
    fn encode_body(
        &self,
        codec: &Codec,
        parts: Parts<'_>,
        read: &ReadOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        match &self.body {
            BodyPlan::Raw(None) => http_body::encode(parts.content_type, parts.body, out),
            BodyPlan::Raw(Some(plan)) => {
                let mut content = Vec::with_capacity(parts.body.len() + 32);
                http_body::encode(parts.content_type, parts.body, &mut content);
                return plan.write(out, |out| {
                    put_bytes(plan.number, &content, out);
                    Ok(())
                });
            }
            BodyPlan::Whole if !parts.body.is_empty() => {
                return codec.read(self.message, parts.body, read, out);
            }
            BodyPlan::Field(plan) if !parts.body.is_empty() => {
                return plan.write_json(codec, parts.body, read, out);
            }
            BodyPlan::None | BodyPlan::Whole | BodyPlan::Field(_) => {}
        }
        Ok(())
    }

    fn encode_query(
        &self,
        codec: &Codec,
        text: &str,
        read: &ReadOptions,
        options: &QueryOptions,
        out: &mut Vec<u8>,
        violations: &mut Vec<FieldViolation>,
    ) {
        if text.is_empty() {
            return;
        }
        let body = match &self.body {
            BodyPlan::Field(plan) | BodyPlan::Raw(Some(plan)) => Some(plan),
            _ => None,
        };
        let bound = Bound { path: &self.captures, body };
        let mut binder = Binder::new(codec, self.message, options, read, bound);
        for pair in query::pairs(text) {
            let bound = pair.and_then(|(name, value)| {
                if matches!(self.body, BodyPlan::Whole) && !options.leaves_out(&name) {
                    let description =
                        "the body is the whole message (`body: \"*\"`), so there are no query parameters";
                    return Err(FieldViolation {
                        field: name.into_owned(),
                        description: description.to_owned(),
                    });
                }
                binder.bind(&name, Value::Text(&value), out)
            });
            violations.extend(bound.err());
            if violations.len() >= query::MAX_VIOLATIONS {
                break;
            }
        }
    }

    fn encode_mask(
        &self,
        codec: &Codec,
        query: &str,
        has_query: bool,
        paths: impl FnOnce(MessageId) -> Result<Option<Vec<String>>, JsonError>,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let (Some(mask), BodyPlan::Field(body)) = (&self.mask, &self.body) else { return Ok(()) };
        let Some(message) = body.field(codec).and_then(Field::message) else { return Ok(()) };
        if has_query && names_mask(codec, self.message, mask, query) {
            return Ok(());
        }
        let Some(paths) = paths(message.id())? else { return Ok(()) };
        let mut content = Vec::new();
        for path in paths {
            put_bytes(1, path.as_bytes(), &mut content);
        }
        mask.write(out, |out| {
            put_bytes(mask.number, &content, out);
            Ok(())
        })
    }
}

impl BodyPlan {
    fn new(input: Message<'_>, body: Option<&str>) -> Result<Self, FieldPathError> {
        match body {
            None => Ok(if http_body::is(input) { Self::Raw(None) } else { Self::None }),
            Some("*") => Ok(if http_body::is(input) { Self::Raw(None) } else { Self::Whole }),
            Some(path) => {
                let plan = FieldPlan::resolve(input, path.split('.'))?;
                let field = crate::schema::field_path::resolve(input, path.split('.'))?.pop();
                let raw = field
                    .is_some_and(|field| is_singular(field) && field.message().is_some_and(http_body::is));
                Ok(if raw { Self::Raw(Some(plan)) } else { Self::Field(plan) })
            }
        }
    }
}

fn capture(input: Message<'_>, path: &[String]) -> Result<FieldPlan, FieldPathError> {
    let fields = crate::schema::field_path::resolve(input, path.iter().map(String::as_str))?;
    let last = fields.last().copied();
    let wrong = match last {
        Some(field) if !is_singular(field) => "is repeated",
        Some(field) if field.message().is_some_and(|message| !has_scalar_text(message)) => "is a message",
        _ => match FieldPlan::of(input, &fields) {
            Some(plan) => return Ok(plan),
            None => "is no name",
        },
    };
    let name = last.map_or("", Field::name);
    let message = format!("\"{name}\" {wrong}, so no path variable can be it");
    Err(FieldPathError { message, candidates: Vec::new() })
}

/// "A non-repeated field with a primitive type" (google/api/http.proto); messages that stand for one value are
/// as good. Of the others a body's part would remain beside the path's: their fields merge and grow.
fn has_scalar_text(message: Message<'_>) -> bool {
    message.name().strip_prefix("google.protobuf.").is_some_and(|name| {
        matches!(name, "Timestamp" | "Duration")
            || (name.ends_with("Value") && !matches!(name, "Value" | "ListValue"))
    })
}

/// The field of type `google.protobuf.FieldMask`, if the message has exactly one.
fn only_mask(input: Message<'_>) -> Option<FieldPlan> {
    let mut masks = input.fields().filter(|field| {
        is_singular(*field)
            && field.message().is_some_and(|message| message.name() == "google.protobuf.FieldMask")
    });
    let mask = masks.next().filter(|_| masks.next().is_none())?;
    FieldPlan::of(input, &[mask])
}

/// Whether the query gives the mask; an empty one is none.
fn names_mask(codec: &Codec, root: MessageId, mask: &FieldPlan, text: &str) -> bool {
    let root = codec.schema().message(root);
    query::pairs(text).flatten().filter(|(_, value)| !value.is_empty()).any(|(name, _)| {
        FieldPlan::resolve(root, name.split('.')).is_ok_and(|plan| plan.numbers().eq(mask.numbers()))
    })
}

#[cfg(test)]
mod tests;
