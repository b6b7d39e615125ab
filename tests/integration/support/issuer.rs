//! An issuer of tokens: it signs them, publishes its keys by HTTP or HTTPS, and can be made to fail.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64_simd::URL_SAFE_NO_PAD as BASE64URL;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::upstream::PATIENCE;

/// What `iss` says.
pub const NAME: &str = "https://issuer.example.com";

/// A running issuer; it ends with the runtime.
#[derive(Clone)]
pub struct Issuer {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    fetches: Arc<watch::Sender<usize>>,
}

struct State {
    /// The key that signs, and its name.
    signer: (String, Arc<EcdsaKeyPair>),
    published: Vec<Json>,
    answer: Answer,
    /// What its document says that it is called.
    says: String,
}

/// What is answered to whoever asks for keys.
#[derive(Clone)]
pub enum Answer {
    /// The key set.
    Keys,
    /// Anything else.
    Bytes(Vec<u8>),
    /// Nothing, for as long as this is the answer.
    Silence,
}

impl Issuer {
    /// An issuer with one key, `key-0`.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// The same over TLS.
    pub async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen(Some(acceptor)).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (key, jwk) = key("key-0");
        let state = State {
            signer: ("key-0".into(), key),
            published: vec![jwk],
            answer: Answer::Keys,
            says: NAME.into(),
        };
        let issuer = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(state)),
            fetches: Arc::new(watch::Sender::new(0)),
        };
        let serving = issuer.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (serving, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serving.serve(socket).await,
                        // Whoever does not trust this issuer leaves in the middle of the handshake.
                        Some(acceptor) => match acceptor.accept(socket).await {
                            Ok(socket) => serving.serve(socket).await,
                            Err(_) => serving.fetches.send_modify(|fetches| *fetches += 1),
                        },
                    }
                });
            }
        });
        issuer
    }

    async fn serve(&self, mut socket: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let Ok(byte) = socket.read_u8().await else { return };
            request.push(byte);
        }
        if request.starts_with(b"GET /tenant/.well-known/openid-configuration HTTP/1.1\r\n") {
            drop(socket.write_all(&self.document()).await);
            return drop(socket.shutdown().await);
        }
        assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&request));
        self.fetches.send_modify(|fetches| *fetches += 1);
        let answer = loop {
            match self.answered() {
                Some(answer) => break answer,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        // The gateway may have given up on it.
        drop(socket.write_all(&answer).await);
        drop(socket.shutdown().await);
    }

    /// What it says of itself (OpenID Connect Discovery 1.0 §4).
    fn document(&self) -> Vec<u8> {
        let keys = format!("http://{}/keys", self.address);
        ok(&json!({ "issuer": self.state.lock().unwrap().says, "jwks_uri": keys }))
    }

    /// Says to be somebody.
    pub fn says(&self, name: &str) {
        name.clone_into(&mut self.state.lock().unwrap().says);
    }

    fn answered(&self) -> Option<Vec<u8>> {
        let state = self.state.lock().unwrap();
        match &state.answer {
            Answer::Silence => None,
            Answer::Bytes(bytes) => Some(bytes.clone()),
            Answer::Keys => Some(ok(&json!({ "keys": state.published }))),
        }
    }

    /// Answers so from now on.
    pub fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    /// Publishes a new key, and signs with it from now on. The one before stays published.
    pub fn rotate(&self, id: &str) {
        let (key, jwk) = key(id);
        let mut state = self.state.lock().unwrap();
        state.published.push(jwk);
        state.signer = (id.to_owned(), key);
    }

    /// Takes all keys back but the one that signs now.
    pub fn withdraw(&self) {
        let mut state = self.state.lock().unwrap();
        let kept = state.published.pop();
        state.published = kept.into_iter().collect();
    }

    /// How often keys were asked for.
    pub fn fetches(&self) -> usize {
        *self.fetches.borrow()
    }

    /// Waits until keys were asked for so often.
    pub async fn fetched(&self, count: usize) {
        let mut fetches = self.fetches.subscribe();
        let waiting = fetches.wait_for(|fetches| *fetches >= count);
        drop(tokio::time::timeout(3 * PATIENCE, waiting).await.expect("keys are asked for").unwrap());
    }

    /// A token for `ada` that is good for an hour.
    pub fn token(&self) -> String {
        self.token_with(&json!({}))
    }

    /// A token with other claims; null leaves one out.
    pub fn token_with(&self, changes: &Json) -> String {
        let id = self.state.lock().unwrap().signer.0.clone();
        self.signed(&json!({ "alg": "ES256", "kid": id, "typ": "JWT" }), &claims(changes))
    }

    /// A token with this header and these claims, signed with the key of now.
    pub fn signed(&self, header: &Json, claims: &Json) -> String {
        let key = Arc::clone(&self.state.lock().unwrap().signer.1);
        let signed = unsigned(header, claims);
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL.encode_to_string(signature.as_ref()))
    }

    /// The public keys as they are published.
    pub fn published(&self) -> Vec<Json> {
        self.state.lock().unwrap().published.clone()
    }

    /// `[auth.users]` for its tokens, and that block for everything.
    pub fn config(&self, more: &str) -> String {
        let url = format!("http://{}/keys", self.address);
        block(&url, more)
    }
}

fn ok(json: &Json) -> Vec<u8> {
    let body = json.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// `[auth.users]` with the keys at `jwks`, and that block for everything.
pub fn block(jwks: &str, more: &str) -> String {
    format!(
        "\n[auth.users]\ntype = \"jwt\"\nissuer = \"{NAME}\"\naudiences = [\"shop\"]\nalgorithms = [\"ES256\"]\njwks = \"{jwks}\"\nclaims_to_metadata = {{ \"/sub\" = \"x-user\" }}\n{more}\n[defaults]\nauth = \"users\"\n"
    )
}

/// The claims of a good token with some of them changed.
pub fn claims(changes: &Json) -> Json {
    let mut claims =
        json!({ "iss": NAME, "aud": "shop", "sub": "ada", "exp": now() + 3600, "scope": "read" });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Json::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// What of a token is signed.
pub fn unsigned(header: &Json, claims: &Json) -> String {
    let part = |json: &Json| BASE64URL.encode_to_string(json.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn key(id: &str) -> (Arc<EcdsaKeyPair>, Json) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let point = key.public_key().as_ref();
    let part = |range: std::ops::Range<usize>| BASE64URL.encode_to_string(&point[range]);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
        "x": part(1..33), "y": part(33..65) });
    (Arc::new(key), jwk)
}
