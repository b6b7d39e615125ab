//! TLS towards upstreams: whom to trust, and who we are.
//!
//! The files are read once, when a configuration is loaded; changed files make a new [`Tls`], and the
//! pool opens new connections for it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// The files and names of `upstreams.NAME.tls`; all are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the roots to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM: our certificate, the leaf first; needs `key`.
    pub cert: Option<PathBuf>,
    /// PEM: our private key; needs `cert`.
    pub key: Option<PathBuf>,
    /// The name to verify instead of the endpoint's host.
    pub server_name: Option<String>,
}

/// Why TLS cannot be set up.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file holds no certificate or key.
    Pem(PathBuf, rustls::pki_types::pem::Error),
    /// `cert` without `key`, or the reverse.
    HalfIdentity,
    /// What was read does not work together.
    Unusable(rustls::Error),
    /// No DNS name and no IP address.
    ServerName(String),
    /// The system has no roots, and none are given.
    NoRoots,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Pem(path, error) => write!(f, "{} is no usable PEM file: {error}", path.display()),
            Self::HalfIdentity => f.write_str("a client certificate needs both `cert` and `key`"),
            Self::Unusable(error) => write!(f, "the certificates cannot be used: {error}"),
            Self::ServerName(name) => write!(f, "`{name}` is neither a DNS name nor an IP address"),
            Self::NoRoots => f.write_str("this system has no trusted roots; name them with `ca`"),
        }
    }
}

impl std::error::Error for TlsError {}

/// A ready client configuration, equal to another when the files held the same.
#[derive(Clone, Debug)]
pub struct Tls {
    /// HTTP/2 by ALPN.
    pub(super) config: Arc<ClientConfig>,
    pub(super) server_name: Option<ServerName<'static>>,
    material: Material,
}

/// What the files held, and the name: the identity of connections made with it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Material {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    server_name: Option<String>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.material == other.material
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.material.hash(state);
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let material = Material {
            ca: files.ca.as_deref().map(read).transpose()?,
            cert: files.cert.as_deref().map(read).transpose()?,
            key: files.key.as_deref().map(read).transpose()?,
            server_name: files.server_name.clone(),
        };
        let roots = match (&files.ca, &material.ca) {
            (Some(path), Some(pem)) => roots_from(certificates(path, pem)?)?,
            _ => system_roots()?,
        };
        let builder = builder()?.with_root_certificates(roots);
        let config = match (&files.cert, &material.cert, &files.key, &material.key) {
            (Some(cert_path), Some(cert), Some(key_path), Some(key)) => {
                let chain = certificates(cert_path, cert)?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| TlsError::Pem(key_path.clone(), error))?;
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Unusable)?
            }
            (None, _, None, _) => builder.with_no_client_auth(),
            _ => return Err(TlsError::HalfIdentity),
        };
        let server_name = files.server_name.as_deref().map(server_name).transpose()?;
        Ok(Self { config: with_alpn(config), server_name, material })
    }

    /// The system's roots and no client certificate, made once for the process.
    ///
    /// # Errors
    /// When the system has no roots.
    pub fn system() -> Result<Arc<Self>, TlsError> {
        static SYSTEM: OnceLock<Arc<Tls>> = OnceLock::new();
        if let Some(tls) = SYSTEM.get() {
            return Ok(tls.clone());
        }
        let tls = Arc::new(Self::load(&TlsFiles::default())?);
        Ok(SYSTEM.get_or_init(|| tls).clone())
    }
}

/// The name that a certificate is verified for.
///
/// # Errors
/// When it is neither a DNS name nor an IP address.
pub fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)
}

fn with_alpn(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| TlsError::Pem(path.to_owned(), error))?;
    if certificates.is_empty() {
        return Err(TlsError::Pem(path.to_owned(), rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn roots_from(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    Ok(roots)
}

/// Roots of the system that cannot be parsed are left out, as every TLS client does.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

#[cfg(test)]
mod tests;
