//! From an address to a socket: TCP, TLS over it, or a Unix socket.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::tls::{self, Tls};
use super::wire::Socket;

/// How long sent bytes may stay unacknowledged before the kernel gives the peer up (gRFC A18).
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an address has to answer before the next is tried, too (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

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
        Place::Host(host, port) => {
            let addresses = lookup_host((host.as_str(), *port)).await?;
            secure(connect(alternating(addresses)).await?, security).await
        }
        Place::Address(address) => secure(TcpStream::connect(address).await?, security).await,
        Place::Unix(path) => encrypt(UnixStream::connect(path).await?, security).await,
    }
}

/// Connects to the first of some addresses that answers. The next is tried when one fails, and beside one that
/// does not answer for a while: a way that leads nowhere must not keep others from being tried.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut tries = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
    loop {
        tries.extend(addresses.next().map(TcpStream::connect));
        tokio::select! {
            Some(outcome) = tries.next() => match outcome {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = error,
            },
            () = sleep(STAGGER), if addresses.len() > 0 => {}
            else => return Err(failure),
        }
    }
}

/// Addresses of IPv4 and IPv6 in turn, the first one's family first (RFC 8305 §4).
fn alternating(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.peekable();
    let first = addresses.peek().map(SocketAddr::is_ipv6);
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.partition(|address| Some(address.is_ipv6()) == first);
    let mut mixed = Vec::with_capacity(one.len() + other.len());
    while !one.is_empty() || !other.is_empty() {
        mixed.extend(one.pop_front());
        mixed.extend(other.pop_front());
    }
    mixed
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

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    /// An address where no SYN is answered, as behind a route that leads nowhere: the queue of a listener that
    /// nobody accepts from is full.
    fn black_hole() -> (SocketAddr, Vec<Socket>) {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut sockets = vec![listener];
        sockets.extend((0..4).map(|_| {
            let filling = socket();
            filling.set_nonblocking(true).unwrap();
            // In progress: whether it is ever accepted does not matter.
            let _ = filling.connect(&address.into());
            filling
        }));
        (address, sockets)
    }

    #[tokio::test]
    async fn n08_an_address_that_does_not_answer_keeps_no_other_from_being_tried() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = alive.local_addr().unwrap();
        let ((dead, _filled), refused) = (black_hole(), SocketAddr::from(([127, 0, 0, 1], 1)));
        for addresses in [vec![dead, alive], vec![refused, alive], vec![dead, refused, dead, alive]] {
            let started = std::time::Instant::now();
            let socket = connect(addresses.clone()).await.unwrap();
            assert_eq!(socket.peer_addr().unwrap(), alive, "{addresses:?}");
            assert!(started.elapsed() < Duration::from_secs(5), "{addresses:?}: {:?}", started.elapsed());
        }
        assert!(connect(vec![refused, refused]).await.is_err());
        assert_eq!(connect(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn families_take_turns() {
        let four = |last| SocketAddr::from(([10, 0, 0, last], 1));
        let six = |last| SocketAddr::from((Ipv6Addr::new(1, 0, 0, 0, 0, 0, 0, last), 1));
        let mixed = alternating([six(1), six(2), six(3), four(1)].into_iter());
        assert_eq!(mixed, [six(1), four(1), six(2), six(3)]);
        assert_eq!(alternating([four(1), four(2)].into_iter()), [four(1), four(2)]);
        assert_eq!(alternating([].into_iter()), []);
    }
}
