//! A real gateway: the binary, on free ports, with what it logs at hand.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::Request;
use super::site::Site;
use super::upstream::PATIENCE;

/// A running gateway; it is killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    pub site: Site,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    /// What it says of itself.
    pub log: Lines,
    /// One line a request.
    pub access: Lines,
    child: Child,
}

impl Gateway {
    /// Starts the gateway of a folder; waits until it serves.
    pub async fn start(site: Site) -> Self {
        let mut command = site.command(&["serve"]);
        command
            .env("TRANSOM_SERVER__LISTEN", "127.0.0.1:0")
            .env("TRANSOM_ADMIN__LISTEN", "127.0.0.1:0")
            .env("TRANSOM_SERVER__WORKERS", "2");
        Self::spawn(site, command).await
    }

    /// Starts a command that serves.
    pub async fn spawn(site: Site, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        let access = Lines::of(child.stdout.take().unwrap());
        let serving = log.find(|line| line["message"] == "serving").await;
        let address = |key: &str| serving[key].as_str().unwrap().parse().unwrap();
        Self { site, public: address("listen"), admin: address("admin"), log, access, child }
    }

    /// A request to the public port.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.public, method, target)
    }

    /// `GET`.
    pub fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    /// `POST` with JSON.
    pub fn post(&self, target: &str, json: &str) -> Request {
        self.request("POST", target).json(json)
    }

    /// A call by gRPC with messages.
    pub fn grpc(&self, path: &str, messages: &[Vec<u8>]) -> Request {
        Request::grpc(self.public, path, messages)
    }

    /// A request to the admin listener.
    pub fn admin(&self, method: &str, target: &str) -> Request {
        Request::new(self.admin, method, target)
    }

    /// Sends a signal by its name.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it still runs");
        // The shell's own `kill`: not every machine has one as a program.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await;
        assert!(sent.unwrap().success());
    }

    /// The most memory that it ever held, in bytes (proc(5), VmHWM).
    pub fn peak_memory(&self) -> usize {
        let id = self.child.id().expect("it still runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(2 * PATIENCE, self.child.wait()).await.expect("the gateway ends").unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let panicked = self.log.so_far().into_iter().find(|line| line.contains("panic"));
        if let Some(line) = panicked.filter(|_| !std::thread::panicking()) {
            panic!("the gateway panicked: {line}");
        }
    }
}

/// Lines that a process prints, as they come.
#[derive(Clone, Debug)]
pub struct Lines(Arc<watch::Sender<Vec<String>>>);

impl Lines {
    /// Those of a stream.
    pub fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Self(Arc::new(watch::Sender::new(Vec::new())));
        let sender = Arc::clone(&lines.0);
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream).lines();
            while let Some(line) = stream.next_line().await.unwrap() {
                sender.send_modify(|lines| lines.push(line));
            }
        });
        lines
    }

    /// What was printed until now.
    pub fn so_far(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits for a line that is JSON and fits.
    pub async fn find(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut lines = self.0.subscribe();
        let found = |lines: &Vec<String>| lines.iter().map(|line| parse(line)).find(|line| fits(line));
        let waiting = lines.wait_for(|lines| found(lines).is_some());
        match timeout(PATIENCE, waiting).await {
            Ok(lines) => found(&lines.unwrap()).unwrap(),
            Err(_) => panic!("the line does not come; there are {:#?}", self.so_far()),
        }
    }

    /// Waits until there are so many lines.
    pub async fn count(&self, count: usize) -> Vec<Value> {
        let mut lines = self.0.subscribe();
        match timeout(PATIENCE, lines.wait_for(|lines| lines.len() >= count)).await {
            Ok(lines) => lines.unwrap().iter().map(|line| parse(line)).collect(),
            Err(_) => panic!("no {count} lines come; there are {:#?}", self.so_far()),
        }
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or(Value::String(line.to_owned()))
}
