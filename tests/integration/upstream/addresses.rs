//! Every sort of address: TLS and whom it trusts, Unix sockets, names with many addresses.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use transom::config::model::Address;
use transom::rpc::Code;
use transom::upstream::{Spec, Tls, TlsFiles};

use crate::support::calls::*;
use crate::support::script::Script;
use crate::support::shop::{PROTO, config, item, wire};
use crate::support::site::Site;
use crate::support::upstream::Upstream;

/// A certificate authority, and files signed by it.
struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
    roots: RootCertStore,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        Self { directory, issuer: Issuer::new(params, key), roots }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Signs a certificate; the files are `NAME.crt` and `NAME.key`.
    fn sign(&self, name: &str) -> (rustls::pki_types::CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        let der = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        (certificate.der().clone(), der)
    }

    /// A server whose certificate is for `name`, and which may ask for the client's.
    fn server(&self, name: &str, mutual: bool) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certificate, key) = self.sign(name);
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if mutual {
            let roots = Arc::new(self.roots.clone());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { ca: Some(self.file("ca.pem")), ..TlsFiles::default() }
    }
}

fn secure(upstream: &Upstream, host: &str, files: &TlsFiles) -> Spec {
    let address = Address::Https { host: host.into(), port: upstream.address.port() };
    Spec { tls: Some(Arc::new(Tls::load(files).unwrap())), ..Spec::new(NAME, [address]) }
}

fn is_unavailable<T: std::fmt::Debug>(outcome: Result<T, transom::rpc::Status>) -> bool {
    told(outcome) == (Code::Unavailable, "UPSTREAM_UNAVAILABLE".to_owned(), "upstream")
}

#[tokio::test]
async fn tls_verifies_the_host_or_the_given_name() {
    let authority = Authority::new();
    let upstream =
        Upstream::options().tls(authority.server("localhost", false)).start(|_| Script::unary("m")).await;
    let by_host = pool(secure(&upstream, "localhost", &authority.files()));
    assert_eq!(whole(&by_host, unary("")).await.unwrap().0, ["m"]);
    assert_eq!(upstream.call(0).await.authority, format!("localhost:{}", upstream.address.port()));

    let wrong_name = pool(secure(&upstream, "127.0.0.1", &authority.files()));
    assert!(is_unavailable(whole(&wrong_name, unary("")).await));

    let named = TlsFiles { server_name: Some("localhost".into()), ..authority.files() };
    let by_name = pool(secure(&upstream, "127.0.0.1", &named));
    assert_eq!(whole(&by_name, unary("")).await.unwrap().0, ["m"]);

    let stranger = pool(secure(&upstream, "localhost", &Authority::new().files()));
    assert!(is_unavailable(whole(&stranger, unary("")).await));
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let authority = Authority::new();
    let upstream =
        Upstream::options().tls(authority.server("localhost", true)).start(|_| Script::unary("m")).await;
    let nameless = pool(secure(&upstream, "localhost", &authority.files()));
    assert!(is_unavailable(whole(&nameless, unary("")).await));

    authority.sign("gateway");
    let mutual = TlsFiles {
        cert: Some(authority.file("gateway.crt")),
        key: Some(authority.file("gateway.key")),
        ..authority.files()
    };
    let known = pool(secure(&upstream, "localhost", &mutual));
    assert_eq!(whole(&known, unary("")).await.unwrap().0, ["m"]);
}

#[tokio::test]
async fn changed_trust_makes_new_connections() {
    let authority = Authority::new();
    let upstream =
        Upstream::options().tls(authority.server("localhost", false)).start(|_| Script::unary("m")).await;
    let pool = pool(secure(&upstream, "localhost", &authority.files()));
    whole(&pool, unary("")).await.unwrap();
    pool.reconcile(&[Arc::new(secure(&upstream, "localhost", &authority.files()))]);
    whole(&pool, unary("")).await.unwrap();
    assert_eq!(upstream.connections(), 1, "the same content is the same identity");
    pool.reconcile(&[Arc::new(secure(&upstream, "localhost", &Authority::new().files()))]);
    assert!(is_unavailable(whole(&pool, unary("")).await));
}

#[tokio::test]
async fn a_gateway_takes_new_trust_when_the_file_changes_and_keeps_connections_when_it_does_not() {
    let authority = Authority::new();
    let upstream = Upstream::options()
        .tls(authority.server("localhost", false))
        .start(|_| Script::unary(wire(&item("n"))))
        .await;
    let ca = std::fs::read_to_string(authority.file("ca.pem")).unwrap();
    let url = format!("https://localhost:{}", upstream.address.port());
    let config = config(&upstream, "tls = { ca = \"ca.pem\" }").replace(&upstream.url(), &url);
    let gateway = Site::new(&config).file("shop.proto", PROTO).file("ca.pem", &ca).serve().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    upstream.connected(2).await;
    // What does not concern it leaves its connections alone.
    gateway.site.write("gateway.toml", format!("{config}\n[defaults]\ntimeout = \"9s\"\n"));
    gateway.admin("POST", "/reload").fetch().await;
    gateway.get("/v1/items/1").fetch().await.ok();
    assert_eq!(upstream.connections(), 2, "one for each worker");
    // A further root is another identity, and nobody has to say so.
    let other = std::fs::read_to_string(Authority::new().file("ca.pem")).unwrap();
    gateway.site.write("ca.pem", format!("{ca}{other}"));
    upstream.connected(4).await;
    gateway.get("/v1/items/1").fetch().await.ok();
}

#[tokio::test]
async fn unix_sockets_carry_calls() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("grpc.sock");
    let upstream = Upstream::options().unix(path.clone()).start(|_| Script::unary("m")).await;
    let pool = pool(Spec::new(NAME, [Address::Unix(path)]));
    assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["m"]);
    assert_eq!(upstream.call(0).await.authority, "localhost");
}

#[tokio::test]
async fn a_name_becomes_an_endpoint_for_each_address() {
    let upstream = Upstream::start(|_| Script::unary("m")).await;
    let address = Address::Dns { name: "localhost".into(), port: upstream.address.port() };
    let pool = pool(Spec::new(NAME, [address]));
    for _ in 0..10 {
        assert_eq!(whole(&pool, unary("")).await.unwrap().0, ["m"]);
    }
    assert_eq!(upstream.call(0).await.authority, format!("localhost:{}", upstream.address.port()));
}

#[tokio::test]
async fn a_name_without_addresses_is_unavailable() {
    let address = Address::Dns { name: "no-such-name.invalid".into(), port: 1 };
    assert!(is_unavailable(whole(&pool(Spec::new(NAME, [address])), unary("")).await));
}
