//! Listening sockets: bound before anything runs, accepted from until the process drains.
//!
//! Over TCP each worker has a socket of its own in one `SO_REUSEPORT` group, or one socket is shared
//! and its connections are dealt out, as `server.accept` says; a Unix socket is always shared. What
//! becomes of a connection is its [`Destination`]'s to say.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::sleep;

use crate::config::model::Listen;
use crate::config::problem::{Located, Problem};
use crate::telemetry::guard::Draining;

/// Connections that the kernel keeps for one socket until they are accepted.
const BACKLOG: i32 = 4_096;

/// How long to wait when nothing can be accepted: doubled from the first to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A bound socket, in no runtime: any worker may take it.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(StdTcpListener),
    Unix(StdUnixListener, PathBuf),
}

impl Listener {
    /// Where it listens: the port is known even where port 0 was asked for.
    pub(super) fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Self::Unix(_, path) => Ok(Listen::Unix(path.clone())),
        }
    }
}

/// Binds one address: `sockets` of them over TCP, one over a Unix socket.
///
/// # Errors
/// A problem at the place that names the address.
pub(super) fn bind(listen: &Located<Listen>, sockets: usize) -> Result<Vec<Listener>, Problem> {
    let bound = match &listen.value {
        Listen::Tcp(address) => bind_group(*address, sockets),
        Listen::Unix(path) => bind_unix(path).map(|listener| vec![listener]),
    };
    bound.map_err(|error| refused(listen, &error))
}

/// A bound socket for the admin listener.
pub(super) fn bind_one(listen: &Located<SocketAddr>) -> Result<StdTcpListener, Problem> {
    bind_tcp(listen.value, false).map_err(|error| {
        refused(&Located { value: Listen::Tcp(listen.value), at: listen.at.clone() }, &error)
    })
}

fn refused(listen: &Located<Listen>, error: &io::Error) -> Problem {
    let address = Shown(&listen.value);
    let at = listen.at.clone();
    match error.kind() {
        ErrorKind::AddrInUse => Problem::error(at, format!("{address} is already in use"))
            .help("end the process that listens there, or listen at another address"),
        ErrorKind::PermissionDenied => Problem::error(at, format!("listening at {address} is not permitted"))
            .help("ports below 1024 and folders of others need a privilege; choose another address"),
        ErrorKind::AddrNotAvailable => Problem::error(at, format!("{address} is no address of this machine"))
            .help("0.0.0.0 or [::] listens at all of its addresses"),
        _ => Problem::error(at, format!("listening at {address} failed: {error}")),
    }
}

/// An address as it is written in the configuration.
pub(super) struct Shown<'a>(pub &'a Listen);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn bind_group(address: SocketAddr, sockets: usize) -> io::Result<Vec<Listener>> {
    // `SO_REUSEPORT` would let this process join the sockets of another Transom in silence: only a
    // socket without it finds out that the address is taken.
    let probe = bind_tcp(address, false)?;
    if sockets <= 1 {
        return Ok(vec![Listener::Tcp(probe)]);
    }
    let address = probe.local_addr()?;
    drop(probe);
    (0..sockets).map(|_| bind_tcp(address, true).map(Listener::Tcp)).collect()
}

fn bind_tcp(address: SocketAddr, group: bool) -> io::Result<StdTcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(group)?;
    // Accepted sockets inherit it: an answer never waits for more of itself (RFC 896).
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds a path. A socket file that nobody listens on any more is replaced.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    let bound = match StdUnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            StdUnixListener::bind(path)
        }
        bound => bound,
    }?;
    bound.set_nonblocking(true)?;
    Ok(Listener::Unix(bound, path.to_owned()))
}

/// Whether it is a socket that nobody listens on. Connecting to any other file is refused as well.
fn is_abandoned(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket
        && matches!(StdUnixStream::connect(path), Err(error) if error.kind() == ErrorKind::ConnectionRefused)
}

/// A client's connection, in the runtime that accepted it.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Accepted {
    /// The address of the client; a Unix socket has none.
    pub(super) const fn client(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, client) => Some(*client),
            Self::Unix(_) => None,
        }
    }

    /// Takes it out of this runtime.
    pub(super) fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Tcp(stream, client) => Detached::Tcp(stream.into_std()?, client),
            Self::Unix(stream) => Detached::Unix(stream.into_std()?),
        })
    }
}

/// A client's connection between two runtimes.
#[derive(Debug)]
pub(super) enum Detached {
    Tcp(StdTcpStream, SocketAddr),
    Unix(StdUnixStream),
}

impl Detached {
    /// Takes it into this runtime.
    pub(super) fn attach(self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(stream, client) => Accepted::Tcp(TcpStream::from_std(stream)?, client),
            Self::Unix(stream) => Accepted::Unix(UnixStream::from_std(stream)?),
        })
    }
}

/// Where accepted connections go.
pub(super) trait Destination {
    /// Whether there is room for one more; if not, it waits in the kernel's queue.
    fn has_room(&self) -> bool;
    /// Takes one.
    fn take(&mut self, accepted: Accepted);
}

/// Accepts until the process drains, then what the kernel's queue holds, and closes the socket:
/// closing it earlier would reset who waits there.
///
/// # Errors
/// When the socket cannot be registered with the runtime. Errors of accepting are never the end.
pub(super) async fn accept(
    listener: Listener,
    draining: Draining,
    mut destination: impl Destination,
) -> io::Result<()> {
    let listener = Registered::new(listener)?;
    let mut wait = BACK_OFF.0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = draining.drained() => break,
            () = sleep(BACK_OFF.0), if !destination.has_room() => continue,
            accepted = listener.accept(), if destination.has_room() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                wait = BACK_OFF.0;
                destination.take(accepted);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted for now");
                sleep(wait).await;
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
    }
    listener.close(&mut destination)
}

/// Errors that accept(2) passes on from a connection which is gone already.
fn is_about_one_connection(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted)
}

/// A socket in a runtime.
enum Registered {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Registered {
    fn new(listener: Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(Self::Tcp),
            Listener::Unix(listener, path) => {
                UnixListener::from_std(listener).map(|listener| Self::Unix(listener, path))
            }
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, client)| Accepted::Tcp(stream, client))
            }
            Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }

    /// Takes what waits, without regard to room: it has been promised a server.
    fn close(self, destination: &mut impl Destination) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let listener = listener.into_std()?;
                while let Ok((stream, client)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    destination.take(Detached::Tcp(stream, client).attach()?);
                }
            }
            Self::Unix(listener, path) => {
                let listener = listener.into_std()?;
                // First of all, so that the next process can bind the path.
                std::fs::remove_file(path)?;
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    destination.take(Detached::Unix(stream).attach()?);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
