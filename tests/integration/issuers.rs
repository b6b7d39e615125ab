//! Keys of issuers that come by URL: before the gateway is ready, when they rotate, and when their
//! issuer is away or answers badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::support::client::Answer as Response;
use crate::support::gateway::Gateway;
use crate::support::issuer::{self, Answer, Issuer};
use crate::support::script::Script;
use crate::support::shop::{self, config, item, wire};
use crate::support::site::Site;
use crate::support::tls::Identity;
use crate::support::upstream::{PATIENCE, Upstream};

async fn behind(issuer: &Issuer) -> (Upstream, Gateway) {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let site = Site::new(&config(&upstream, &issuer.config(""))).file("shop.proto", shop::PROTO);
    (upstream, site.serve().await)
}

async fn ask(gateway: &Gateway, token: &str) -> Response {
    gateway.get("/v1/items/1").header("authorization", &format!("Bearer {token}")).fetch().await
}

async fn ready(gateway: &Gateway) -> u16 {
    gateway.admin("GET", "/readyz").fetch().await.status
}

async fn becomes_ready(gateway: &Gateway) {
    let waiting = async {
        while ready(gateway).await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(3 * PATIENCE, waiting).await.expect("the gateway becomes ready");
}

#[tokio::test]
async fn the_gateway_is_ready_when_the_keys_are_there() {
    let issuer = Issuer::start().await;
    issuer.answer(Answer::Silence);
    let (upstream, gateway) = behind(&issuer).await;
    issuer.fetched(1).await;
    assert_eq!(ready(&gateway).await, 503);
    // A request that comes before waits, and is not refused for it.
    let (token, early) = (issuer.token(), gateway.get("/v1/items/1"));
    let early = tokio::spawn(early.header("authorization", &format!("Bearer {token}")).fetch());
    tokio::time::sleep(Duration::from_millis(50)).await;
    issuer.answer(Answer::Keys);
    early.await.unwrap().ok();
    assert_eq!(upstream.call(0).await.header("x-user"), "ada");
    becomes_ready(&gateway).await;
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn keys_rotate_while_traffic_flows_and_no_good_token_is_refused() {
    let issuer = Issuer::start().await;
    let (_upstream, gateway) = behind(&issuer).await;
    becomes_ready(&gateway).await;
    let gateway = Arc::new(gateway);
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, issuer) = (Arc::clone(&gateway), issuer.clone());
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    ask(&gateway, &issuer.token()).await.ok();
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 1..=5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        issuer.rotate(&format!("key-{round}"));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);
    for load in load {
        load.await.unwrap();
    }
    assert!(served.load(Ordering::Relaxed) > 20);
    assert!((2..=6).contains(&issuer.fetches()), "one for each rotation: {}", issuer.fetches());
}

#[tokio::test]
async fn a_withdrawn_key_takes_its_tokens_with_it() {
    let issuer = Issuer::start().await;
    let (_upstream, gateway) = behind(&issuer).await;
    let old = issuer.token();
    ask(&gateway, &old).await.ok();
    issuer.rotate("new");
    issuer.withdraw();
    // The token of the new key brings the new set.
    ask(&gateway, &issuer.token()).await.ok();
    assert_eq!(ask(&gateway, &old).await.status, 401);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch() {
    let issuer = Issuer::start().await;
    let (upstream, gateway) = behind(&issuer).await;
    becomes_ready(&gateway).await;
    let gateway = Arc::new(gateway);
    let flood: Vec<_> = (0..200)
        .map(|number| {
            let header = json!({ "alg": "ES256", "kid": format!("made-up-{number}") });
            let token = issuer.signed(&header, &issuer::claims(&json!({})));
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move { ask(&gateway, &token).await.status })
        })
        .collect();
    for refused in flood {
        assert_eq!(refused.await.unwrap(), 401);
    }
    assert_eq!(issuer.fetches(), 2, "the first one, and one for all of them");
    ask(&gateway, &issuer.token()).await.ok();
    assert_eq!(upstream.calls().len(), 1);
}

#[tokio::test]
async fn keys_stay_good_while_their_issuer_is_away() {
    let issuer = Issuer::start().await;
    let (_upstream, gateway) = behind(&issuer).await;
    becomes_ready(&gateway).await;
    issuer.answer(Answer::Bytes(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec()));
    let unknown = issuer.signed(&json!({ "alg": "ES256", "kid": "new" }), &issuer::claims(&json!({})));
    assert_eq!(ask(&gateway, &unknown).await.status, 401);
    assert_eq!(issuer.fetches(), 2);
    ask(&gateway, &issuer.token()).await.ok();
    let told =
        gateway.log.find(|line| line["message"] == "no keys of an issuer; those before are kept").await;
    assert_eq!(told["why"], "it answered with status 500");
}

#[tokio::test]
async fn without_keys_nobody_is_let_in_and_nobody_is_called_a_forger() {
    let issuer = Issuer::start().await;
    issuer.answer(Answer::Bytes(b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n".to_vec()));
    let (upstream, gateway) = behind(&issuer).await;
    issuer.fetched(1).await;
    let refused = ask(&gateway, &issuer.token()).await;
    assert_eq!(refused.refusal(), (503, 14, "KEYS_UNAVAILABLE".into(), "gateway".into()));
    assert_eq!((refused.header("retry-after"), refused.header("www-authenticate")), ("5", ""));
    assert_eq!(gateway.get("/v1/items/1").fetch().await.status, 401, "without a token");
    assert!(upstream.calls().is_empty());
    // It is tried again by itself.
    issuer.answer(Answer::Keys);
    becomes_ready(&gateway).await;
    ask(&gateway, &issuer.token()).await.ok();
}

#[tokio::test]
async fn answers_that_are_no_keys_are_refused_and_told() {
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", 10 << 20, " ".repeat(10 << 20));
    let elsewhere = Issuer::start().await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/keys\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address
    );
    for (answer, why) in [
        (huge.as_str(), "its answer cannot be read: length limit exceeded"),
        (redirect.as_str(), "it answered with a redirect (302), which is not followed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "no key set (line 1, column 1)"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}", "no key that can verify a signature"),
    ] {
        let issuer = Issuer::start().await;
        issuer.answer(Answer::Bytes(answer.as_bytes().to_vec()));
        let (_upstream, gateway) = behind(&issuer).await;
        let told = gateway.log.find(|line| line["path"] == "/keys").await;
        assert_eq!(told["why"], why);
        assert_eq!(ask(&gateway, &issuer.token()).await.status, 503, "{why}");
    }
    assert_eq!(elsewhere.fetches(), 0);
}

#[tokio::test]
async fn a_reload_keeps_the_keys_that_are_there() {
    let issuer = Issuer::start().await;
    let (upstream, gateway) = behind(&issuer).await;
    becomes_ready(&gateway).await;
    issuer.answer(Answer::Silence);
    gateway.site.write("gateway.toml", config(&upstream, &issuer.config("leeway = \"10s\"")));
    let reloaded = gateway.admin("POST", "/reload").fetch().await;
    assert_eq!((reloaded.status, &reloaded.json()["changed"]), (200, &json!(true)));
    ask(&gateway, &issuer.token()).await.ok();
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn keys_come_over_tls_from_whom_the_roots_vouch_for() {
    let (identity, other) = (Identity::new(), Identity::new());
    let issuer = Issuer::start_tls(TlsAcceptor::from(Arc::new(identity.server()))).await;
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let url = format!("https://localhost:{}/keys", issuer.address.port());
    let more = issuer::block(&url, "jwks_ca = \"ca.pem\"");
    let site = Site::new(&config(&upstream, &more)).file("shop.proto", shop::PROTO);
    let gateway = site.file("ca.pem", &identity.cert).serve().await;
    becomes_ready(&gateway).await;
    ask(&gateway, &issuer.token()).await.ok();
    // Roots that do not vouch for it are other roots: nothing is kept.
    gateway.site.write("ca.pem", &other.cert);
    assert_eq!(gateway.admin("POST", "/reload").fetch().await.status, 200);
    let told =
        gateway.log.find(|line| line["why"].as_str().is_some_and(|why| why.contains("certificate"))).await;
    assert!(told["why"].as_str().unwrap().starts_with("it cannot be reached: "), "{told}");
    assert_eq!(ask(&gateway, &issuer.token()).await.status, 503);
}

#[tokio::test]
async fn an_issuer_says_itself_where_its_keys_are() {
    let issuer = Issuer::start().await;
    let name = format!("http://{}/tenant", issuer.address);
    issuer.says(&name);
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let block = format!(
        "\n[auth.users]\ntype = \"jwt\"\nissuer = \"{name}\"\naudiences = [\"shop\"]\nalgorithms = [\"ES256\"]\n\n[defaults]\nauth = \"users\"\n"
    );
    let site = Site::new(&config(&upstream, &block)).file("shop.proto", shop::PROTO);
    let explained = site.run(&["explain", "GET", "/v1/items/1"]).await.stdout;
    assert!(
        explained.contains(&format!("keys from where {name}/.well-known/openid-configuration says")),
        "{explained}"
    );
    let gateway = site.serve().await;
    becomes_ready(&gateway).await;
    let token = || issuer.token_with(&json!({ "iss": name }));
    ask(&gateway, &token()).await.ok();
    issuer.rotate("next");
    ask(&gateway, &token()).await.ok();
    assert_eq!(issuer.fetches(), 2);
    // Who says to be somebody else is not believed, and what is known stays.
    issuer.says("https://issuer.example.com");
    issuer.rotate("last");
    assert_eq!(ask(&gateway, &token()).await.status, 401);
    let told = gateway.log.find(|line| line["why"] == "its document is of another issuer").await;
    assert_eq!(told["path"], "/tenant/.well-known/openid-configuration");
    assert_eq!(issuer.fetches(), 2);
}
