//! What is done to get past authentication, over every protocol on the port. Each attempt is one that has
//! worked against some gateway.

use http::Version;
use ring::hmac;
use serde_json::{Value as Json, json};
use transom::rpc::Code;

use crate::support::client::raw;
use crate::support::gateway::Gateway;
use crate::support::issuer::{self, Issuer};
use crate::support::script::{Script, Step};
use crate::support::shop::{self, config, item, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;
use crate::support::websocket::connect;

const WATCH: &str = "/v1/items/1/changes";

async fn guarded() -> (Issuer, Upstream, Gateway) {
    let issuer = Issuer::start().await;
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let site = Site::new(&config(&upstream, &issuer.config(""))).file("shop.proto", shop::PROTO);
    (issuer, upstream, site.serve().await)
}

/// What each protocol answers to these headers: REST, server-sent events and WebSocket with an HTTP status, gRPC
/// with a code.
async fn answers(gateway: &Gateway, headers: &[(&str, &str)]) -> ([u16; 4], Option<Code>) {
    let with = |request| {
        headers.iter().fold(request, |request, (name, value)| {
            crate::support::client::Request::header(request, name, value)
        })
    };
    let rest = with(gateway.get("/v1/items/1")).fetch().await.status;
    let auto = with(gateway.post(shop::GET, "{}")).fetch().await.status;
    let events = with(gateway.get(WATCH).accept("text/event-stream")).fetch().await.status;
    let socket = match connect(gateway.public, Version::HTTP_11, WATCH, headers).await {
        Ok(mut socket) => {
            socket.rest().await;
            101
        }
        Err(status) => status.as_u16(),
    };
    // HTTP/2 knows no `Connection` (RFC 9113 §8.2.2).
    let grpc = with(gateway.grpc(shop::GET, &[wire(&item("a"))])).fetch().await.grpc();
    ([rest, auto, events, socket], grpc.err().map(|status| status.code))
}

/// Refuses a token everywhere.
async fn refused(gateway: &Gateway, what: &str, token: &str) {
    let answers = answers(gateway, &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(answers, ([401; 4], Some(Code::Unauthenticated)), "{what}");
}

fn hs256(secret: &[u8], claims: &Json) -> String {
    use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
    let signed = issuer::unsigned(&json!({ "alg": "HS256", "kid": "key-0", "typ": "JWT" }), claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", BASE64URL.encode_to_string(signature.as_ref()))
}

#[tokio::test]
async fn a_good_token_is_let_in_everywhere() {
    let (issuer, _upstream, gateway) = guarded().await;
    let token = format!("Bearer {}", issuer.token());
    assert_eq!(answers(&gateway, &[("authorization", &token)]).await, ([200, 200, 200, 101], None));
}

#[tokio::test]
async fn the_algorithm_is_not_the_tokens_to_choose() {
    let (issuer, upstream, gateway) = guarded().await;
    let claims = issuer::claims(&json!({}));
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": algorithm, "kid": "key-0" });
        refused(&gateway, algorithm, &format!("{}.", issuer::unsigned(&header, &claims))).await;
        refused(&gateway, algorithm, &issuer.signed(&header, &claims)).await;
    }
    let jwk = &issuer.published()[0];
    // The public key as everybody can read it, in each form that somebody has taken for a secret.
    let point = [jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap()].concat();
    for secret in [jwk.to_string(), json!({ "keys": [jwk] }).to_string(), point, String::new()] {
        refused(&gateway, "HS256 with the public key", &hs256(secret.as_bytes(), &claims)).await;
    }
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn the_key_is_not_the_tokens_to_choose() {
    let (issuer, upstream, gateway) = guarded().await;
    let (forger, claims) = (Issuer::start().await, issuer::claims(&json!({})));
    let elsewhere = format!("http://{}/keys", forger.address);
    for header in [
        json!({ "alg": "ES256", "kid": "key-0" }),
        json!({ "alg": "ES256", "kid": "key-0", "jwk": forger.published()[0] }),
        json!({ "alg": "ES256", "kid": "key-0", "jku": elsewhere }),
        json!({ "alg": "ES256", "kid": "key-0", "x5u": elsewhere }),
        json!({ "alg": "ES256", "kid": "../../../../dev/null" }),
        json!({ "alg": "ES256", "kid": "' UNION SELECT 'key" }),
        json!({ "alg": "ES256" }),
    ] {
        refused(&gateway, &header.to_string(), &forger.signed(&header, &claims)).await;
    }
    assert_eq!(forger.fetches(), 0, "nobody is sent elsewhere");
    let critical = json!({ "alg": "ES256", "kid": "key-0", "crit": ["b64"], "b64": false });
    refused(&gateway, "crit", &issuer.signed(&critical, &claims)).await;
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn claims_that_are_missing_or_of_others_let_nobody_in() {
    let (issuer, upstream, gateway) = guarded().await;
    let now = issuer::now();
    for changes in [
        json!({ "aud": null }),
        json!({ "aud": [] }),
        json!({ "aud": "other" }),
        json!({ "aud": { "shop": true } }),
        json!({ "iss": null }),
        json!({ "iss": format!("{}/", issuer::NAME) }),
        json!({ "exp": null }),
        json!({ "exp": now - 31 }),
        json!({ "exp": "9999999999" }),
        json!({ "exp": 1e300 }),
        json!({ "exp": u64::MAX }),
        json!({ "nbf": now + 60 }),
        json!({ "nbf": "soon" }),
    ] {
        refused(&gateway, &changes.to_string(), &issuer.token_with(&changes)).await;
    }
    assert!(upstream.calls().is_empty());
    // A clock that is a little behind the issuer's refuses nobody (within the leeway of 30 s).
    let skewed = issuer.token_with(&json!({ "iat": now + 20, "nbf": now + 20, "exp": now + 3600 }));
    let token = format!("Bearer {skewed}");
    assert_eq!(answers(&gateway, &[("authorization", &token)]).await, ([200, 200, 200, 101], None));
    refused(&gateway, "90 s ahead", &issuer.token_with(&json!({ "iat": now + 90 }))).await;
}

#[tokio::test]
async fn two_authorizations_are_refused_whatever_they_say() {
    let (issuer, upstream, gateway) = guarded().await;
    let good = format!("Bearer {}", issuer.token());
    for second in [good.as_str(), "Bearer forged", "Basic YTpi", ""] {
        for pair in [[good.as_str(), second], [second, good.as_str()]] {
            let headers = pair.map(|value| ("authorization", value));
            assert_eq!(
                answers(&gateway, &headers).await,
                ([400; 4], Some(Code::Unauthenticated)),
                "{pair:?}"
            );
        }
    }
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn a_token_elsewhere_is_no_token() {
    let (issuer, upstream, gateway) = guarded().await;
    let token = issuer.token();
    for target in
        [format!("/v1/items/1?access_token={token}"), format!("/v1/items/1?authorization=Bearer+{token}")]
    {
        assert_eq!(gateway.get(&target).fetch().await.status, 401, "{target}");
    }
    for (name, value) in [
        ("proxy-authorization", format!("Bearer {token}")),
        ("x-authorization", format!("Bearer {token}")),
        ("cookie", format!("authorization=Bearer {token}")),
        ("authorization", token.clone()),
        ("authorization", format!("Token {token}")),
        ("authorization", format!("Bearer{token}")),
    ] {
        let (statuses, code) = answers(&gateway, &[(name, &value)]).await;
        assert!(statuses.iter().all(|status| [401, 403].contains(status)), "{name}: {statuses:?}");
        assert_eq!(code, Some(Code::Unauthenticated), "{name}");
    }
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn forged_identities_reach_nobody_in_any_spelling() {
    let (issuer, upstream, gateway) = guarded().await;
    let token = format!("Bearer {}", issuer.token());
    let forged =
        [("x-user", "root"), ("x_user", "root"), ("x-user", "root2"), ("authorization", token.as_str())];
    assert_eq!(answers(&gateway, &forged).await, ([200, 200, 200, 101], None));
    for number in 0..5 {
        let seen = upstream.call(number).await;
        let users: Vec<_> =
            seen.headers.get_all("x-user").iter().map(|user| user.to_str().unwrap()).collect();
        assert_eq!((users, seen.header("x_user")), (vec!["ada"], ""), "{number}");
        assert_eq!(seen.header("authorization"), "", "the token ends here");
    }
    // HTTP/1.1 has cases.
    for name in ["X-User", "X-USER", "x-UsEr", "X_User", "X_USER"] {
        let head = format!(
            "GET /v1/items/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n{name}: root\r\nConnection: close\r\n\r\n"
        );
        assert!(raw(gateway.public, head.as_bytes()).await.starts_with("HTTP/1.1 200"), "{name}");
    }
    for seen in upstream.calls().iter().skip(5) {
        assert_eq!((seen.header("x-user"), seen.header("x_user")), ("ada", ""));
    }
}

/// A proxy that strips what `Connection` names after it has looked at it passes a request on without the
/// identity that it was let in by, or past a check that looks for the header.
#[tokio::test]
async fn what_connection_names_neither_lets_in_nor_hides_who_calls() {
    let (issuer, upstream, gateway) = guarded().await;
    let good = format!("Bearer {}", issuer.token());
    for (number, names) in ["authorization", "close, Authorization, X-User", "x-user"].into_iter().enumerate()
    {
        let head = |token: &str| {
            format!(
                "GET /v1/items/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\nX-User: root\r\nConnection: close\r\nConnection: {names}\r\n\r\n"
            )
        };
        assert!(
            raw(gateway.public, head("Bearer forged").as_bytes()).await.starts_with("HTTP/1.1 401"),
            "{names}"
        );
        assert!(raw(gateway.public, head(&good).as_bytes()).await.starts_with("HTTP/1.1 200"), "{names}");
        assert_eq!(upstream.call(number).await.header("x-user"), "ada", "{names}");
    }
    assert_eq!(upstream.calls().len(), 3);
}

#[tokio::test]
async fn a_token_that_is_let_in_is_looked_at_again_for_each_request() {
    let (issuer, _upstream, gateway) = guarded().await;
    // It is remembered by now, and still ends when it ends: `exp` and the leeway of 30 s.
    let short = format!("Bearer {}", issuer.token_with(&json!({ "exp": issuer::now() - 27 })));
    gateway.get("/v1/items/1").header("authorization", &short).fetch().await.ok();
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(gateway.get("/v1/items/1").header("authorization", &short).fetch().await.status, 401);
    // Nor does one request's identity leak to the next of the same connection.
    let good = format!("Bearer {}", issuer.token());
    let both = format!(
        "GET /v1/items/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {good}\r\n\r\nGET /v1/items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    let answers = raw(gateway.public, both.as_bytes()).await;
    assert!(answers.starts_with("HTTP/1.1 200") && answers.contains("HTTP/1.1 401"), "{answers}");
}

#[tokio::test]
async fn streams_end_when_their_callers_token_does() {
    let issuer = Issuer::start().await;
    let upstream =
        Upstream::start(|_| Script::new().head().message(wire(&item("a"))).step(Step::Stall)).await;
    let more = issuer.config("leeway = \"1s\"");
    let site = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO);
    let gateway = site.serve().await;
    let token = || format!("Bearer {}", issuer.token_with(&json!({ "exp": issuer::now() + 2 })));
    let events = gateway.get(WATCH).accept("text/event-stream").header("authorization", &token()).fetch();
    let lines = gateway.get(WATCH).accept("application/x-ndjson").header("authorization", &token()).fetch();
    let array = gateway.get(WATCH).header("authorization", &token()).fetch();
    let grpc = gateway.grpc(shop::WATCH, &[wire(&item("a"))]).header("authorization", &token()).fetch();
    let bidi = gateway.grpc(shop::TALK, &[wire(&item("a"))]).header("authorization", &token()).fetch();
    let authorization = token();
    let socket = async {
        let headers = [("authorization", authorization.as_str())];
        let mut socket = connect(gateway.public, Version::HTTP_11, WATCH, &headers).await.unwrap();
        assert_eq!(socket.next_text().await, r#"{"name":"a"}"#);
        socket.rest().await
    };
    let (events, lines, array, grpc, bidi, socket) = tokio::join!(events, lines, array, grpc, bidi, socket);
    assert!(events.complete, "{}", events.text());
    assert!(events.text().contains("event: error\ndata: {\"code\":16,"), "{}", events.text());
    assert!(!events.text().contains("event: end"), "{}", events.text());
    assert!(
        !lines.complete && lines.text().starts_with("{\"name\":\"a\"}\n{\"error\":{\"code\":16,"),
        "{}",
        lines.text()
    );
    assert!(!array.complete && array.text().starts_with("[{\"name\":\"a\"}"), "{}", array.text());
    for grpc in [grpc, bidi] {
        assert_eq!(grpc.messages().len(), 1);
        let status = grpc.grpc().unwrap_err();
        assert_eq!(
            (status.code, status.reason().as_deref()),
            (Code::Unauthenticated, Some("CREDENTIALS_EXPIRED"))
        );
    }
    assert_eq!(socket.1, 4016);
    assert!(socket.0[0].contains("CREDENTIALS_EXPIRED"), "{:?}", socket.0);
    for number in 0..6 {
        upstream.call(number).await.reset().await;
    }
}

/// A process that was stopped, or a machine that slept, has missed the end of a token.
#[tokio::test]
async fn a_gateway_that_was_stopped_ends_what_has_expired_meanwhile() {
    let issuer = Issuer::start().await;
    let upstream =
        Upstream::start(|_| Script::new().head().message(wire(&item("a"))).step(Step::Stall)).await;
    let more = issuer.config("leeway = \"0s\"");
    let gateway = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO).serve().await;
    let token = format!("Bearer {}", issuer.token_with(&json!({ "exp": issuer::now() + 3 })));
    let lines = gateway.get(WATCH).accept("application/x-ndjson").header("authorization", &token);
    let mut lines = lines.send().await;
    lines.until("\"a\"").await;
    gateway.signal("STOP").await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    gateway.signal("CONT").await;
    assert!(lines.whole().await.text().contains("CREDENTIALS_EXPIRED"));
    assert_eq!(gateway.get("/v1/items/1").header("authorization", &token).fetch().await.status, 401);
}

#[tokio::test]
async fn a_policy_lets_streams_outlive_the_token_that_began_them() {
    let issuer = Issuer::start().await;
    let script = |_: &_| {
        let script = Script::new().head().message(wire(&item("a")));
        script.sleep(std::time::Duration::from_secs(4)).message(wire(&item("b"))).ok()
    };
    let upstream = Upstream::start(script).await;
    let more = issuer.config("leeway = \"1s\"") + "require = { unexpired = false }\n";
    let site = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO);
    let gateway = site.serve().await;
    let token = format!("Bearer {}", issuer.token_with(&json!({ "exp": issuer::now() + 1 })));
    let lines =
        gateway.get(WATCH).accept("application/x-ndjson").header("authorization", &token).fetch().await;
    assert_eq!((lines.complete, lines.text()), (true, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n"));
}

#[tokio::test]
async fn a_socket_that_was_opened_in_time_cannot_call_too_late() {
    let issuer = Issuer::start().await;
    let upstream = Upstream::start(|_| Script::echo()).await;
    let more = issuer.config("leeway = \"1s\"");
    let site = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO);
    let gateway = site.serve().await;
    let token = format!("Bearer {}", issuer.token_with(&json!({ "exp": issuer::now() + 1 })));
    let headers = [("authorization", token.as_str())];
    let mut socket = connect(gateway.public, Version::HTTP_11, shop::TALK, &headers).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    socket.text("{}").await;
    assert_eq!(socket.rest().await.1, 4016);
    assert!(upstream.calls().is_empty());
}
