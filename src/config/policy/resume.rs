//! Policy key `resume`: how a server stream is opened again where it broke.
//!
//! Look here for the key's form. Whether its fields fit a method is checked where routes are compiled; which
//! fields there are is not known here.

use ::config::ValueKind;

use super::value::PolicyValue;
use super::{Effective, Level, PolicyKeys, nearest, row};
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::table::Table;

/// What one level says of `resume`: `false`, or sub-keys, which also turn it on again.
#[derive(Clone, Debug, Default)]
pub struct ResumeKeys {
    pub enabled: Option<Located<bool>>,
    pub response_field: Option<Located<FieldName>>,
    pub request_field: Option<Located<FieldName>>,
}

/// `resume` of a route, where there is one. Each field must be set at some level.
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    /// Where it is turned on, and at which level.
    pub enabled: Located<Level>,
    /// The field of each answer that says its place in the stream.
    pub response_field: Option<Located<FieldName>>,
    /// The field of the request that takes such a place, and means what comes after it.
    pub request_field: Option<Located<FieldName>>,
}

/// The name of a field, or names with dots between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(pub String);

impl ResumeKeys {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let Some(entry) = table.entry("resume") else { return Self::default() };
        if !matches!(entry.value, ValueKind::Table(_)) {
            let enabled = entry.located(|entry| {
                if matches!(entry.value, ValueKind::Boolean(false)) || entry.is_text("false") {
                    return Some(false);
                }
                let help = "write false, or { response_field = \"cursor\", request_field = \"after\" }";
                entry.wrong("does not say by which fields", help)
            });
            return Self { enabled, ..Self::default() };
        }
        let Some(mut fields) = table.table("resume") else { return Self::default() };
        let keys = Self {
            enabled: entry.located(|_| Some(true)),
            response_field: fields.located("response_field", FieldName::read),
            request_field: fields.located("request_field", FieldName::read),
        };
        fields.finish();
        keys
    }
}

/// How streams are opened again; `None`: not at all.
pub(super) fn resolve(levels: &[&PolicyKeys]) -> Option<Resume> {
    let (level, enabled) = levels
        .iter()
        .find_map(|keys| keys.resume.enabled.as_ref().map(|enabled| (keys.level, enabled)))
        .filter(|(_, enabled)| enabled.value)?;
    Some(Resume {
        enabled: Located { value: level, at: enabled.at.clone() },
        response_field: nearest(levels, |keys| &keys.resume.response_field).cloned(),
        request_field: nearest(levels, |keys| &keys.resume.request_field).cloned(),
    })
}

pub(super) fn effective(resume: Option<&Resume>, levels: &[&PolicyKeys]) -> Vec<Effective> {
    let Some(resume) = resume else {
        return vec![row("resume", &false, nearest(levels, |keys| &keys.resume.enabled))];
    };
    let field = |key: &str, name: &Option<Located<FieldName>>| {
        name.as_ref().map(|name| row(format!("resume.{key}"), &name.value, Some(name)))
    };
    let rows =
        [field("response_field", &resume.response_field), field("request_field", &resume.request_field)];
    rows.into_iter().flatten().collect()
}

impl PolicyValue for FieldName {
    fn read(entry: &Entry<'_>) -> Option<Self> {
        let text = entry.text()?;
        if text.is_empty() {
            return entry.wrong("must not be empty", "write the name of a field, such as \"cursor\"");
        }
        Some(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        format!("\"{}\"", self.0)
    }
}
