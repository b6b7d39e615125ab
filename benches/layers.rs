//! What the layers of the route ring cost of a unary call: a gateway that asks for a token, counts the caller,
//! edits headers and shares its answers, beside one that does nothing of that.
//!
//! `cargo bench --bench layers` prints the CPU time of a call in both, by the clock of the gateway's thread
//! alone (schedstat(5), so Linux), and the share that the layers have. The sample server has a thread of its own. Both
//! gateways take turns in short rounds, so that what else the machine does meets them alike. Requests are given to
//! the gateway's service as they come from HTTP: reading and writing sockets of clients is not measured, which
//! would only make the share smaller.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::body::Body;
use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt as _;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use transom::config::{Kind, Source};
use transom::demo;
use transom::gateway::{Gateway, Worker};
use transom::telemetry::ClientInfo;
use transom::telemetry::access_log::AccessLog;

/// Calls of a round, and how many of them are under way at a time.
const CALLS: usize = 400;
const AT_A_TIME: usize = 16;

/// Rounds of each gateway; one more warms up.
const ROUNDS: usize = 60;

const PATH: &str = "/v1/shelves/1/books/1";

const LAYERS: &str = r#"
[auth.users]
type = "jwt"
issuer = "https://issuer.example"
audiences = ["bench"]
jwks = "file:keys.json"
algorithms = ["EdDSA"]
claims_to_metadata = { "/sub" = "x-user" }

[defaults]
auth = "users"
require = { scopes = ["read"] }
rate_limit = { rate = "1000000/s" }
cors = { origins = ["https://app.example.com"] }
headers = { request = { set = { "x-via" = "transom", "x-tenant" = "claim:/tenant" }, remove = ["x-spy"] }, response = { set = { "strict-transport-security" = "max-age=63072000" } } }
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = demo::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let folder = tempfile::tempdir()?;
    let token = issue(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bare = worker(folder.path(), server.addr, "")?;
        let layered = worker(folder.path(), server.addr, LAYERS)?;
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..=ROUNDS {
            without.push(round(&bare, &token).await?);
            with.push(round(&layered, &token).await?);
        }
        report(without.split_off(1), with.split_off(1));
        Ok(())
    })
}

/// Writes the key set of an issuer and signs a token with its key.
fn issue(folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no key")?;
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| "no key")?;
    let x = BASE64URL.encode_to_string(key.public_key().as_ref());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "1", "x": x });
    std::fs::write(folder.join("keys.json"), json!({ "keys": [jwk] }).to_string())?;
    let part = |value: &Value| BASE64URL.encode_to_string(value.to_string());
    let claims = json!({ "iss": "https://issuer.example", "aud": "bench", "sub": "ada", "tenant": "acme",
        "scope": "read write", "exp": 4_000_000_000_u64 });
    let signed = format!("{}.{}", part(&json!({ "alg": "EdDSA", "kid": "1" })), part(&claims));
    let signature = BASE64URL.encode_to_string(key.sign(signed.as_bytes()).as_ref());
    Ok(format!("Bearer {signed}.{signature}"))
}

fn worker(base: &Path, upstream: SocketAddr, more: &str) -> Result<Worker, String> {
    let kind = Kind::Text {
        name: "the benchmark's gateway.toml".to_owned(),
        text: format!("[upstreams.demo]\nendpoints = [\"http://{upstream}\"]\n{more}"),
        base: base.to_owned(),
        descriptors: Some(demo::DESCRIPTORS),
    };
    let loaded = Gateway::load(Source { kind, env: Vec::new() });
    let (gateway, _) = loaded.map_err(|problems| format!("{problems:#?}"))?;
    Ok(gateway.worker(AccessLog::disabled()))
}

/// The CPU time of one call of a round, in nanoseconds.
async fn round(worker: &Worker, token: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let before = cpu_time()?;
    for _ in 0..CALLS / AT_A_TIME {
        let calls = (0..AT_A_TIME).map(|_| call(worker.clone(), token));
        join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a round takes far less than 2⁵² nanoseconds")]
    let spent = (cpu_time()? - before) as f64 / CALLS as f64;
    Ok(spent)
}

async fn call(worker: Worker, token: &str) -> Result<(), String> {
    let mut request = Request::get(PATH)
        .header("host", "api.example.com")
        .header("authorization", token)
        .header("origin", "https://app.example.com")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let peer = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)));
    request.extensions_mut().insert(ClientInfo { peer, ..ClientInfo::default() });
    let Ok(response) = worker.oneshot(request).await;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    if status.is_success() { Ok(()) } else { Err(format!("{status}: {}", String::from_utf8_lossy(&body))) }
}

/// What this thread has spent, in nanoseconds.
fn cpu_time() -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_ascii_whitespace().next().ok_or("no time")?.parse()?)
}

fn report(mut without: Vec<f64>, mut with: Vec<f64>) {
    let mut shares: Vec<f64> = without.iter().zip(&with).map(|(less, more)| (more - less) / more).collect();
    let (less, more, share) = (median(&mut without), median(&mut with), median(&mut shares));
    println!("a unary call without layers  {:7.1} µs", less / 1000.0);
    println!("a unary call with layers     {:7.1} µs", more / 1000.0);
    println!("share of the layers          {:7.1} %  (median of {ROUNDS} pairs of rounds)", share * 100.0);
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
