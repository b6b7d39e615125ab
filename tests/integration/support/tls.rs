//! A certificate for `localhost`, and a client that trusts it and nothing else.

use std::sync::Arc;

use http::Version;
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
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Trust(Arc::new(config))
    }
}

/// A client's side of TLS.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Shakes hands; gives the version of HTTP that was agreed on.
    pub async fn connect(self, socket: TcpStream) -> (TlsStream<TcpStream>, Version) {
        let name = ServerName::try_from("localhost").unwrap();
        let shaking = TlsConnector::from(self.0).connect(name, socket);
        let stream = timeout(PATIENCE, shaking).await.expect("hands are shaken").unwrap();
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        (stream, version)
    }
}
