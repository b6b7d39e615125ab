//! `[[routes]]`: a `google.api.HttpRule` by its own field names, plus policy keys.

use super::name;
use crate::config::entry::Entry;
use crate::config::model::{HttpBinding, Route};
use crate::config::policy::{Level, PolicyKeys};
use crate::config::problem::Located;
use crate::config::table::Table;
use crate::route::{Template, TemplateError};

/// The patterns that are a key each, with the method that each stands for (google/api/http.proto,
/// `HttpRule.pattern`).
const PATTERNS: &[(&str, &str)] =
    &[("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")];

const PATTERN_FORM: &str = "write one of get, put, post, delete, patch and custom = { kind, path }";

pub(super) fn routes(root: &mut Table<'_>) -> Vec<Route> {
    root.tables("routes").into_iter().filter_map(route).collect()
}

fn route(mut table: Table<'_>) -> Option<Route> {
    let selector = table.required("selector", "\"pkg.Service.Method\"", name::method);
    let own = binding(&mut table);
    // One level only: those of an additional binding would not count (google/api/http.proto,
    // `additional_bindings`), and `binding` does not ask for them.
    let additional = table.tables("additional_bindings").into_iter().map(|mut table| {
        let binding = binding(&mut table);
        table.finish();
        binding
    });
    // All of them are read before one that is wrong ends it.
    let bindings: Vec<Option<HttpBinding>> = std::iter::once(own).chain(additional).collect();
    let replace = table.get("replace", Entry::boolean).unwrap_or(false);
    let policy = PolicyKeys::read(&mut table, Level::Route, scope(selector.as_ref(), &bindings));
    let at = table.at();
    table.finish();
    Some(Route {
        selector: selector?,
        bindings: bindings.into_iter().collect::<Option<_>>()?,
        replace,
        policy,
        at,
    })
}

/// A route is known by its method and its first pattern.
fn scope(selector: Option<&Located<String>>, bindings: &[Option<HttpBinding>]) -> String {
    let selector = selector.map_or("", |selector| &selector.value);
    let pattern = bindings.first().and_then(Option::as_ref);
    pattern.map_or_else(String::new, |pattern| {
        format!("routes {selector} {} {}", pattern.method, pattern.template.value)
    })
}

fn binding(table: &mut Table<'_>) -> Option<HttpBinding> {
    let mut patterns: Vec<_> = PATTERNS
        .iter()
        .filter_map(|(key, method)| table.get(key, |entry| Some(plain(entry, method))))
        .collect();
    patterns.extend(table.entry("custom").map(|entry| custom(&entry)));
    let body = table.located("body", |entry| name::field(entry, true));
    let response_body = table.located("response_body", |entry| name::field(entry, false));
    let one = match patterns.len() {
        0 => {
            table.missing("has no pattern", PATTERN_FORM);
            None
        }
        1 => patterns.pop().flatten(),
        _ => {
            table.wrong("has more than one pattern", "write further ones into additional_bindings = [{ … }]");
            None
        }
    };
    let (method, template) = one?;
    Some(HttpBinding { method, template, body, response_body })
}

type Pattern = (String, Located<String>);

fn plain(entry: &Entry<'_>, method: &str) -> Option<Pattern> {
    Some((method.to_owned(), entry.located(template)?))
}

/// `{ kind, path }`; the kind `*` is any method.
fn custom(entry: &Entry<'_>) -> Option<Pattern> {
    let mut table = entry.table()?;
    let kind = table.required("kind", "\"HEAD\"", kind);
    let path = table.required("path", "\"/v1/{name=items/*}\"", template);
    table.finish();
    Some((kind?.value, path?))
}

/// Methods are told apart by case (RFC 9110 §9.1).
fn kind(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text()?;
    if name::is_token(text) {
        return Some(text.to_owned());
    }
    entry.wrong(format!("\"{text}\" is no HTTP method"), "write one such as \"HEAD\", or \"*\" for any")
}

/// The text of a path template that can be parsed; its fields are known to the schema alone.
fn template(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text()?;
    match Template::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(TemplateError { column, message, help }) => entry.wrong_at(column, message, help),
    }
}
