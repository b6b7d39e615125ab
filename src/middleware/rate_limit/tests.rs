//! Who is counted as one, and in what turn.

use std::net::SocketAddr;

use http::HeaderName;

use super::*;
use crate::middleware::access::Admitted;
use crate::middleware::routed::RoutePolicy;
use crate::protocol::adapter::Refusal;
use crate::protocol::{Client, Outcome};

fn limit(by: LimitKey) -> RateLimit {
    RateLimit::new(Limit::new(1, Duration::from_secs(3_600), 1), by, "defaults".into())
}

fn request(peer: Option<&str>, headers: &[(&'static str, &'static str)]) -> Routed<()> {
    let mut request = http::Request::new(());
    if let Some(peer) = peer {
        let peer: IpAddr = peer.parse().unwrap();
        request
            .extensions_mut()
            .insert(ClientInfo { peer: Some(SocketAddr::new(peer, 4711)), ..ClientInfo::default() });
    }
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    let (head, ()) = request.into_parts();
    let outcome = Arc::new(Outcome::new(Client::Rest));
    let refusal = Refusal::bare(&head, &outcome);
    Routed {
        head,
        policy: Arc::new(RoutePolicy::default()),
        refusal,
        admitted: Admitted::default(),
        rest: (),
    }
}

fn is_same(by: &LimitKey, one: &Routed<()>, other: &Routed<()>) -> bool {
    let limit = limit(by.clone());
    limit.counted(one) == limit.counted(other)
}

#[test]
fn addresses_are_sites() {
    for (one, other, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ("::ffff:192.0.2.1", "192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("::1", "::2", true),
    ] {
        let (one, other) = (request(Some(one), &[]), request(Some(other), &[]));
        assert_eq!(is_same(&LimitKey::Address, &one, &other), same);
        // Nobody was asked who they are.
        assert_eq!(is_same(&LimitKey::Identity, &one, &other), same);
    }
    assert!(is_same(&LimitKey::Address, &request(None, &[]), &request(None, &[])));
    assert!(!is_same(&LimitKey::Address, &request(None, &[]), &request(Some("0.0.0.0"), &[])));
}

#[test]
fn headers_are_counted_by_their_first_value_and_their_absence_is_one() {
    let by = LimitKey::Header(HeaderName::from_static("x-key"));
    let none = request(Some("192.0.2.1"), &[]);
    assert!(is_same(&by, &none, &request(Some("192.0.2.2"), &[])));
    assert!(!is_same(&by, &none, &request(None, &[("x-key", "")])));
    let twice = request(None, &[("x-key", "a"), ("x-key", "b")]);
    assert!(is_same(&by, &twice, &request(None, &[("x-key", "a")])));
    assert!(!is_same(&by, &twice, &request(None, &[("x-key", "b")])));
}

#[test]
fn what_is_refused_says_when_to_come_back() {
    let buckets = Buckets::default();
    let (limit, request) = (limit(LimitKey::Address), request(Some("192.0.2.1"), &[]));
    let told = limit.take(&buckets, &request).unwrap();
    assert_eq!(
        (told.policy, told.state),
        (
            HeaderValue::from_static("\"address\";q=1;w=3600"),
            HeaderValue::from_static("\"address\";r=0;t=3600"),
        )
    );
    let status = limit.take(&buckets, &request).unwrap_err();
    assert_eq!((status.code, status.http_status()), (Code::ResourceExhausted, 429));
    let header = |name| status.metadata.as_ref().unwrap().get(name).unwrap();
    assert_eq!(header("retry-after"), "3600");
    assert_eq!(header("ratelimit"), "\"address\";r=0;t=3600");
}

#[test]
fn addresses_have_their_turn_before_identities() {
    let turns = [LimitKey::Address, LimitKey::Identity, LimitKey::Route, LimitKey::Header(RETRY_AFTER)];
    let turns = turns.map(|by| limit(by).turn());
    assert_eq!(turns, [Turn::Strangers, Turn::Callers, Turn::Callers, Turn::Callers]);
}
