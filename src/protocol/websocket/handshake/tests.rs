//! Keys, origins and tokens of handshakes.

use super::*;

fn head(headers: &[(&str, &str)]) -> Head {
    let request =
        headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

#[test]
fn the_key_is_answered_as_the_standard_says() {
    // RFC 6455 §1.3.
    let accepted = accept(&head(&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]).headers).unwrap();
    assert_eq!(accepted, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    for key in ["", "dGhlIHNhbXBsZSBub25jZQ", "AAAA", "!!!!!!!!!!!!!!!!!!!!!!=="] {
        let refused = accept(&head(&[("sec-websocket-key", key)]).headers).unwrap_err();
        assert_eq!(refused.http_status(), 400, "{key}");
    }
}

#[test]
fn other_versions_are_told_which_there_is() {
    for headers in [&[][..], &[("sec-websocket-version", "8")], &[("sec-websocket-version", "13"); 2]] {
        assert_eq!(answer(&head(headers)).unwrap_err().http_status(), 426, "{headers:?}");
    }
}

#[test]
fn an_origin_is_own_by_host_and_port() {
    let own = |origin: &str, host: &str| is_own(origin, &head(&[("host", host)]));
    assert!(own("http://a.example", "A.example"));
    assert!(own("https://a.example", "a.example:443"));
    assert!(own("http://a.example:8080", "a.example:8080"));
    for (origin, host) in [
        ("http://a.example", "a.example:8080"),
        ("https://a.example.evil", "a.example"),
        ("https://evil-a.example", "a.example"),
        ("null", "a.example"),
        ("file://", ""),
        ("http://", ""),
    ] {
        assert!(!own(origin, host), "{origin} {host}");
    }
}

#[test]
fn a_token_leaves_the_list_of_subprotocols() {
    let cases = [
        ("Bearer, abc", Some("Bearer abc"), "Bearer"),
        ("transom.json, bearer, a.b-c", Some("Bearer a.b-c"), "transom.json, bearer"),
        ("transom.proto", None, "transom.proto"),
        ("Bearer", None, "Bearer"),
    ];
    for (sent, token, left) in cases {
        let mut headers = head(&[("sec-websocket-protocol", sent)]).headers;
        take_token(&mut headers);
        assert_eq!(headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap()), token, "{sent}");
        assert_eq!(headers.get(SEC_WEBSOCKET_PROTOCOL).unwrap(), left, "{sent}");
    }
    let mut headers = head(&[("authorization", "Bearer x"), ("sec-websocket-protocol", "Bearer, y")]).headers;
    take_token(&mut headers);
    assert_eq!(headers.get(AUTHORIZATION).unwrap(), "Bearer x");
}

#[test]
fn the_query_may_name_the_method() {
    assert_eq!(method_override("a=b&method=post"), Some("POST"));
    assert_eq!(method_override("method=other"), None);
    assert_eq!(method_override("a=method=GET"), None);
}

#[test]
fn a_cookie_counts_once_and_by_its_whole_name() {
    for (cookies, token) in [
        (&["session=a.b.c"][..], Some("a.b.c")),
        (&["x=1; session=t=; y=2"], Some("t=")),
        (&["x=1", "session=t"], Some("t")),
        (&["session=t; session=t"], None),
        (&["session=t", "session=u"], None),
        (&["session="], None),
        (&["xsession=t", "session.x=t", "Session=t", "session"], None),
    ] {
        let headers: Vec<_> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
        assert_eq!(only_cookie(&head(&headers).headers, "session"), token, "{cookies:?}");
    }
}

#[test]
fn a_handshake_has_no_content() {
    let good = [("sec-websocket-version", "13"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
    for (more, refused) in [
        (("content-length", "0"), None),
        (("content-length", "5"), Some(400)),
        (("transfer-encoding", "chunked"), Some(400)),
    ] {
        let answer = answer(&head(&[good[0], good[1], more]));
        assert_eq!(answer.err().map(|status| status.http_status()), refused, "{more:?}");
    }
}

#[test]
fn http_1_0_has_no_upgrade() {
    for (version, expected) in [(Version::HTTP_11, true), (Version::HTTP_10, false)] {
        let request = Request::builder().header("upgrade", "websocket").header("connection", "upgrade");
        assert_eq!(is_handshake(&request.version(version).body(()).unwrap()), expected, "{version:?}");
    }
}
