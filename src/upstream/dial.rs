//! From an address to a socket: TCP, TLS over it, or a Unix socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::tls::{self, Tls};
use super::wire::Socket;

/// How long sent bytes may stay unacknowledged before the kernel gives the peer up (gRFC A18).
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Where one connection goes: an address after names that stand for several were resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A host, looked up when it is dialed, and a port; IPv6 without brackets.
    Host(String, u16),
    /// One address of a name that stands for several.
    Address(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Address(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// TLS for one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Security {
    tls: Arc<Tls>,
    name: ServerName<'static>,
}

impl Security {
    /// Verifies the peer as `host`, unless `tls` names another.
    ///
    /// # Errors
    /// When the host can stand in no certificate.
    pub fn new(tls: Arc<Tls>, host: &str) -> Result<Self, tls::TlsError> {
        let name = tls.server_name.clone().map_or_else(|| tls::server_name(host), Ok)?;
        Ok(Self { tls, name })
    }
}

/// Opens a socket; the caller limits the time.
///
/// # Errors
/// When no address of the place answers, or TLS fails.
pub async fn dial(place: &Place, security: Option<&Security>) -> io::Result<Box<dyn Socket>> {
    match place {
        // tokio tries every address of the host in turn.
        Place::Host(host, port) => secure(TcpStream::connect((host.as_str(), *port)).await?, security).await,
        Place::Address(address) => secure(TcpStream::connect(address).await?, security).await,
        Place::Unix(path) => encrypt(UnixStream::connect(path).await?, security).await,
    }
}

async fn secure(tcp: TcpStream, security: Option<&Security>) -> io::Result<Box<dyn Socket>> {
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&tcp).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    encrypt(tcp, security).await
}

async fn encrypt(socket: impl Socket + 'static, security: Option<&Security>) -> io::Result<Box<dyn Socket>> {
    let Some(Security { tls, name }) = security else {
        return Ok(Box::new(socket));
    };
    let stream = TlsConnector::from(tls.config.clone()).connect(name.clone(), socket).await?;
    // A peer that does not know ALPN at all may still speak HTTP/2; one that chose anything else does not.
    match stream.get_ref().1.alpn_protocol() {
        None | Some(b"h2") => Ok(Box::new(stream)),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak HTTP/2")),
    }
}
