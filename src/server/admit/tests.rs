//! The table of what is refused, by its pure functions; `connection/tests.rs` has it over sockets.

use http_body_util::BodyExt as _;

use super::*;

fn check(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Result<(), Refusal> {
    let request = build(Request::builder().header(HOST, "a.example")).body(()).unwrap();
    super::check(&request, &Limits::default())
}

/// A request without the `Host` that [`check`] gives.
fn bare(version: Version, uri: &str, hosts: &[&[u8]]) -> Result<(), Refusal> {
    let mut request = Request::builder().version(version).uri(uri);
    for host in hosts {
        request = request.header(HOST, HeaderValue::from_bytes(host).unwrap());
    }
    super::check(&request.body(()).unwrap(), &Limits::default())
}

#[test]
fn one_host_everywhere() {
    use Refusal::{HostInvalid, HostMismatch, HostMissing, HostRepeated};
    const V10: Version = Version::HTTP_10;
    const V11: Version = Version::HTTP_11;
    const V2: Version = Version::HTTP_2;
    type Case = (Version, &'static str, &'static [&'static [u8]], Result<(), Refusal>);
    let cases: &[Case] = &[
        (V10, "/", &[], Ok(())),
        (V11, "/", &[], Err(HostMissing)),
        (V11, "http://a/", &[], Err(HostMissing)),
        (V2, "/", &[], Err(HostMissing)),
        (V2, "http://a/", &[], Ok(())),
        (V2, "/", &[b"a"], Ok(())),
        (V11, "/", &[b"a:8080"], Ok(())),
        (V11, "/", &[b"[::1]:8080"], Ok(())),
        (V11, "/", &[b"a", b"a"], Err(HostRepeated)),
        (V2, "http://a/", &[b"a", b"b"], Err(HostRepeated)),
        (V11, "/", &[b""], Err(HostInvalid)),
        (V11, "/", &[b":80"], Err(HostInvalid)),
        (V11, "/", &[b"a/b"], Err(HostInvalid)),
        (V11, "/", &[b"good@evil"], Err(HostInvalid)),
        (V11, "/", &[b"a b"], Err(HostInvalid)),
        (V11, "/", &[b"\xc3\xa4"], Err(HostInvalid)),
        (V2, "http://good@evil/", &[], Err(HostInvalid)),
        (V11, "http://a/", &[b"b"], Err(HostMismatch)),
        (V11, "http://a/", &[b"A"], Ok(())),
        (V11, "http://a:80/", &[b"a"], Ok(())),
        (V2, "https://a/", &[b"a:443"], Ok(())),
        (V2, "https://a/", &[b"a:80"], Err(HostMismatch)),
        (V2, "http://a:1/", &[b"a:2"], Err(HostMismatch)),
    ];
    for (version, uri, hosts, result) in cases {
        assert_eq!(bare(*version, uri, hosts), *result, "{version:?} {uri} {hosts:?}");
    }
}

#[test]
fn methods_and_targets() {
    let method = |method: &'static str| check(|request| request.method(method));
    assert_eq!(method("CONNECT"), Err(Refusal::MethodNotAllowed));
    assert_eq!(method("TRACE"), Err(Refusal::MethodNotAllowed));
    for allowed in ["GET", "PATCH", "OPTIONS", "get", "PURGE"] {
        assert_eq!(method(allowed), Ok(()), "{allowed} is for the routes to refuse");
    }
    assert_eq!(check(|request| request.uri("*")), Err(Refusal::TargetForm));
    assert_eq!(check(|request| request.method("OPTIONS").uri("*")), Err(Refusal::ServerOptions));
    assert_eq!(check(|request| request.uri("a.example:80")), Err(Refusal::TargetForm));
    assert_eq!(check(|request| request.uri("/\u{e4}")), Err(Refusal::TargetNotAscii));
    assert_eq!(check(|request| request.uri("/?\u{e4}")), Err(Refusal::TargetNotAscii));
    assert_eq!(check(|request| request.uri("/%C3%A4?%C3%A4")), Ok(()));
}

#[test]
fn sizes_to_the_byte() {
    let limits = Limits::default();
    let target = |length: usize| check(|request| request.uri(format!("/{}", "x".repeat(length - 1))));
    assert_eq!(target(limits.target), Ok(()));
    assert_eq!(target(limits.target + 1), Err(Refusal::TargetTooLong));
    // `host: a.example`, the target and `x: ` with their ends of line.
    let rest = 1 + "host: a.example".len() + 2 + "x: ".len() + 2;
    let head = |length: usize| check(|request| request.header("x", "y".repeat(length - rest)));
    assert_eq!(head(32 * 1024), Ok(()));
    assert_eq!(head(32 * 1024 + 1), Err(Refusal::HeadTooLarge));
    let lines = |count: usize| {
        check(|request| (1..count).fold(request, |request, index| request.header(format!("x{index}"), "y")))
    };
    assert_eq!(lines(100), Ok(()));
    assert_eq!(lines(101), Err(Refusal::HeadTooLarge));
}

#[test]
fn codings() {
    let transfer = |coding: &'static str| check(|request| request.header(TRANSFER_ENCODING, coding));
    assert_eq!(transfer("chunked"), Ok(()));
    assert_eq!(transfer("Chunked"), Ok(()));
    for coding in ["gzip, chunked", "chunked, chunked", "identity", "", "chunked;x=y"] {
        assert_eq!(transfer(coding), Err(Refusal::TransferEncoding), "{coding}");
    }
    let te = |version, te: &'static str| check(|request| request.version(version).header(TE, te));
    assert_eq!(te(Version::HTTP_2, "trailers"), Ok(()));
    assert_eq!(te(Version::HTTP_2, "gzip"), Err(Refusal::Te));
    assert_eq!(te(Version::HTTP_11, "gzip"), Ok(()), "allowed, and ignored");
}

#[tokio::test]
async fn a_refusal_has_the_shape_of_every_error() {
    let response = Refusal::HostMissing.response();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let expected = serde_json::json!({
        "code": 3,
        "message": "the request names no host",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "HOST_MISSING",
            "domain": "transom",
            "metadata": { "origin": "client" },
        }],
    });
    assert_eq!(error, expected);
}

#[test]
fn options_for_the_server_is_no_error() {
    let response = Refusal::ServerOptions.response();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(response.headers().contains_key(ALLOW));
    assert!(!response.headers().contains_key(CONNECTION));
}
