//! Decisions on whole heads, with API keys as credentials, and what becomes of metadata.

use futures_util::FutureExt as _;
use serde_json::json;

use super::super::identity::Listed;
use super::*;
use crate::config::auth::{ApiKey, Reference};
use crate::config::policy::Claims;
use crate::config::problem::{Located, Location};

/// The SHA-256 of "secret".
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

fn keys(name: &str, header: &'static str, id: &str) -> Arc<Authenticator> {
    let text = format!(
        "[keys.{id}]\nsha256 = \"{SECRET}\"\nscopes = [\"read\"]\nmetadata = {{ \"x-user-id\" = \"{id}\" }}\n"
    );
    let spec = ApiKey {
        keys: Located { value: Reference::Env(String::new()), at: Location::default() },
        header: HeaderName::from_static(header),
        query: None,
    };
    let keys = ApiKeys::new(&name.into(), &spec, false, &text).unwrap();
    Arc::new(Authenticator::ApiKeys(keys))
}

fn identity(subject: &str) -> Arc<Identity> {
    Listed::default().identity(&"a".into(), subject, None).unwrap()
}

fn access(authenticators: Vec<Arc<Authenticator>>, scopes: &[&str]) -> Access {
    let reserved = Reserved::of(authenticators.iter().map(Arc::as_ref), std::iter::empty());
    let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    let require = Require { scopes, claims: Claims::default(), unexpired: true };
    Access { authenticators, require, reserved }
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

/// Decides at once: nothing here has to be fetched or hashed.
fn admit(access: &Access, head: &Parts) -> Result<Admitted, Status> {
    access.admit(head).now_or_never().expect("it does not wait")
}

#[test]
fn without_credentials_every_way_is_offered() {
    let access = access(vec![keys("a", "x-a", "one"), keys("b", "x-b", "two")], &[]);
    let status = admit(&access, &head(&[])).unwrap_err();
    assert_eq!((status.code, status.http_status()), (Code::Unauthenticated, 401));
    let headers = status.metadata.unwrap().into_headers();
    let challenges: Vec<_> = headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["ApiKey realm=\"a\", header=\"x-a\"", "ApiKey realm=\"b\", header=\"x-b\""]);
}

#[test]
fn any_of_several_ways_suffices() {
    let access = access(vec![keys("a", "x-a", "one"), keys("b", "x-b", "two")], &[]);
    admit(&access, &head(&[("x-b", "two.secret")])).unwrap();
    admit(&access, &head(&[("x-a", "wrong.secret"), ("x-b", "two.secret")])).unwrap();
    assert_eq!(admit(&access, &head(&[("x-a", "two.secret")])).unwrap_err().code, Code::Unauthenticated);
}

#[test]
fn what_is_required_is_all_required() {
    let caller = head(&[("x-a", "one.secret")]);
    admit(&access(vec![keys("a", "x-a", "one")], &["read"]), &caller).unwrap();
    let status = admit(&access(vec![keys("a", "x-a", "one")], &["read", "write"]), &caller).unwrap_err();
    assert_eq!((status.code, status.http_status()), (Code::PermissionDenied, 403));
    assert!(status.metadata.is_none(), "a key could not have more");
    let token = Identity { is_token: true, scopes: Vec::new(), ..Identity::clone(&identity("one")) };
    for (scopes, challenge) in [
        (&["read", "write"][..], "Bearer realm=\"a\", error=\"insufficient_scope\", scope=\"read write\""),
        (&[], "Bearer realm=\"a\", error=\"insufficient_scope\""),
    ] {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let status = forbidden(&token, &scopes);
        assert_eq!(status.metadata.unwrap().get("www-authenticate").unwrap(), challenge);
    }
    // A key has no claims, so none of them can hold.
    let mut access = access(vec![keys("a", "x-a", "one")], &[]);
    access.require.claims.0.insert("/role".to_owned(), json!("admin"));
    assert_eq!(admit(&access, &caller).unwrap_err().code, Code::PermissionDenied);
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
        admit(&access, &head).unwrap().apply(&mut metadata);
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
    admit(&access, &head).unwrap().apply(&mut metadata);
    assert_eq!(metadata.get("x-user-id"), Some(&HeaderValue::from_static("one")));
}

#[test]
fn a_credential_that_was_looked_at_goes_under_either_of_its_names() {
    let access = access(vec![keys("a", "authorization", "one")], &[]);
    let sent = [("authorization", "one.secret"), ("grpcgateway-authorization", "one.secret"), ("x-b", "1")];
    let head = head(&sent);
    let mut metadata = metadata(&head);
    admit(&access, &head).unwrap().apply(&mut metadata);
    assert!(metadata.iter().all(|(name, _)| !name.as_str().ends_with("authorization")), "{metadata:?}");
    assert!(metadata.get("x-b").is_some());
}
