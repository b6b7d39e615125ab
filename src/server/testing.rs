//! A server in a test's own runtime: a listener, a door and a router that the test brings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::front::Door;
use super::limits::Limits;
use super::listener::{self, Listener};
use super::worker::Home;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::guard::Drain;

/// Longer than anything may take that a test waits for.
pub(super) const LONG: Duration = Duration::from_secs(20);

/// Short enough to be waited for, long enough for everything else on a busy machine.
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// A running server.
pub(super) struct Server {
    pub address: SocketAddr,
    pub drain: Drain,
    /// Ends when the listener is closed and the last connection gone.
    pub ended: JoinHandle<()>,
}

impl Server {
    /// Serves `router` with `limits`.
    pub(super) fn start(router: Router, limits: Limits) -> Self {
        let (drain, draining) = Drain::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Arc::new(limits);
        let door = Door::new(router, AccessLog::disabled(), draining.clone(), Arc::clone(&limits));
        let (home, mut released) = Home::new(door, None, limits);
        let ended = tokio::spawn(async move {
            listener::accept(Listener::Tcp(listener), draining, home).await.unwrap();
            released.recv().await;
        });
        Self { address, drain, ended }
    }

    /// Serves [`router`] with `limits`.
    pub(super) fn plain(limits: Limits) -> Self {
        Self::start(router(), limits)
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads all that is answered until the server closes it.
    pub(super) async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read_all(&mut stream).await
    }
}

/// `/` answers `hello`, everything else `found` and how long its body was.
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .fallback(async |body: Bytes| Response::new(Body::from(format!("found {}", body.len()))))
}

/// Everything until the end of the stream, which has to come. A reset counts as the end.
pub(super) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await;
    drop(reading.expect("the server closes the connection"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One response of HTTP/1.1 with a `Content-Length`.
pub(super) async fn read_response(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let mut buffer = [0; 1024];
        let read = tokio::time::timeout(LONG, stream.read(&mut buffer)).await.expect("an answer comes");
        let read = read.unwrap();
        assert_ne!(read, 0, "closed after {text:?}");
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// A client of HTTP/2, its connection driven in the background; the handle ends with the connection.
pub(super) async fn http2(
    server: &Server,
) -> (h2::client::SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (client, connection) = h2::client::handshake(server.connect().await).await.unwrap();
    (client, tokio::spawn(connection))
}

/// Waits for something that has to happen.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("this happens")
}

/// What [`CONFIG`] takes its schema from.
const PROTO: &str = "syntax = \"proto3\";\npackage t;\nservice S { rpc M(R) returns (R); }\nmessage R {}\n";

/// A configuration of one upstream with one method, for [`Files`].
pub(super) const CONFIG: &str = "[[schema]]\nprotos = [\"*.proto\"]\ninclude = [\".\"]\n\n[upstreams.t]\nendpoints = [\"http://127.0.0.1:1\"]\n";

/// A folder with a configuration that can be loaded.
pub(super) struct Files(tempfile::TempDir);

impl Files {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.proto"), PROTO).unwrap();
        let files = Self(folder);
        files.write(CONFIG);
        files
    }

    /// The configuration.
    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("gateway.toml")
    }

    /// Writes the configuration anew.
    pub(super) fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }
}
