//! The `google.api.http` annotation of a method, one [`HttpRule`] a binding.

use super::descriptor;

/// One binding of google/api/http.proto's `HttpRule`, as annotated: its template is not parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    /// `GET`, `PUT`, `POST`, `DELETE`, `PATCH`, or the `kind` of `custom`.
    pub method: Box<str>,
    /// The path template.
    pub template: Box<str>,
    /// `*`, a field, or none.
    pub body: Option<Box<str>>,
    /// The field that is the response, or none for the whole message.
    pub response_body: Option<Box<str>>,
}

/// The rule and its `additional_bindings` ("Nested bindings must not contain an
/// `additional_bindings` field themselves"; where they do, those count for nothing).
pub(super) fn bindings(rule: &descriptor::HttpRule) -> Box<[HttpRule]> {
    std::iter::once(rule).chain(&rule.additional_bindings).filter_map(binding).collect()
}

/// A rule without a pattern binds nothing.
fn binding(rule: &descriptor::HttpRule) -> Option<HttpRule> {
    let patterns = [
        ("GET", &rule.get),
        ("PUT", &rule.put),
        ("POST", &rule.post),
        ("DELETE", &rule.delete),
        ("PATCH", &rule.patch),
    ];
    let plain = patterns.into_iter().find_map(|(method, template)| Some((method, template.as_deref()?)));
    let (method, template) =
        plain.or_else(|| rule.custom.as_ref().map(|custom| (custom.kind(), custom.path())))?;
    let named = |name: &Option<String>| name.as_deref().filter(|name| !name.is_empty()).map(Box::from);
    Some(HttpRule {
        method: method.into(),
        template: template.into(),
        body: named(&rule.body),
        response_body: named(&rule.response_body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additional_bindings_follow_the_rule() {
        let nested =
            descriptor::HttpRule { post: Some("/b".into()), body: Some("*".into()), ..Default::default() };
        let rule = descriptor::HttpRule {
            get: Some("/a".into()),
            additional_bindings: vec![nested, descriptor::HttpRule::default()],
            ..Default::default()
        };
        let bindings = bindings(&rule);
        let read: Vec<_> =
            bindings.iter().map(|rule| (&*rule.method, &*rule.template, rule.body.as_deref())).collect();
        assert_eq!(read, [("GET", "/a", None), ("POST", "/b", Some("*"))]);
    }

    #[test]
    fn custom_kinds_are_methods() {
        let custom = descriptor::CustomPattern { kind: Some("HEAD".into()), path: Some("/a".into()) };
        let rule = descriptor::HttpRule { custom: Some(custom), ..Default::default() };
        assert_eq!(&*bindings(&rule)[0].method, "HEAD");
    }
}
