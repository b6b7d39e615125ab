//! Who calls, by other ways than tokens: API keys in the query, users and passwords, client certificates.

use http::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use transom::rpc::Code;

use crate::support::client::Answer;
use crate::support::gateway::Gateway;
use crate::support::script::{Script, Step};
use crate::support::shop::{self, config, item, wire};
use crate::support::site::Site;
use crate::support::tls::{Authority, Identity, Trust};
use crate::support::upstream::{PATIENCE, Upstream};
use crate::support::websocket::connect;

/// The SHA-256 of `secret`.
const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
/// Argon2id of `pass:word`, as the reference implementation has it (`argon2 saltsalt -id -k 8 -t 1 -p 1 -e`).
const PASSWORD: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$zBW/VV2D+oyM5wAFJIQGlHS5YUiQBJb0gswG75KSzus";
const WATCH: &str = "/v1/items/1/changes";

async fn site(more: &str) -> (Upstream, Site) {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let site = Site::new(&config(&upstream, more)).file("shop.proto", shop::PROTO);
    (upstream, site)
}

async fn with_query_keys() -> (Upstream, Gateway) {
    let more = "\n[auth.keys]\ntype = \"api_key\"\nkeys = \"file:keys.toml\"\nquery = \"api_key\"\n\n[defaults]\nauth = \"keys\"\n";
    let (upstream, site) = site(more).await;
    let keys = format!("[keys.me]\nsha256 = \"{HASH}\"\nmetadata = {{ \"x-user\" = \"me\" }}\n");
    (upstream, site.file("keys.toml", keys).serve().await)
}

#[tokio::test]
async fn a_key_in_the_query_opens_and_is_bound_to_nothing() {
    let (upstream, gateway) = with_query_keys().await;
    for target in ["?api_key=me.secret&size=3", "?size=3&api_key=me.secret", "?size=3&api%5Fkey=me%2Esecret"]
    {
        gateway.get(&format!("/v1/items/1{target}")).fetch().await.ok();
    }
    let events = gateway.get(&format!("{WATCH}?api_key=me.secret&size=3")).accept("text/event-stream");
    assert_eq!(events.fetch().await.status, 200);
    let socket =
        connect(gateway.public, Version::HTTP_11, &format!("{WATCH}?api_key=me.secret&size=3"), &[]).await;
    let (texts, code) = socket.unwrap().rest().await;
    assert_eq!((texts.len(), code), (1, 1000));
    for number in 0..5 {
        let seen = upstream.call(number).await;
        assert_eq!(seen.header("x-user"), "me", "{number}");
        assert_eq!(shop::request::<shop::GetRequest>(&seen).size, 3, "{number}");
    }
    for (target, status) in [
        ("?api_key=me.wrong", 401),
        ("?api_key=", 401),
        ("?api_key", 401),
        ("?api_key=%zz", 401),
        ("?API_KEY=me.secret", 401),
        ("?api_key=me.secret&api_key=me.secret", 400),
        ("?api_key=me.secret&api%5fkey=me.secret", 400),
    ] {
        assert_eq!(gateway.get(&format!("/v1/items/1{target}")).fetch().await.status, status, "{target}");
    }
    assert_eq!(upstream.calls().len(), 5);
}

#[tokio::test]
async fn a_key_in_the_query_is_told_to_nobody() {
    let (_upstream, gateway) = with_query_keys().await;
    let mut answers: Vec<Answer> = Vec::new();
    for target in [
        "/v1/items/1?api_key=me.secret&no_such_field=1",
        "/v1/items/1?api_key=me.secret&size=x",
        "/v1/items/1?api_key=me.secret%zz",
        "/v1/items/1?api_key=me.secret&api_key=me.secret",
        "/v1/nothing?api_key=me.secret",
        "/v1/items/1?api_key=you.secret",
    ] {
        answers.push(gateway.get(target).fetch().await);
        assert!(answers.last().unwrap().status >= 400, "{target}");
    }
    for answer in &answers {
        assert!(!answer.text().contains("secret") && !format!("{:?}", answer.headers).contains("secret"));
    }
    let lines = gateway.access.count(answers.len()).await;
    assert!(lines.iter().all(|line| !line.to_string().contains("secret")), "{lines:?}");
    assert!(lines[0]["path"].as_str().unwrap().starts_with("/v1/items/1?api_key=*"), "{}", lines[0]);
    assert!(gateway.log.so_far().iter().all(|line| !line.contains("secret")));
    let explained = gateway.site.run(&["explain", "GET", "/v1/items/1?size=3&api_key=me.secret"]).await;
    assert!(explained.stdout.contains("size = \"3\""), "{}", explained.stdout);
    assert!(!explained.stdout.contains("secret") && explained.code == Some(0), "{}", explained.stdout);
}

#[tokio::test]
async fn a_changed_file_of_keys_is_the_one_that_counts() {
    let (_upstream, gateway) = with_query_keys().await;
    let ask = || async { gateway.get("/v1/items/1").header("x-api-key", "me.secret").fetch().await.status };
    assert_eq!(ask().await, 200);
    gateway.site.write("keys.toml", format!("[keys.you]\nsha256 = \"{HASH}\"\n"));
    assert_eq!(gateway.admin("POST", "/reload").fetch().await.status, 200);
    assert_eq!(ask().await, 401, "a key that is taken back lets nobody in");
    // A file that is wrong changes nothing, and is told without what stands in it.
    gateway.site.write("keys.toml", "[keys.me]\nsha256 = \"topsecret\"\n");
    let refused = gateway.admin("POST", "/reload").fetch().await;
    assert!(refused.status == 422 && !refused.text().contains("topsecret"), "{}", refused.text());
    assert_eq!(gateway.get("/v1/items/1").header("x-api-key", "you.secret").fetch().await.status, 200);
}

#[tokio::test]
async fn users_show_their_passwords_over_every_protocol() {
    let more =
        "\n[auth.staff]\ntype = \"basic\"\nusers = \"file:users.toml\"\n\n[defaults]\nauth = \"staff\"\n";
    let (upstream, site) = site(more).await;
    let users = format!("[users.ada]\nargon2 = \"{PASSWORD}\"\nmetadata = {{ \"x-user\" = \"ada\" }}\n");
    let gateway = site.file("users.toml", users).serve().await;
    let basic = |pair: &str| format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair));
    for pair in ["ada:wrong", "eve:pass:word", "ada", ""] {
        let value = basic(pair);
        let refused = gateway.get("/v1/items/1").header("authorization", &value).fetch().await;
        let status = if pair.contains(':') { 401 } else { 400 };
        assert_eq!(refused.status, status, "{pair}");
        let grpc = gateway.grpc(shop::GET, &[wire(&item("a"))]).header("authorization", &value).fetch().await;
        assert_eq!(grpc.grpc().unwrap_err().code, Code::Unauthenticated, "{pair}");
        let socket = connect(gateway.public, Version::HTTP_11, WATCH, &[("authorization", &value)]).await;
        assert_eq!(socket.err().map(|refused| refused.as_u16()), Some(status), "{pair}");
    }
    let challenge = gateway.get("/v1/items/1").fetch().await;
    assert_eq!(challenge.header("www-authenticate"), "Basic realm=\"staff\", charset=\"UTF-8\"");
    assert!(upstream.calls().is_empty());
    let value = basic("ada:pass:word");
    gateway.get("/v1/items/1").header("authorization", &value).fetch().await.ok();
    gateway
        .grpc(shop::GET, &[wire(&item("a"))])
        .header("authorization", &value)
        .fetch()
        .await
        .grpc()
        .unwrap();
    for number in 0..2 {
        let seen = upstream.call(number).await;
        assert_eq!((seen.header("x-user"), seen.header("authorization")), ("ada", ""));
    }
    // A user who is taken back is out, remembered or not.
    gateway.site.write("users.toml", format!("[users.bob]\nargon2 = \"{PASSWORD}\"\n"));
    assert_eq!(gateway.admin("POST", "/reload").fetch().await.status, 200);
    assert_eq!(gateway.get("/v1/items/1").header("authorization", &value).fetch().await.status, 401);
}

const SHOP: &str = "spiffe://example.org/shop";

/// A gateway that asks clients for certificates.
async fn with_certificates(auth: &str, more: &str, authority: &Authority) -> (Upstream, Identity, Gateway) {
    let identity = Identity::new();
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        shop::WATCH => Script::new().head().message(wire(&item("a"))).step(Step::Stall),
        _ => Script::unary(wire(&item("n"))),
    });
    let upstream = upstream.await;
    let text = format!(
        "[server.tls]\ncert = \"s.crt\"\nkey = \"s.key\"\nclient_ca = \"ca.pem\"\nclient_auth = \"{auth}\"\n\n[auth.mesh]\ntype = \"mtls\"\nnames = [\"{SHOP}\", \"dns:client.example.org\"]\nclaims_to_metadata = {{ \"/sub\" = \"x-client\" }}\n\n[defaults]\nauth = \"mesh\"\n{more}\n{}",
        config(&upstream, "")
    );
    let site = Site::new(&text).file("shop.proto", shop::PROTO).file("ca.pem", &authority.cert);
    let gateway = site.file("s.crt", &identity.cert).file("s.key", &identity.key).serve().await;
    (upstream, identity, gateway)
}

#[tokio::test]
async fn certificates_show_who_calls() {
    let authority = Authority::new();
    let (upstream, server, gateway) = with_certificates("optional", "", &authority).await;
    let hour = |uris: &[&str], dns: &[&str]| authority.client(&server, uris, dns, 3600);
    let get =
        || gateway.get("/v1/items/1").header("x-client", "root").header("x-forwarded-client-cert", "URI=x");
    get().tls(&hour(&[SHOP], &[])).fetch().await.ok();
    get().tls(&hour(&["urn:other"], &["client.example.org"])).fetch().await.ok();
    let grpc =
        gateway.grpc(shop::GET, &[wire(&item("a"))]).header("x-client", "root").header("x_client", "root");
    grpc.header("x-forwarded-client-cert", "URI=x").tls(&hour(&[SHOP], &[])).fetch().await.grpc().unwrap();
    for (number, client) in [SHOP, "client.example.org", SHOP].into_iter().enumerate() {
        let seen = upstream.call(number).await;
        assert_eq!((seen.header("x-client"), seen.header("x_client")), (client, ""));
        assert_eq!(seen.header("x-forwarded-client-cert"), "");
    }
    for wrong in [
        hour(&["spiffe://example.org/shop2"], &[]),
        hour(&["spiffe://example.org/Shop"], &[]),
        hour(&[SHOP, "https://example.org/other"], &[]),
        hour(&[], &["client.example.org.evil"]),
        server.trust(&["http/1.1"]),
    ] {
        let refused = get().tls(&wrong).fetch().await;
        assert_eq!(refused.status, 401, "{}", refused.text());
        assert!(refused.header("www-authenticate").starts_with("ClientCertificate realm=\"mesh\""));
    }
    assert_eq!(upstream.calls().len(), 3);
}

/// Whether hands are shaken and a request is answered; TLS 1.3 refuses a client only after its side is done.
async fn is_let_in(gateway: &Gateway, trust: &Trust) -> bool {
    let socket = TcpStream::connect(gateway.public).await.unwrap();
    let Ok((mut stream, _)) = trust.clone().try_connect(socket).await else { return false };
    let asked = stream.write_all(b"GET /v1/items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    asked.is_ok() && read.is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn who_needs_a_certificate_does_not_get_past_the_handshake_without() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (_upstream, server, gateway) = with_certificates("required", "", &authority).await;
    let offer = |trust: Trust| trust.only("http/1.1");
    let own = offer(authority.client(&server, &[SHOP], &[], 3600));
    let strangers = offer(other.client(&server, &[SHOP], &[], 3600));
    assert!(is_let_in(&gateway, &own).await);
    assert!(!is_let_in(&gateway, &strangers).await, "another authority");
    assert!(!is_let_in(&gateway, &offer(authority.client(&server, &[SHOP], &[], 0))).await, "expired");
    assert!(!is_let_in(&gateway, &offer(server.trust(&["http/1.1"]))).await, "none");
    // The authority changes: new connections are those of the new one, the sessions of the old one are none.
    gateway.site.write("ca.pem", &other.cert);
    assert_eq!(gateway.admin("POST", "/reload").fetch().await.status, 200);
    assert!(!is_let_in(&gateway, &own).await);
    assert!(is_let_in(&gateway, &strangers).await);
    // One that cannot be read keeps the one before.
    gateway.site.write("ca.pem", "no certificate");
    gateway.admin("POST", "/reload").fetch().await;
    assert!(is_let_in(&gateway, &strangers).await);
}

#[tokio::test]
async fn a_stream_ends_with_the_certificate_that_began_it() {
    let authority = Authority::new();
    let (_upstream, server, gateway) = with_certificates("required", "", &authority).await;
    let short = authority.client(&server, &[SHOP], &[], 3);
    let lines = gateway.get(WATCH).accept("application/x-ndjson").tls(&short).fetch().await;
    assert!(!lines.complete && lines.text().contains("CREDENTIALS_EXPIRED"), "{}", lines.text());
}

#[tokio::test]
async fn a_block_for_certificates_needs_a_listener_that_asks_for_them() {
    let (_upstream, site) = site("\n[auth.mesh]\ntype = \"mtls\"\n\n[defaults]\nauth = \"mesh\"\n").await;
    let checked = site.run(&["check"]).await;
    assert_eq!(checked.code, Some(1));
    let text = checked.stdout + &checked.stderr;
    assert!(text.contains("no client is asked for a certificate") && text.contains("client_ca"), "{text}");
}
