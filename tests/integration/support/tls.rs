//! A certificate for `localhost`, and a client that trusts it and nothing else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Version;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::upstream::PATIENCE;

/// A certificate and its key, as files hold them.
pub struct Identity {
    pub cert: String,
    pub key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    /// A new one.
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        Self { cert, key, der: made.cert.der().clone() }
    }

    /// A server that shows it.
    pub fn server(&self) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.unwrap().with_no_client_auth().with_single_cert(vec![self.der.clone()], key).unwrap()
    }

    /// A client that trusts it and offers these protocols.
    pub fn trust(&self, alpn: &[&str]) -> Trust {
        self.client(alpn, None)
    }

    fn client(
        &self,
        alpn: &[&str],
        shown: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(roots);
        let mut config = match shown {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Trust(Arc::new(config))
    }
}

/// An authority that vouches for clients.
pub struct Authority {
    pub cert: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap().pem();
        Self { cert, issuer: Issuer::new(params, key) }
    }

    /// A client that trusts `server`, and that shows a certificate with these URIs and DNS names, which ends
    /// after so many seconds.
    pub fn client(&self, server: &Identity, uris: &[&str], dns: &[&str], seconds: u64) -> Trust {
        let key = KeyPair::generate().unwrap();
        let names = dns.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        params.subject_alt_names.extend(uris.iter().map(|&uri| SanType::URI(uri.try_into().unwrap())));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let now = SystemTime::now();
        params.not_before = now.checked_sub(Duration::from_secs(3600)).unwrap().into();
        params.not_after = now.checked_add(Duration::from_secs(seconds)).unwrap().into();
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        server
            .client(&["h2", "http/1.1"], Some((chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())))
    }
}

/// A client's side of TLS.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The same, but it offers one protocol.
    pub fn only(self, protocol: &str) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self(Arc::new(config))
    }

    /// Shakes hands; gives the version of HTTP that was agreed on.
    pub async fn connect(self, socket: TcpStream) -> (TlsStream<TcpStream>, Version) {
        self.try_connect(socket).await.unwrap()
    }

    /// Shakes hands with who may refuse.
    pub async fn try_connect(self, socket: TcpStream) -> std::io::Result<(TlsStream<TcpStream>, Version)> {
        let name = ServerName::try_from("localhost").unwrap();
        let shaking = TlsConnector::from(self.0).connect(name, socket);
        let stream = timeout(PATIENCE, shaking).await.expect("hands are shaken")?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        Ok((stream, version))
    }
}
