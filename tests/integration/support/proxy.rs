//! A network between a client and a server, as bad as a test wants it: a TCP proxy in user space, so without
//! any rights. What TCP hides (loss, order, duplicates) is seen here as TCP shows it: as delay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// What becomes of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How long they take, ± the second.
    pub latency: (Duration, Duration),
    /// How many pass in a second, each way.
    pub rate: Option<u32>,
    /// Every so many pieces one is lost on the way: it arrives when it is sent again, and with it all that
    /// waited behind it.
    pub lost: Option<usize>,
    /// What overtook its predecessors waits for them: bytes arrive in pieces so small, with pauses.
    pub pieces: Option<usize>,
    /// Of more at a time none arrive, nor anything after them on their connection.
    pub largest: Option<usize>,
    /// Whether any pass; those that wait arrive later.
    pub passes: bool,
    /// Connections that are older than this number get nothing through any more.
    pub forgotten: usize,
}

impl Weather {
    pub const FAIR: Self = Self {
        latency: (Duration::ZERO, Duration::ZERO),
        rate: None,
        lost: None,
        pieces: None,
        largest: None,
        passes: true,
        forgotten: 0,
    };
}

/// After how long a lost packet is sent again: what Linux waits at least.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// A proxy; it ends when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    resets: Arc<watch::Sender<usize>>,
    connections: Arc<watch::Sender<usize>>,
    accept: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
        self.reset();
    }
}

impl Proxy {
    /// A proxy to a server, in some weather.
    pub async fn to(server: SocketAddr, weather: Weather) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(watch::Sender::new(weather));
        let resets = Arc::new(watch::Sender::new(0));
        let connections = Arc::new(watch::Sender::new(0));
        let (over, cut, counted) = (Arc::clone(&weather), Arc::clone(&resets), Arc::clone(&connections));
        let accept = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                counted.send_modify(|count| *count += 1);
                let number = *counted.borrow();
                tokio::spawn(forward(client, server, number, over.subscribe(), cut.subscribe()));
            }
        });
        Self { address, weather, resets, connections, accept }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the weather.
    pub fn set(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Nothing passes on the connections that there are, and neither side is told.
    pub fn forget(&self) {
        let count = *self.connections.borrow();
        self.set(|weather| weather.forgotten = count);
    }

    /// Ends all connections with RST.
    pub fn reset(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }
}

async fn forward(
    client: TcpStream,
    server: SocketAddr,
    number: usize,
    weather: watch::Receiver<Weather>,
    mut resets: watch::Receiver<usize>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    for socket in [&client, &server] {
        socket.set_nodelay(true).unwrap();
        // What is closed is reset.
        SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, number, weather.clone()) => {}
        () = pump(from_server, to_client, number, weather) => {}
        _ = resets.changed() => {}
    }
}

/// Carries bytes one way until that side ends.
async fn pump(mut from: OwnedReadHalf, to: OwnedWriteHalf, number: usize, weather: watch::Receiver<Weather>) {
    let (sender, receiver) = mpsc::channel(64);
    let delivering = tokio::spawn(deliver(receiver, to, number, weather.clone()));
    let mut chunk = vec![0; 16 * 1024];
    let mut even = false;
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let (latency, jitter) = weather.borrow().latency;
        even = !even;
        let latency = if even { latency + jitter } else { latency.saturating_sub(jitter) };
        if sender.send((Instant::now() + latency, chunk[..length].to_vec())).await.is_err() {
            break;
        }
    }
    drop(sender);
    // What is under way arrives before the end does.
    let _ = delivering.await;
}

async fn deliver(
    mut chunks: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut to: OwnedWriteHalf,
    number: usize,
    mut weather: watch::Receiver<Weather>,
) {
    let mut count = 0;
    while let Some((due, chunk)) = chunks.recv().await {
        sleep_until(due).await;
        count += 1;
        let passes = |weather: &Weather| weather.passes && weather.forgotten < number;
        let now = match weather.wait_for(passes).await {
            Ok(weather) => *weather,
            Err(_) => return,
        };
        if now.largest.is_some_and(|largest| chunk.len() > largest) {
            return std::future::pending().await;
        }
        if let Some(rate) = now.rate {
            sleep(Duration::from_secs(1) * u32::try_from(chunk.len()).unwrap() / rate).await;
        }
        if now.lost.is_some_and(|lost| count % lost == 0) {
            sleep(RETRANSMISSION).await;
        }
        for piece in chunk.chunks(now.pieces.unwrap_or(chunk.len())) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            if now.pieces.is_some() {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
