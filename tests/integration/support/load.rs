//! Clients that ask again and again, each on a connection of its own, and what became of their requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A request, and whether an answer to it is good.
pub type Make = fn(client: usize, number: usize) -> http::Request<Full<Bytes>>;

/// What a client that waited longer has noticed.
const NOTICED: Duration = Duration::from_secs(1);

/// Clients at work; they end when told, or when dropped.
pub struct Load {
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<()>>,
}

/// What became of requests so far.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    good: AtomicUsize,
    slow: AtomicUsize,
    bad: Mutex<Vec<String>>,
}

/// What became of requests within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub good: usize,
    /// Good, but so late that somebody noticed.
    pub slow: usize,
    pub bad: usize,
}

impl Count {
    pub const fn all(self) -> usize {
        self.good + self.bad
    }

    /// What has come since.
    pub const fn since(self, before: Self) -> Self {
        Self { good: self.good - before.good, slow: self.slow - before.slow, bad: self.bad - before.bad }
    }
}

impl Load {
    /// Starts so many clients.
    pub fn start(gateway: SocketAddr, clients: usize, make: Make) -> Self {
        let tally = Arc::<Tally>::default();
        let ask = |client| tokio::spawn(ask(gateway, client, make, Arc::clone(&tally)));
        Self { clients: (0..clients).map(ask).collect(), tally }
    }

    pub fn count(&self) -> Count {
        let tally = &self.tally;
        Count {
            good: tally.good.load(Ordering::Relaxed),
            slow: tally.slow.load(Ordering::Relaxed),
            bad: tally.bad.lock().unwrap().len(),
        }
    }

    /// Lets every client finish its last request; what went wrong, all in all.
    pub async fn finish(mut self) -> (Count, Vec<String>) {
        self.tally.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.await.unwrap();
        }
        let bad = self.tally.bad.lock().unwrap().clone();
        (self.count(), bad)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
    }
}

async fn ask(gateway: SocketAddr, client: usize, make: Make, tally: Arc<Tally>) {
    let mut connection = None;
    for number in 0.. {
        if tally.stop.load(Ordering::Relaxed) {
            return;
        }
        let mut sender = match connection.take() {
            Some(sender) => sender,
            None => connect(gateway).await,
        };
        let started = Instant::now();
        match answer(&mut sender, make(client, number)).await {
            Ok(()) => {
                tally.good.fetch_add(1, Ordering::Relaxed);
                if started.elapsed() > NOTICED {
                    tally.slow.fetch_add(1, Ordering::Relaxed);
                }
                connection = Some(sender);
            }
            Err(why) => tally.bad.lock().unwrap().push(why),
        }
    }
}

async fn connect(gateway: SocketAddr) -> SendRequest<Full<Bytes>> {
    let socket = TcpStream::connect(gateway).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

/// A good answer is 200, complete, and says of no error within.
async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: http::Request<Full<Bytes>>,
) -> Result<(), String> {
    sender.ready().await.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| format!("{status}: {error}"))?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    if status == 200 && !text.contains("\"error\"") { Ok(()) } else { Err(format!("{status}: {text}")) }
}

/// A request as clients of the shop make it.
pub fn request(method: &str, target: &str, body: impl Into<Bytes>) -> http::Request<Full<Bytes>> {
    let builder = http::Request::builder().method(method).uri(target).header("host", "shop");
    builder.header("accept", "application/x-ndjson, application/json").body(Full::new(body.into())).unwrap()
}
