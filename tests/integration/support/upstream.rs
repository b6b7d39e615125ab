//! A gRPC upstream that does what a script says, and remembers what it was asked.
//!
//! ```ignore
//! let upstream = Upstream::start(|seen| match seen.path.as_str() {
//!     "/shop.Shop/Get" => Script::unary("reply"),
//!     _ => Script::status(12, "no such method"),
//! }).await;
//! ```

mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::script::Script;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

type Scripts = Arc<dyn Fn(&Seen) -> Script + Send + Sync>;

/// A running upstream; it ends when dropped.
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<State>,
    accept: JoinHandle<()>,
}

struct State {
    scripts: Scripts,
    builder: h2::server::Builder,
    seen: watch::Sender<Vec<Arc<Seen>>>,
    connections: watch::Sender<usize>,
    /// For all connections at once.
    command: broadcast::Sender<Command>,
    frozen: AtomicBool,
}

/// What happens to whole connections.
#[derive(Clone, Copy, Debug)]
enum Command {
    GoAway,
    Abort(Reason),
    HangUp,
    Freeze,
}

/// A call as the upstream saw it.
#[derive(Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub authority: String,
    /// On which connection, from 1.
    pub connection: usize,
    pub messages: Mutex<Vec<Bytes>>,
    /// How the client's side ended.
    ended: watch::Sender<Option<Ended>>,
}

/// How the client's side of a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All messages have arrived.
    Well,
    /// It was reset.
    Reset(Reason),
    /// The connection broke.
    Broken,
}

impl Seen {
    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The messages so far.
    pub fn messages(&self) -> Vec<Bytes> {
        self.messages.lock().unwrap().clone()
    }

    /// Waits until the client resets the call, and says with which error code.
    pub async fn reset(&self) -> Reason {
        let mut ended = self.ended.subscribe();
        let reset = ended.wait_for(|ended| matches!(ended, Some(Ended::Reset(_))));
        match *timeout(PATIENCE, reset).await.expect("the client resets the call").unwrap() {
            Some(Ended::Reset(reason)) => reason,
            _ => unreachable!("waited for a reset"),
        }
    }

    /// How the client's side ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        *self.ended.borrow()
    }
}

/// How an upstream listens and speaks.
#[derive(Default)]
pub struct Options {
    address: Option<SocketAddr>,
    unix: Option<PathBuf>,
    tls: Option<Arc<rustls::ServerConfig>>,
    builder: h2::server::Builder,
}

impl Options {
    /// Listens where another upstream did.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Listens on a Unix socket.
    pub fn unix(mut self, path: PathBuf) -> Self {
        self.unix = Some(path);
        self
    }

    /// Speaks TLS.
    pub fn tls(mut self, config: rustls::ServerConfig) -> Self {
        self.tls = Some(Arc::new(config));
        self
    }

    /// Allows so many streams on a connection.
    pub fn max_streams(mut self, max: u32) -> Self {
        self.builder.max_concurrent_streams(max);
        self
    }

    /// Changes anything else of HTTP/2.
    pub fn http2(mut self, change: impl FnOnce(&mut h2::server::Builder)) -> Self {
        change(&mut self.builder);
        self
    }

    /// Starts to listen.
    pub async fn start(self, scripts: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Upstream {
        let state = Arc::new(State {
            scripts: Arc::new(scripts),
            builder: self.builder,
            seen: watch::Sender::new(Vec::new()),
            connections: watch::Sender::new(0),
            command: broadcast::Sender::new(16),
            frozen: AtomicBool::new(false),
        });
        if let Some(path) = self.unix {
            let listener = UnixListener::bind(path).unwrap();
            let accept = tokio::spawn(accept_unix(listener, state.clone()));
            return Upstream { address: ([127, 0, 0, 1], 0).into(), state, accept };
        }
        let address = self.address.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accept = tokio::spawn(accept_tcp(listener, self.tls.map(TlsAcceptor::from), state.clone()));
        Upstream { address, state, accept }
    }
}

impl Upstream {
    /// An upstream on a free port of this machine.
    pub async fn start(scripts: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        Options::default().start(scripts).await
    }

    /// An upstream with options.
    pub fn options() -> Options {
        Options::default()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Arc<Seen>> {
        self.state.seen.borrow().clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        *self.state.connections.borrow()
    }

    /// Waits for the call of a number, from 0.
    pub async fn call(&self, number: usize) -> Arc<Seen> {
        let mut seen = self.state.seen.subscribe();
        let enough = seen.wait_for(|seen| seen.len() > number);
        timeout(PATIENCE, enough).await.expect("the call arrives").unwrap()[number].clone()
    }

    /// Waits until so many connections were accepted.
    pub async fn connected(&self, count: usize) {
        let mut connections = self.state.connections.subscribe();
        let enough = connections.wait_for(|connections| *connections >= count);
        timeout(PATIENCE, enough).await.expect("the client connects").unwrap();
    }

    /// Sends GOAWAY on all connections, gracefully.
    pub fn go_away(&self) {
        // Without connections nobody listens.
        let _ = self.state.command.send(Command::GoAway);
    }

    /// Ends all connections with GOAWAY and an error.
    pub fn abort(&self, reason: Reason) {
        let _ = self.state.command.send(Command::Abort(reason));
    }

    /// Takes no new connections and calls; waits until those in flight have ended.
    pub async fn drain(&self) {
        self.accept.abort();
        self.go_away();
        let ended = async {
            // The address is free for the next.
            while !self.accept.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            while self.state.command.receiver_count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, ended).await.expect("calls end");
    }

    /// Stops as a process does that gets SIGSTOP: the kernel still accepts, and nobody reads.
    pub fn freeze(&self) {
        self.state.frozen.store(true, Ordering::Relaxed);
        let _ = self.state.command.send(Command::Freeze);
    }

    /// Closes all connections, and listens no more.
    pub async fn kill(self) -> SocketAddr {
        self.accept.abort();
        // Only then has every connection that was accepted an ear.
        while !self.accept.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = self.state.command.send(Command::HangUp);
        while self.state.command.receiver_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accept.abort();
        let _ = self.state.command.send(Command::HangUp);
    }
}

async fn accept_tcp(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        // It hears what is told from now on, not first when its task runs.
        let commands = state.command.subscribe();
        tokio::spawn(secure(socket, tls.clone(), state.clone(), commands));
    }
}

async fn secure(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    commands: broadcast::Receiver<Command>,
) {
    match tls {
        None => serve(socket, state, commands).await,
        Some(tls) => {
            // A client that does not trust us is what some tests want.
            if let Ok(socket) = tls.accept(socket).await {
                serve(socket, state, commands).await;
            }
        }
    }
}

async fn accept_unix(listener: UnixListener, state: Arc<State>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let commands = state.command.subscribe();
        tokio::spawn(serve(socket, state.clone(), commands));
    }
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<State>,
    mut commands: broadcast::Receiver<Command>,
) {
    if state.frozen.load(Ordering::Relaxed) {
        return std::future::pending().await;
    }
    let mut number = 0;
    state.connections.send_modify(|connections| {
        *connections += 1;
        number = *connections;
    });
    let Ok(mut connection) = state.builder.handshake::<_, Bytes>(socket).await else { return };
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command.unwrap_or(Command::HangUp) {
                Command::GoAway => connection.graceful_shutdown(),
                Command::Abort(reason) => connection.abrupt_shutdown(reason),
                Command::HangUp => return,
                Command::Freeze => std::future::pending().await,
            },
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    tokio::spawn(stream::run(request, respond, number, state.clone()));
                }
                Some(Err(_)) | None => return,
            },
        }
    }
}
