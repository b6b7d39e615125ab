//! Who may call: API keys in front of REST, streams and gRPC, on every spelling of a path.

use transom::rpc::Code;

use crate::support::gateway::Gateway;
use crate::support::script::Script;
use crate::support::shop::{self, config, item, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

/// The SHA-256 of `secret`.
const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

async fn guarded() -> (Upstream, Gateway) {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let more = "\n[auth.keys]\ntype = \"api_key\"\nkeys = \"file:keys.toml\"\n\n[defaults]\nauth = \"keys\"\n\n[[policies]]\nselector = \"shop.v1.Shop.Delete\"\nrequire = { scopes = [\"admin\"] }\n";
    let keys = format!(
        "[keys.me]\nsha256 = \"{HASH}\"\nscopes = [\"read\"]\nmetadata = {{ \"x-user\" = \"me\" }}\n"
    );
    let site = Site::new(&config(&upstream, more)).file("shop.proto", shop::PROTO).file("keys.toml", keys);
    (upstream, site.serve().await)
}

#[tokio::test]
async fn without_a_key_nothing_reaches_the_upstream() {
    let (upstream, gateway) = guarded().await;
    for target in [
        "/v1/items/1",
        "/v1/items/1/changes",
        "/v1/items/%31",
        "//v1/items/1",
        "/v1/../v1/items/1",
        "/v1/items/1/",
    ] {
        for key in ["", "me.wrong", "you.secret", "me", "me."] {
            let request = gateway.get(target);
            let request = if key.is_empty() { request } else { request.header("x-api-key", key) };
            let answer = request.fetch().await;
            assert!((400..500).contains(&answer.status), "{target} {key}: {}", answer.status);
            if answer.status == 401 {
                assert!(!answer.header("www-authenticate").is_empty());
            }
        }
    }
    assert_eq!(gateway.post(shop::GET, "{}").fetch().await.status, 401);
    let status = gateway.grpc(shop::GET, &[wire(&item("a"))]).fetch().await.grpc().unwrap_err();
    assert_eq!(status.code, Code::Unauthenticated);
    assert!(upstream.calls().is_empty());
}

#[tokio::test]
async fn a_key_gives_its_identity_and_no_client_can_forge_it() {
    let (upstream, gateway) = guarded().await;
    gateway.get("/v1/items/1").header("x-api-key", "me.secret").header("x-user", "root").fetch().await.ok();
    let call = gateway.grpc(shop::GET, &[wire(&item("a"))]).header("x-api-key", "me.secret");
    assert!(call.header("x-user", "root").header("X_USER", "root").fetch().await.grpc().is_ok());
    for number in [0, 1] {
        let seen = upstream.call(number).await;
        assert_eq!((seen.header("x-user"), seen.header("x_user")), ("me", ""), "{number}");
        assert_eq!(seen.header("x-api-key"), "", "the credential ends here");
    }
}

#[tokio::test]
async fn explain_tells_who_decides_and_why() {
    let upstream = Upstream::start(|_| Script::unary(wire(&item("n")))).await;
    let blocks = "\n[auth.keys]\ntype = \"api_key\"\nkeys = \"env:KEYS\"\nquery = \"key\"\n\n[auth.users]\ntype = \"jwt\"\nissuer = \"https://issuer.example.com\"\naudiences = [\"shop\", \"web\"]\njwks = \"https://issuer.example.com/keys?token=topsecret\"\n";
    let levels = "\n[defaults]\nauth = [\"keys\", \"users\"]\n\n[[policies]]\nselector = \"shop.v1.Shop.Delete\"\nrequire = { scopes = [\"admin\"], claims = { \"/role\" = \"root\" } }\n\n[[policies]]\nselector = \"shop.v1.Shop.Watch\"\nauth = \"none\"\n";
    let site = Site::new(&config(&upstream, &format!("{blocks}{levels}"))).file("shop.proto", shop::PROTO);
    let explain = async |method: &str, target: &str| {
        let mut command = site.command(&["explain", method, target]);
        let output = command.env("KEYS", format!("[keys.me]\nsha256 = \"{HASH}\"\n")).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let text = explain("DELETE", "/v1/items/1").await;
    for part in [
        "asks      keys: an API key in x-api-key or the parameter key, listed in the variable KEYS  (gateway.toml:",
        "or        users: a bearer token of https://issuer.example.com for shop or web, keys from https://issuer.example.com/keys  (gateway.toml:",
        "needs     the scope admin, the claim /role = \"root\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("topsecret"), "{text}");
    let text = explain("GET", "/v1/items/1/changes").await;
    assert!(text.contains("asks      nobody; anybody may call: auth = \"none\"  (gateway.toml:"), "{text}");
}

#[tokio::test]
async fn scopes_are_required_of_the_method() {
    let (upstream, gateway) = guarded().await;
    let refused = gateway.request("DELETE", "/v1/items/1").header("x-api-key", "me.secret").fetch().await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let rpc = gateway.post("/shop.v1.Shop/Delete", "{}").header("x-api-key", "me.secret").fetch().await;
    assert_eq!(rpc.status, 403);
    assert!(upstream.calls().is_empty());
}
