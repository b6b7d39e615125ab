//! Who is believed, and what clients write to be taken for somebody else.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::header::FORWARDED;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use tower::ServiceExt as _;

use super::*;
use crate::config::{Kind, Source, load};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `server` as it is written.
fn proxies(server: &str) -> Proxies {
    let text = format!(
        "[server]\n{server}\n[[schema]]\nreflection = \"a\"\n[upstreams.a]\nendpoints = [\"http://127.0.0.1:1\"]\n"
    );
    let kind = Kind::Text { name: "text".into(), text, base: "/".into(), descriptors: None };
    load(&Source { kind, env: Vec::new() }).unwrap().config.server.proxies
}

fn trusting(header: &str) -> Proxies {
    proxies(&format!(
        "trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::/32\", \"unix\"]\nproxy_header = \"{header}\""
    ))
}

/// The client of a request from `peer` with these lines of a header.
fn client(trusted: &Proxies, peer: Option<&str>, header: &HeaderName, lines: &[&str]) -> Option<IpAddr> {
    let mut request = Request::new(());
    let peer: Option<IpAddr> = peer.map(|peer| peer.parse().unwrap());
    let peer = peer.map(|peer| SocketAddr::new(peer, 4711));
    request.extensions_mut().insert(ClientInfo { peer, ..ClientInfo::default() });
    for line in lines {
        request.headers_mut().append(header, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    let layer = ForwardedLayer::new(Arc::new(ArcSwap::from_pointee(trusted.clone())));
    let seen = tower::service_fn(async |request: Request<()>| {
        Ok::<_, Infallible>(request.extensions().get::<ClientInfo>().unwrap().address())
    });
    let answered = layer.layer(seen).oneshot(request);
    futures_util::FutureExt::now_or_never(answered).unwrap().unwrap()
}

fn is(trusted: &Proxies, header: &HeaderName, lines: &[&str], expected: &str) {
    let found = client(trusted, Some("10.0.0.1"), header, lines);
    assert_eq!(found, Some(expected.parse().unwrap()), "{lines:?}");
}

#[test]
fn hops_are_believed_from_the_last_to_the_first_stranger() {
    let trusted = trusting("x-forwarded-for");
    for (lines, expected) in [
        (&["192.0.2.1"][..], "192.0.2.1"),
        (&["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (&["6.6.6.6, 10.9.9.9, 192.0.2.1 ,10.0.0.2,\t10.0.0.3"], "192.0.2.1"),
        (&["6.6.6.6", "192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&["192.0.2.1:1234"], "192.0.2.1"),
        (&["2001:db9::1"], "2001:db9::1"),
        (&["[2001:db9::1]"], "2001:db9::1"),
        (&["2001:db9::1, [2001:db8::1]:443"], "2001:db9::1"),
        (&["::ffff:192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
        // What cannot be read ends what is known, and nothing before it counts.
        (&["6.6.6.6, unknown"], "10.0.0.1"),
        (&["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        (&["6.6.6.6, 192.0.2.1x"], "10.0.0.1"),
        (&["6.6.6.6, 192.0.2"], "10.0.0.1"),
        (&["6.6.6.6", "\u{e4}"], "10.0.0.1"),
        (&["6.6.6.6, fe80::1%eth0"], "10.0.0.1"),
        (&["6.6.6.6,,192.0.2.1,, ,"], "192.0.2.1"),
        (&["", ","], "10.0.0.1"),
        (&[], "10.0.0.1"),
    ] {
        is(&trusted, &X_FORWARDED_FOR, lines, expected);
    }
}

#[test]
fn elements_are_read_as_the_rfc_writes_them() {
    let trusted = trusting("forwarded");
    for (lines, expected) in [
        (&["for=192.0.2.1"][..], "192.0.2.1"),
        (&["For=\"[2001:db9:cafe::17]:4711\""], "2001:db9:cafe::17"),
        (&["for=192.0.2.1;proto=http;by=203.0.113.43"], "192.0.2.1"),
        (&["for=6.6.6.6, for=192.0.2.1; proto=https, FOR=10.0.0.2"], "192.0.2.1"),
        (&["for=6.6.6.6", "for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1"),
        (&["proto=http;for=\"192.0.2.1:80\""], "192.0.2.1"),
        (&["for=192.0.2.1;"], "192.0.2.1"),
        (&["for=\"192.\\0.2.1\""], "192.0.2.1"),
        (&["for=6.6.6.6;proto=\"a,for=b\\\"\", for=192.0.2.1"], "192.0.2.1"),
        (&["for=6.6.6.6, for=unknown"], "10.0.0.1"),
        (&["for=6.6.6.6, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        (&["for=6.6.6.6, proto=https"], "10.0.0.1"),
        (&["for=6.6.6.6, , "], "6.6.6.6"),
        // A quote that is left open, so that what the proxy adds stands within it.
        (&["for=6.6.6.6, for=\"x, for=192.0.2.1"], "10.0.0.1"),
        (&["for=6.6.6.6, for=\"x, for=\"[2001:db9::1]\""], "10.0.0.1"),
        (&["for=6.6.6.6, for=\"x\\, for=\"[2001:db9::1]\""], "10.0.0.1"),
        (&["for=\"x", "for=192.0.2.1"], "192.0.2.1"),
        (&["for=6.6.6.6;for=7.7.7.7"], "10.0.0.1"),
        (&["for=6.6.6.6 for=7.7.7.7"], "10.0.0.1"),
        (&["for =6.6.6.6"], "10.0.0.1"),
        (&["for="], "10.0.0.1"),
        (&["6.6.6.6"], "10.0.0.1"),
    ] {
        is(&trusted, &FORWARDED, lines, expected);
    }
}

#[test]
fn only_who_is_trusted_is_believed_and_only_by_one_header() {
    let believed = |trusted: &Proxies, peer, header: &HeaderName, line: &str| {
        client(trusted, peer, header, &[line]).map(|address| address.to_string())
    };
    let (nobody, trusted) = (Proxies::default(), trusting("x-forwarded-for"));
    for peer in ["192.0.2.9", "127.0.0.1", "11.0.0.1", "2001:db9::1"] {
        for trusted in [&nobody, &trusted] {
            assert_eq!(believed(trusted, Some(peer), &X_FORWARDED_FOR, "6.6.6.6").as_deref(), Some(peer));
        }
    }
    for peer in ["10.255.0.1", "::ffff:10.0.0.1", "2001:db8::9"] {
        let told = believed(&trusted, Some(peer), &X_FORWARDED_FOR, "6.6.6.6");
        assert_eq!(told.as_deref(), Some("6.6.6.6"), "{peer}");
    }
    assert_eq!(believed(&trusted, Some("10.0.0.1"), &FORWARDED, "for=6.6.6.6").as_deref(), Some("10.0.0.1"));
    let other = trusting("forwarded");
    assert_eq!(believed(&other, Some("10.0.0.1"), &X_FORWARDED_FOR, "6.6.6.6").as_deref(), Some("10.0.0.1"));
    // By a Unix socket there is no address to trust.
    assert_eq!(believed(&trusted, None, &X_FORWARDED_FOR, "6.6.6.6").as_deref(), Some("6.6.6.6"));
    let remote = proxies("trusted_proxies = [\"10.0.0.0/8\"]");
    assert_eq!(believed(&remote, None, &X_FORWARDED_FOR, "6.6.6.6"), None);
}

proptest! {
    /// Whatever a client writes before it, the proxy's own word counts.
    #[test]
    fn what_clients_write_changes_nothing(before in "[ -~]{0,40}") {
        let list = format!("{before}, 192.0.2.1");
        let found = client(&trusting("x-forwarded-for"), Some("10.0.0.1"), &X_FORWARDED_FOR, &[&list]);
        prop_assert_eq!(found, Some("192.0.2.1".parse().unwrap()));
        for own in ["for=192.0.2.1", "for=\"[2001:db9::1]:80\";proto=https"] {
            let element = format!("{before}, {own}");
            let found = client(&trusting("forwarded"), Some("10.0.0.1"), &FORWARDED, &[&element]);
            let own = if own.contains("2001") { "2001:db9::1" } else { "192.0.2.1" };
            let (own, proxy): (IpAddr, IpAddr) = (own.parse().unwrap(), "10.0.0.1".parse().unwrap());
            prop_assert!(found == Some(own) || found == Some(proxy), "{:?}", found);
        }
    }
}
