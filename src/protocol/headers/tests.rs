//! Names that pass and names that do not, both ways, by both profiles.

use super::*;
use crate::rpc::Code;
use crate::telemetry::guard::ClientInfo;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn head(pairs: &[(&'static str, &str)]) -> Parts {
    let mut request = http::Request::new(());
    *request.headers_mut() = headers(pairs);
    request.into_parts().0
}

fn listing(request: &[&'static str], response: &[&'static str]) -> MetadataPolicy {
    let names = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect();
    MetadataPolicy { request: names(request), response: names(response), ..MetadataPolicy::default() }
}

fn gateway() -> MetadataPolicy {
    MetadataPolicy { grpc_gateway: true, ..MetadataPolicy::default() }
}

/// `name=value` of all metadata, sorted.
fn pairs(metadata: &Metadata) -> Vec<String> {
    let show = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}={}", value.to_str().unwrap());
    let mut pairs: Vec<_> = metadata.iter().map(show).collect();
    pairs.sort();
    pairs
}

fn both(sent: &[(&'static str, &str)], policy: &MetadataPolicy) -> [Result<Vec<String>, Status>; 2] {
    [from_rest(&head(sent), policy), from_grpc(&head(sent), policy)]
        .map(|metadata| metadata.map(|metadata| pairs(&metadata)))
}

#[test]
fn only_listed_headers_become_metadata() {
    let sent = [("authorization", "x"), ("x-user", "root"), ("x-tenant", "a"), ("cookie", "a=b")];
    let passed = |policy: &MetadataPolicy| pairs(&from_rest(&head(&sent), policy).unwrap());
    assert_eq!(passed(&MetadataPolicy::default()), ["authorization=x"]);
    assert_eq!(passed(&listing(&["x-tenant"], &[])), ["authorization=x", "x-tenant=a"]);
}

#[test]
fn grpc_metadata_pass_but_for_the_transports() {
    let sent = [
        ("x-user", "a"),
        ("key-bin", "AAE"),
        ("te", "trailers"),
        ("grpc-timeout", "1S"),
        ("grpc-previous-rpc-attempts", "3"),
        ("content-type", "application/grpc"),
        ("proxy-authorization", "Basic x"),
    ];
    let metadata = from_grpc(&head(&sent), &MetadataPolicy::default()).unwrap();
    assert_eq!(pairs(&metadata), ["key-bin=AAE", "x-user=a"]);
}

/// Metadata of a request from `192.0.2.7`, which is a trusted proxy or not.
fn from_peer(is_proxy: bool, sent: &[(&'static str, &str)], policy: &MetadataPolicy) -> [Vec<String>; 2] {
    let mut head = head(sent);
    let peer = Some("192.0.2.7:1".parse().unwrap());
    head.extensions.insert(ClientInfo { peer, is_proxy, ..ClientInfo::default() });
    [from_rest(&head, policy), from_grpc(&head, policy)].map(|metadata| pairs(&metadata.unwrap()))
}

#[test]
fn what_proxies_say_passes_from_proxies_only() {
    let sent = [
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("x-original-uri", "/"),
        ("x-envoy-external-address", "10.0.0.1"),
        ("x-forward", "own"),
        ("x-originals", "own"),
    ];
    let none = MetadataPolicy::default();
    assert_eq!(from_peer(false, &sent, &none), [vec![], vec!["x-forward=own", "x-originals=own"]]);
    let [rest, grpc] = from_peer(true, &sent, &none);
    assert_eq!((rest.len(), grpc.len()), (0, sent.len() + 1));
    let hops = ["x-forwarded-for=10.0.0.1", "x-forwarded-for=192.0.2.7"];
    assert!(hops.iter().all(|hop| grpc.iter().any(|pair| pair == hop)), "{grpc:?}");
    // What is listed passes, and says who said it.
    let listed = listing(&["x-forwarded-for"], &[]);
    assert_eq!(from_peer(false, &sent[..2], &listed), [hops, hops]);
    assert_eq!(from_peer(false, &[], &listed), [const { Vec::<String>::new() }; 2]);
}

#[test]
fn what_connection_names_ends_here() {
    let sent = [
        ("connection", "close, Authorization, X-Tenant, Grpc-Metadata-A, Cookie"),
        ("authorization", "x"),
        ("x-tenant", "x"),
        ("user-agent", "y"),
        ("cookie", "x"),
    ];
    for passed in both(&sent, &listing(&["x-tenant", "cookie"], &[])) {
        assert_eq!(passed.unwrap(), ["user-agent=y"]);
    }
    let sent = [sent.as_slice(), &[("grpc-metadata-a", "x")]].concat();
    let passed = from_rest(&head(&sent), &gateway()).unwrap();
    assert_eq!(pairs(&passed), ["grpcgateway-user-agent=y", "user-agent=y"]);
}

#[test]
fn binary_values_may_be_padded_or_not_and_must_be_base64() {
    let policy = listing(&["key-bin"], &[]);
    for (value, expected) in [
        ("AAE", vec!["key-bin=AAE"]),
        ("AAE=", vec!["key-bin=AAE"]),
        ("AA==", vec!["key-bin=AA"]),
        ("AAE=, AAI,AAEC", vec!["key-bin=AAE", "key-bin=AAEC", "key-bin=AAI"]),
        ("", vec!["key-bin="]),
    ] {
        for passed in both(&[("key-bin", value)], &policy) {
            assert_eq!(passed.unwrap(), expected, "{value}");
        }
    }
    for wrong in ["A", "A===", "!!", "AAE=AAE", "AA E"] {
        for refused in both(&[("key-bin", wrong)], &policy) {
            let status = refused.unwrap_err();
            assert_eq!((status.code, status.http_status()), (Code::InvalidArgument, 400), "{wrong}");
        }
    }
}

#[test]
fn number_and_size_are_bounded() {
    let policy = listing(&["x-a"], &[]);
    for (count, length, fits) in [
        (100, 1, true),
        (101, 1, false),
        (1, 16 * 1024 - 3, true),
        (1, 16 * 1024 - 2, false),
        (2, 8192, false),
    ] {
        let value = "v".repeat(length);
        let sent = vec![("x-a", value.as_str()); count];
        for passed in both(&sent, &policy) {
            match passed {
                Ok(passed) => assert!(fits && passed.len() == count, "{count} × {length}"),
                Err(status) => {
                    assert!(!fits, "{count} × {length}");
                    assert_eq!((status.code, status.http_status()), (Code::ResourceExhausted, 431));
                }
            }
        }
    }
}

#[test]
fn what_is_set_replaces_every_spelling_of_it() {
    let policy = MetadataPolicy {
        set: [(HeaderName::from_static("x-my-key"), HeaderValue::from_static("ours"))].into(),
        ..MetadataPolicy::default()
    };
    let sent = [("x-my-key", "a"), ("x_my-key", "b"), ("x-my_key", "c"), ("x-my-keys", "d")];
    let mut metadata = from_grpc(&head(&sent), &policy).unwrap();
    set_fixed(&mut metadata, &policy);
    assert_eq!(pairs(&metadata), ["x-my-key=ours", "x-my-keys=d"]);
}

#[test]
fn grpc_gateways_names_are_understood_and_cannot_be_forged() {
    let mut sent = head(&[
        ("grpc-metadata-x-user", "a"),
        ("grpc-metadata-key-bin", "AAE="),
        ("grpc-metadata-te", "x"),
        ("grpc-metadata-grpc-timeout", "1n"),
        ("grpc-metadata-content-type", "x"),
        ("grpc-metadata-connection", "x"),
        ("grpc-metadata-", "x"),
        ("grpc-metadata-grpcgateway-authorization", "forged"),
        ("grpcgateway-authorization", "forged"),
        ("grpc-metadata-authorization", "forged"),
        ("authorization", "b"),
        ("x-key", "own"),
        ("grpc-metadata-x-key", "forged"),
        ("if-match", "c"),
        ("host", "shop.example"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-unlisted", "d"),
    ]);
    let peer = "192.0.2.7:1".parse().unwrap();
    sent.extensions.insert(ClientInfo { peer: Some(peer), ..ClientInfo::default() });
    let expected = [
        "authorization=b",
        "grpcgateway-authorization=b",
        "grpcgateway-host=shop.example",
        "grpcgateway-if-match=c",
        "key-bin=AAE",
        "x-forwarded-for=10.0.0.1, 192.0.2.7",
        "x-forwarded-host=shop.example",
        "x-user=a",
    ];
    assert_eq!(pairs(&from_rest(&sent, &gateway()).unwrap()), expected);
    let passed = from_grpc(&head(&[("grpcgateway-cookie", "forged"), ("x-a", "1")]), &gateway());
    assert_eq!(pairs(&passed.unwrap()), ["x-a=1"]);
    let wrong = from_rest(&head(&[("grpc-metadata-key-bin", "!")]), &gateway());
    assert_eq!(wrong.unwrap_err().http_status(), 400);
}

#[test]
fn only_listed_metadata_become_headers() {
    let metadata = Metadata::from_upstream(headers(&[
        ("x-internal", "1"),
        ("etag", "\"a\""),
        ("set-cookie", "a"),
        ("x-next", "2"),
        ("x-next", "3"),
        ("key-bin", "AAE"),
        ("bad-bin", "!"),
    ]));
    let shown = |policy: &MetadataPolicy| {
        let mut response = HeaderMap::new();
        to_rest(&metadata, policy, &mut response);
        pairs(&Metadata::from(response))
    };
    assert_eq!(shown(&MetadataPolicy::default()), ["etag=\"a\""]);
    let listed = listing(&[], &["x-next", "key-bin", "bad-bin"]);
    assert_eq!(shown(&listed), ["etag=\"a\"", "key-bin=AAE=", "x-next=2", "x-next=3"]);
    let all = shown(&gateway());
    assert!(all.contains(&"grpc-metadata-x-internal=1".to_owned()), "{all:?}");
    assert!(all.contains(&"grpc-metadata-key-bin=AAE=".to_owned()), "{all:?}");
    assert!(!all.iter().any(|pair| pair.starts_with("set-cookie") || pair.contains("bad-bin")), "{all:?}");
}
