//! Edits in their order, and claims that are there or not.

use serde_json::json;

use super::*;

fn name(text: &'static str) -> HeaderName {
    HeaderName::from_static(text)
}

fn fixed(text: &'static str) -> Value {
    Value::Fixed(HeaderValue::from_static(text))
}

fn claim(pointer: &str) -> Value {
    Value::Claim(pointer.into())
}

fn identity() -> Identity {
    Identity {
        policy: "users".into(),
        subject: "ada".into(),
        scopes: Vec::new(),
        claims: json!({ "sub": "ada", "roles": ["a", "b"], "crlf": "x\r\ny" }),
        metadata: Vec::new(),
        strip: None,
        is_token: false,
        expires: None,
    }
}

fn metadata(pairs: &[(&'static str, &'static str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (name, value) in pairs {
        metadata.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    metadata
}

fn edited(
    request: Vec<Edit>,
    identity: Option<&Identity>,
    sent: &[(&'static str, &'static str)],
) -> Vec<String> {
    let mut metadata = metadata(sent);
    Headers { request, response: Vec::new() }.edit_metadata(Known { identity, address: None }, &mut metadata);
    let mut pairs: Vec<_> =
        metadata.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    pairs.sort();
    pairs
}

#[test]
fn edits_are_made_in_order() {
    let sent = [("x-a", "client"), ("x-b", "client")];
    let edit = || Edit::Set(name("x-a"), fixed("far"));
    assert_eq!(edited(vec![edit()], None, &sent), ["x-a: far", "x-b: client"]);
    assert_eq!(
        edited(vec![edit(), Edit::Set(name("x-a"), fixed("near"))], None, &sent),
        ["x-a: near", "x-b: client"]
    );
    assert_eq!(edited(vec![edit(), Edit::Remove(name("x-a"))], None, &sent), ["x-b: client"]);
    assert_eq!(edited(vec![Edit::Remove(name("x-a")), edit()], None, &sent), ["x-a: far", "x-b: client"]);
    let add = Edit::Add(name("x-a"), fixed("more"));
    assert_eq!(edited(vec![edit(), add.clone()], None, &sent), ["x-a: far", "x-a: more", "x-b: client"]);
    assert_eq!(edited(vec![add], None, &sent), ["x-a: client", "x-a: more", "x-b: client"]);
}

#[test]
fn what_goes_goes_under_every_spelling() {
    let sent = [("x-user-id", "1"), ("x_user_id", "2"), ("x-user_id", "3"), ("x-user-ids", "4")];
    assert_eq!(edited(vec![Edit::Remove(name("x-user-id"))], None, &sent), ["x-user-ids: 4"]);
    let edit = Edit::Set(name("x-user-id"), fixed("own"));
    assert_eq!(edited(vec![edit], None, &sent), ["x-user-id: own", "x-user-ids: 4"]);
}

#[test]
fn a_claim_that_is_not_there_leaves_no_forged_one() {
    let ada = identity();
    let sent = [("x-user", "root")];
    let edit = |pointer| vec![Edit::Set(name("x-user"), claim(pointer))];
    assert_eq!(edited(edit("/sub"), Some(&ada), &sent), ["x-user: ada"]);
    assert_eq!(edited(edit("/roles"), Some(&ada), &sent), ["x-user: a,b"]);
    for pointer in ["/absent", "/crlf"] {
        assert_eq!(edited(edit(pointer), Some(&ada), &sent), [""; 0], "{pointer}");
    }
    assert_eq!(edited(edit("/sub"), None, &sent), [""; 0], "nobody was asked");
}

#[test]
fn answers_are_edited_alike() {
    let headers = Headers {
        request: Vec::new(),
        response: vec![
            Edit::Set(name("x-who"), claim("/sub")),
            Edit::Remove(name("etag")),
            Edit::Add(name("link"), fixed("<b>")),
        ],
    };
    assert!(headers.tells_claims() && !Headers::default().tells_claims());
    for (identity, who) in [(Some(identity()), Some("ada")), (None, None)] {
        let mut map: HeaderMap = [("x-who", "upstream"), ("etag", "\"1\""), ("link", "<a>")]
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        headers.edit_answer(Known { identity: identity.as_ref(), address: None }, &mut map);
        assert_eq!(map.get("x-who").map(|value| value.to_str().unwrap()), who);
        assert!(!map.contains_key("etag"));
        assert_eq!(map.get_all("link").iter().collect::<Vec<_>>(), ["<a>", "<b>"]);
    }
}
