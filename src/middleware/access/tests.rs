//! Decisions on whole heads, with API keys as credentials, and what becomes of metadata.

use serde_json::json;

use super::*;
use crate::config::policy::Claims;

/// The SHA-256 of "secret".
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

fn keys(name: &str, header: &'static str, id: &str) -> Arc<Authenticator> {
    let text = format!(
        "[keys.{id}]\nsha256 = \"{SECRET}\"\nscopes = [\"read\"]\nmetadata = {{ \"x-user-id\" = \"{id}\" }}\n"
    );
    let keys = ApiKeys::new(&name.into(), HeaderName::from_static(header), false, &text).unwrap();
    Arc::new(Authenticator::ApiKeys(keys))
}

fn access(authenticators: Vec<Arc<Authenticator>>, scopes: &[&str]) -> Access {
    let reserved = Reserved::of(authenticators.iter().map(Arc::as_ref), std::iter::empty());
    let require =
        Require { scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(), claims: Claims::default() };
    Access { authenticators, require, reserved, ..Access::default() }
}

fn head(pairs: &[(&'static str, &'static str)]) -> Parts {
    let mut request = http::Request::new(());
    for (name, value) in pairs {
        request.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    request.into_parts().0
}

fn metadata(head: &Parts) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in &head.headers {
        metadata.append(name.clone(), value.clone());
    }
    metadata
}

#[test]
fn without_credentials_every_way_is_offered() {
    let access = access(vec![keys("a", "x-a", "one"), keys("b", "x-b", "two")], &[]);
    let status = access.admit(&head(&[])).unwrap_err();
    assert_eq!((status.code, status.http_status()), (Code::Unauthenticated, 401));
    let headers = status.metadata.unwrap().into_headers();
    let challenges: Vec<_> = headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["ApiKey header=\"x-a\"", "ApiKey header=\"x-b\""]);
}

#[test]
fn any_of_several_ways_suffices() {
    let access = access(vec![keys("a", "x-a", "one"), keys("b", "x-b", "two")], &[]);
    access.admit(&head(&[("x-b", "two.secret")])).unwrap();
    access.admit(&head(&[("x-a", "wrong.secret"), ("x-b", "two.secret")])).unwrap();
    assert_eq!(access.admit(&head(&[("x-a", "two.secret")])).unwrap_err().code, Code::Unauthenticated);
}

#[test]
fn what_is_required_is_all_required() {
    let caller = head(&[("x-a", "one.secret")]);
    access(vec![keys("a", "x-a", "one")], &["read"]).admit(&caller).unwrap();
    let status = access(vec![keys("a", "x-a", "one")], &["read", "write"]).admit(&caller).unwrap_err();
    assert_eq!((status.code, status.http_status()), (Code::PermissionDenied, 403));
    let challenge = status.metadata.unwrap().get("www-authenticate").cloned().unwrap();
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"read write\"");
    // A key has no claims, so none of them can hold.
    let mut access = access(vec![keys("a", "x-a", "one")], &[]);
    access.require.claims.0.insert("/role".to_owned(), json!("admin"));
    assert_eq!(access.admit(&caller).unwrap_err().code, Code::PermissionDenied);
}

#[test]
fn claims_are_equal_or_contained_and_nothing_else() {
    for (claim, holds) in [
        (json!("admin"), true),
        (json!(["user", "admin"]), true),
        (json!("administrator"), false),
        (json!("Admin"), false),
        (json!(["administrator"]), false),
        (json!({ "admin": true }), false),
        (json!(null), false),
    ] {
        assert_eq!(is_or_has(&claim, &json!("admin")), holds, "{claim}");
    }
    assert!(!is_or_has(&json!("1"), &json!(1)) && is_or_has(&json!(1), &json!(1)));
}

#[test]
fn forged_identities_go_in_every_spelling_and_on_every_route() {
    let forged = [("x-user-id", "root"), ("X-User_Id", "root"), ("x_user_id", "root"), ("x-other", "stays")];
    let forged: Vec<(&'static str, &'static str)> = forged
        .into_iter()
        .map(|(name, value)| (&*Box::leak(name.to_ascii_lowercase().into_boxed_str()), value))
        .chain([("x-a", "one.secret")])
        .collect();
    let head = head(&forged);
    let guarded = access(vec![keys("a", "x-a", "one")], &[]);
    let open = Access { authenticators: Vec::new(), ..access(vec![keys("a", "x-a", "one")], &[]) };
    for (access, expected) in [
        (guarded, vec![("x-other", "stays"), ("x-user-id", "one")]),
        (open, vec![("x-a", "one.secret"), ("x-other", "stays")]),
    ] {
        let mut metadata = metadata(&head);
        access.admit(&head).unwrap().apply(&mut metadata);
        let mut pairs: Vec<_> =
            metadata.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        pairs.sort_unstable();
        assert_eq!(pairs, expected);
    }
}

#[test]
fn what_connection_names_changes_no_decision() {
    let access = access(vec![keys("a", "x-a", "one")], &[]);
    let head = head(&[("connection", "x-user-id, x-a"), ("x-a", "one.secret")]);
    let mut metadata = Metadata::new();
    access.admit(&head).unwrap().apply(&mut metadata);
    assert_eq!(metadata.get("x-user-id"), Some(&HeaderValue::from_static("one")));
}

#[test]
fn a_credential_that_was_looked_at_goes_under_either_of_its_names() {
    let access = access(vec![keys("a", "authorization", "one")], &[]);
    let sent = [("authorization", "one.secret"), ("grpcgateway-authorization", "one.secret"), ("x-b", "1")];
    let head = head(&sent);
    let mut metadata = metadata(&head);
    access.admit(&head).unwrap().apply(&mut metadata);
    assert!(metadata.iter().all(|(name, _)| !name.as_str().ends_with("authorization")), "{metadata:?}");
    assert!(metadata.get("x-b").is_some());
}
