//! Starts the sample services on a tonic server with a thread of its own, and ends them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::DESCRIPTORS;
use super::bookshop::{Bookshop, Shop};
use super::chat::Chat;
use super::failures::Failures;
use super::files::Files;
use super::import::Import;
use super::proto::transom::demo::v1::bookshop_server::BookshopServer;
use super::proto::transom::demo::v1::chat_server::ChatServer;
use super::proto::transom::demo::v1::failures_server::FailuresServer;
use super::proto::transom::demo::v1::files_server::FilesServer;
use super::proto::transom::demo::v1::import_server::ImportServer;
use super::proto::transom::demo::v1::ticker_server::TickerServer;
use super::ticker::Ticker;

/// Concurrent calls of one connection.
const MAX_STREAMS: u32 = 4096;

/// Streams that a client may reset before they were taken up. h2 takes more than 20 for an attack and ends
/// the connection; a gateway whose clients leave all at once resets that many in good faith.
const MAX_PENDING_RESETS: usize = 1024;

/// Flow-control windows, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The largest list of headers, in bytes.
const MAX_HEADERS: u32 = 32 * 1024;

/// How often a silent connection is asked whether it lives, and how long it may take to answer.
const PING_AFTER: Duration = Duration::from_secs(60);
const PING_ANSWER: Duration = Duration::from_secs(20);

/// The largest message that a service takes, in bytes.
const MAX_MESSAGE: usize = 2 << 20;

/// Running sample services; they end when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where they listen.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the sample services at `listen`; port 0 takes a free one.
///
/// They run on a thread of their own, so this works inside and outside of a runtime.
///
/// # Errors
/// When the address cannot be listened on, or the system has no thread or descriptor left.
pub fn start(listen: SocketAddr) -> io::Result<Running> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("demo".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, stopped)) {
            tracing::error!(%error, "the sample services have ended");
        }
    })?;
    Ok(Running { addr, stop: Some(stop), thread: Some(thread) })
}

impl Running {
    /// Ends the services now, calls in flight included, and waits until they are gone.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Dropping the sender is the signal.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the sample services has panicked");
        }
    }
}

/// Serves until `stopped` resolves, which it also does when its sender is dropped.
async fn serve(listener: TcpListener, stopped: oneshot::Receiver<()>) -> Result<(), tonic::transport::Error> {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => TcpIncoming::from(listener).with_nodelay(Some(true)),
        Err(error) => {
            tracing::error!(%error, "the sample services cannot use their socket");
            return Ok(());
        }
    };
    tokio::select! {
        served = routes().serve_with_incoming(listener) => served,
        // Endless streams would never let a graceful end come: what is in flight ends with the runtime.
        _ = stopped => Ok(()),
    }
}

fn routes() -> tonic::transport::server::Router {
    let shop = Shop::seeded();
    let bookshop = BookshopServer::new(Bookshop { shop: shop.clone() });
    let chat = ChatServer::new(Chat { shop: shop.clone() });
    let files = FilesServer::new(Files::new());
    let import = ImportServer::new(Import { shop });
    server()
        .add_service(bookshop.max_decoding_message_size(MAX_MESSAGE))
        .add_service(chat.max_decoding_message_size(MAX_MESSAGE))
        .add_service(FailuresServer::new(Failures).max_decoding_message_size(MAX_MESSAGE))
        .add_service(files.max_decoding_message_size(MAX_MESSAGE))
        .add_service(import.max_decoding_message_size(MAX_MESSAGE))
        .add_service(TickerServer::new(Ticker).max_decoding_message_size(MAX_MESSAGE))
        .add_optional_service(reflection().build_v1().ok())
        .add_optional_service(reflection().build_v1alpha().ok())
}

/// Our own descriptors cannot but be read.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(DESCRIPTORS)
}

fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keepalive_interval(Some(PING_AFTER))
        .http2_keepalive_timeout(Some(PING_ANSWER))
}
