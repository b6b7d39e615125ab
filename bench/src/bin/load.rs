//! The load generator: one case, over keep-alive connections, every answer checked; one line of JSON comes out.
//!
//! `load CASE FRONT ADDRESS CONNECTIONS SECONDS [PID,PID… [RATE]]`. FRONT is `h1`, `h2` (both JSON), `socket` (JSON
//! over WebSocket), `grpc-h1` or `grpc`. Without RATE the loop is closed. With it (requests a second) requests fall due by the clock
//! and a latency counts from when its request was due, so that a stall is seen by all it delayed. What the variable
//! AUTHORIZATION holds goes with each request as that header.

use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::LocalSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use transom_bench::usage::{self, Usage};
use transom_bench::work::{self, Case};

type Failure = Box<dyn Error>;

/// How long the connections run before what counts begins, in parts of the whole.
const WARM_UP: f64 = 0.25;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, front, address, connections, seconds, rest @ ..] = arguments.as_slice() else {
        return Err("usage: load CASE FRONT ADDRESS CONNECTIONS SECONDS [PID,PID… [RATE]]".into());
    };
    let case = work::cases().into_iter().find(|case| case.name == name).ok_or("no such case")?;
    let pids: Vec<u32> =
        rest.first().map_or(Ok(Vec::new()), |list| list.split(',').map(str::parse).collect())?;
    let rate: Option<f64> = rest.get(1).map(|text| text.parse()).transpose()?;
    let plan = Plan::new(&case, front, address, Duration::from_secs_f64(seconds.parse()?));
    let local = LocalSet::new();
    let report = local.run_until(run(Rc::new(plan), connections.parse()?, &pids, rate)).await?;
    println!("{report}");
    Ok(())
}

/// What every connection does.
struct Plan {
    address: String,
    http2: bool,
    grpc: bool,
    socket: bool,
    authorization: Option<String>,
    method: Method,
    target: String,
    body: Bytes,
    status: StatusCode,
    least: usize,
    begin: Instant,
    end: Instant,
}

impl Plan {
    fn new(case: &Case, front: &str, address: &str, span: Duration) -> Self {
        let (http2, grpc) = (matches!(front, "h2" | "grpc"), front.starts_with("grpc"));
        let path = if grpc { case.rpc } else { case.path };
        let target = if http2 { format!("http://{address}{path}") } else { path.to_owned() };
        let now = Instant::now();
        Self {
            address: address.to_owned(),
            http2,
            grpc,
            socket: front == "socket",
            authorization: std::env::var("AUTHORIZATION").ok(),
            target,
            method: if grpc { Method::POST } else { case.method.clone() },
            body: if grpc { case.message.clone() } else { case.json.clone() },
            status: if grpc { StatusCode::OK } else { case.status },
            least: if grpc { 5 } else { case.least },
            begin: now + span.mul_f64(WARM_UP),
            end: now + span.mul_f64(1.0 + WARM_UP),
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let builder = Request::builder().method(&self.method).uri(&self.target);
        let builder = if self.http2 { builder } else { builder.header("host", &self.address) };
        let builder = match &self.authorization {
            Some(value) => builder.header("authorization", value),
            None => builder,
        };
        let builder = match (self.grpc, self.body.is_empty()) {
            (true, _) => builder.header("content-type", "application/grpc").header("te", "trailers"),
            (false, false) => builder.header("content-type", "application/json"),
            (false, true) => builder,
        };
        builder.body(Full::new(self.body.clone()))
    }
}

enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
    Socket(Box<WebSocketStream<TcpStream>>),
}

impl Connection {
    async fn open(plan: &Plan) -> Result<Self, Failure> {
        let socket = TcpStream::connect(&plan.address).await?;
        socket.set_nodelay(true)?;
        if plan.socket {
            let url = format!("ws://{}{}", plan.address, plan.target);
            let (socket, _) = tokio_tungstenite::client_async(url, socket).await?;
            return Ok(Self::Socket(Box::new(socket)));
        }
        let socket = TokioIo::new(socket);
        if plan.http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(1 << 21)
                .handshake(socket)
                .await?;
            tokio::spawn(connection);
            return Ok(Self::Two(sender));
        }
        let (sender, connection) = http1::handshake(socket).await?;
        tokio::spawn(connection);
        Ok(Self::One(sender))
    }

    /// One request; an answer that is not as it should be is an error.
    async fn ask(&mut self, plan: &Plan) -> Result<(), Failure> {
        let request = plan.request()?;
        let response = match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Two(sender) => sender.send_request(request).await?,
            Self::Socket(socket) => return echo(socket, plan).await,
        };
        let (status, in_head) = (response.status(), response.headers().get("grpc-status").cloned());
        let mut body = response.into_body();
        let (mut length, mut code) = (0, in_head);
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => length += data.len(),
                Err(frame) => code = frame.trailers_ref().and_then(|all| all.get("grpc-status")).cloned(),
            }
        }
        if status != plan.status || length < plan.least {
            return Err(format!("HTTP {status} with {length} bytes").into());
        }
        // HTTP/1.1 clients see trailers only when they ask for them; there the status is not checked.
        if plan.grpc && plan.http2 && code.as_ref().is_none_or(|code| code != "0") {
            return Err(format!("grpc-status {code:?}").into());
        }
        Ok(())
    }
}

/// One message there and back.
async fn echo(socket: &mut WebSocketStream<TcpStream>, plan: &Plan) -> Result<(), Failure> {
    let text = std::str::from_utf8(&plan.body)?;
    socket.send(Message::text(text)).await?;
    loop {
        match socket.next().await.ok_or("the socket has ended")?? {
            Message::Text(text) if text.len() >= plan.least => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => {}
            other => return Err(format!("an unexpected frame: {other}").into()),
        }
    }
}

/// What one connection saw between begin and end.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    errors: u64,
    problem: Option<String>,
}

type Due = Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

async fn run(
    plan: Rc<Plan>,
    connections: usize,
    pids: &[u32],
    rate: Option<f64>,
) -> Result<serde_json::Value, Failure> {
    let due = rate.map(|rate| pace(&plan, rate));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let connection = Connection::open(&plan).await?;
        tasks.push(tokio::task::spawn_local(work_on(plan.clone(), connection, due.clone())));
    }
    tokio::time::sleep_until(plan.begin.into()).await;
    let (before, start) = (usage::of(pids), Instant::now());
    tokio::time::sleep_until(plan.end.into()).await;
    let (used, span) = (usage::of(pids) - before, start.elapsed());
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await?;
        all.latencies.extend(seen.latencies);
        all.errors += seen.errors;
        all.problem = all.problem.or(seen.problem);
    }
    Ok(report(all, used, span))
}

/// A thread that tells when each request falls due: the runtime's own timer is only good for a millisecond.
fn pace(plan: &Plan, rate: f64) -> Due {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (end, step) = (plan.end, Duration::from_secs_f64(1.0 / rate));
    std::thread::spawn(move || {
        let mut next = Instant::now();
        while next < end {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            if sender.send(next).is_err() {
                return;
            }
            next += step;
        }
    });
    Arc::new(Mutex::new(receiver))
}

async fn work_on(plan: Rc<Plan>, mut connection: Connection, due: Option<Due>) -> Seen {
    let mut seen = Seen::default();
    loop {
        let from = match &due {
            None => Instant::now(),
            Some(due) => match due.lock().await.recv().await {
                Some(instant) => instant,
                None => return seen,
            },
        };
        if from >= plan.end {
            return seen;
        }
        let result = connection.ask(&plan).await;
        let now = Instant::now();
        let counted = now >= plan.begin && (now <= plan.end || due.is_some());
        match result {
            Ok(()) if counted => seen.latencies.push(now - from),
            Ok(()) => {}
            Err(error) => {
                seen.errors += 1;
                seen.problem.get_or_insert_with(|| error.to_string());
                match Connection::open(&plan).await {
                    Ok(fresh) => connection = fresh,
                    Err(_) => return seen,
                }
            }
        }
    }
}

fn report(mut seen: Seen, used: Usage, span: Duration) -> serde_json::Value {
    seen.latencies.sort_unstable();
    let count = seen.latencies.len();
    let each = |total: u64| total as f64 / (count.max(1)) as f64;
    let percentile = |part: f64| {
        let rank = (part * count as f64) as usize;
        seen.latencies.get(rank.min(count.saturating_sub(1))).map_or(0, Duration::as_micros)
    };
    serde_json::json!({
        "requests": count,
        "errors": seen.errors,
        "problem": seen.problem,
        "per_second": count as f64 / span.as_secs_f64(),
        "cpu_us": each(used.cpu) / 1000.0,
        "switches": each(used.switches),
        "resident_kib": used.resident,
        "p50_us": percentile(0.5) as u64,
        "p90_us": percentile(0.9) as u64,
        "p99_us": percentile(0.99) as u64,
        "p999_us": percentile(0.999) as u64,
    })
}
