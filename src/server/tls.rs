//! TLS at the public listener: certificates from PEM files, replaced while connections run.
//!
//! A certificate and its key are read together and taken only when they belong together; until then
//! the old pair serves. Clients choose HTTP/2 or HTTP/1.1 by ALPN (RFC 7301).

mod client;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::model::{ClientAuth, ServerTls};
use crate::config::problem::{Located, Problem};
use crate::telemetry::guard::ClientCertificate;

/// The certificate that new connections are shown.
pub(super) struct Tls {
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files of `server.tls`.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(super) fn load(files: &ServerTls) -> Result<Self, Problem> {
        Ok(Self { current: ArcSwap::from_pointee(read(files)?) })
    }

    /// Reads the files again; what is wrong with them changes nothing.
    pub(super) fn reload(&self, files: &ServerTls) -> Result<(), Problem> {
        self.current.store(Arc::new(read(files)?));
        Ok(())
    }

    /// Shakes hands, for as long as `limit`.
    pub(super) async fn accept(&self, stream: TcpStream, limit: Duration) -> Option<TlsStream<TcpStream>> {
        let accepting = TlsAcceptor::from(self.current.load_full()).accept(stream);
        match tokio::time::timeout(limit, accepting).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("TLS handshake timed out");
                None
            }
        }
    }
}

/// The certificate that a client has shown and that was verified.
pub(super) fn client_certificate(connection: &rustls::ServerConnection) -> Option<ClientCertificate> {
    client::certificate(connection.peer_certificates()?.first()?)
}

/// A new configuration has sessions of its own: a client that was vouched for by other roots cannot resume.
fn read(files: &ServerTls) -> Result<ServerConfig, Problem> {
    let chain = certificates(&files.cert)?;
    let key = private_key(&files.key)?;
    let clients = match &files.clients {
        Some(clients) => verifier(clients)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_client_cert_verifier(clients).with_single_cert(chain, key))
        .map_err(|error| {
            Problem::error(
                files.key.at.clone(),
                format!("{} cannot be used with {}: {error}", show(&files.key), show(&files.cert)),
            )
            .help("the key has to be the one that the first certificate was made for")
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Who may vouch for clients, and whether one may come without a certificate.
fn verifier(clients: &ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let unusable = |error: &dyn std::fmt::Display| {
        let message = format!("{} cannot be used to verify clients: {error}", show(&clients.ca));
        Problem::error(clients.ca.at.clone(), message)
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&clients.ca)? {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| unusable(&error))
}

fn certificates(file: &Located<std::path::PathBuf>) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let unreadable = |error: rustls::pki_types::pem::Error| {
        Problem::error(file.at.clone(), format!("{} cannot be read: {error}", show(file)))
            .help("certificates in PEM, the server's own first")
    };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(&file.value).and_then(Iterator::collect).map_err(unreadable)?;
    if chain.is_empty() {
        return Err(unreadable(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn private_key(file: &Located<std::path::PathBuf>) -> Result<PrivateKeyDer<'static>, Problem> {
    PrivateKeyDer::from_pem_file(&file.value).map_err(|error| {
        Problem::error(file.at.clone(), format!("{} cannot be read: {error}", show(file)))
            .help("one private key in PEM, not encrypted")
    })
}

fn show(file: &Located<std::path::PathBuf>) -> std::path::Display<'_> {
    Path::new(&file.value).display()
}

#[cfg(test)]
mod tests;
