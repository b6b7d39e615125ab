//! Servers of one service that can be restarted one after another, and say which writes they have executed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use prost::Message as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::gateway::Lines;
use super::script::{Script, Step};
use super::shop::{CreateRequest, item, wire};
use super::upstream::{PATIENCE, Upstream};

/// Where `tests/run --full` builds it.
const GO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/go/graceful");

/// What the servers are.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// Our own, on the `h2` crate.
    Scripted,
    /// grpc-go, which ends by `GracefulStop`.
    Go,
}

/// One server.
pub enum Server {
    Scripted(Upstream),
    Go { child: Child, address: SocketAddr, log: Lines },
}

impl Make {
    /// Starts a server, at an address where one was before or a free one.
    pub async fn start(self, address: Option<SocketAddr>) -> Server {
        match self {
            Self::Scripted => {
                let options = Upstream::options();
                let options = match address {
                    Some(address) => options.listen(address),
                    None => options,
                };
                Server::Scripted(options.start(|seen| answer(&seen.path)).await)
            }
            Self::Go => start_go(address.unwrap_or_else(|| ([127, 0, 0, 1], 0).into())).await,
        }
    }
}

/// Streams of half a second, and calls of a few milliseconds.
fn answer(path: &str) -> Script {
    let message = || wire(&item("n"));
    if path.ends_with("/Watch") {
        let pause = Duration::from_millis(100);
        let messages = (0..5).fold(Script::new().step(Step::Request).head(), |script, _| {
            script.message(message()).sleep(pause)
        });
        return messages.ok();
    }
    Script::new().step(Step::Request).sleep(Duration::from_millis(5)).head().message(message()).ok()
}

async fn start_go(address: SocketAddr) -> Server {
    assert!(PathBuf::from(GO).exists(), "{GO} is missing: `tests/run --full` builds it");
    let mut command = Command::new(GO);
    command.arg(address.to_string()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let log = Lines::of(child.stdout.take().unwrap());
    let ready = log.find(|line| line.as_str().is_some_and(|line| line.starts_with("listening on "))).await;
    let address = ready.as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    Server::Go { child, address, log }
}

impl Server {
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Scripted(upstream) => upstream.address,
            Self::Go { address, .. } => *address,
        }
    }

    /// Ends gracefully: GOAWAY, then what is in flight, then nothing.
    pub async fn stop(&mut self) {
        match self {
            Self::Scripted(upstream) => upstream.drain().await,
            Self::Go { child, .. } => {
                let id = child.id().expect("it runs");
                let sent = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await;
                assert!(sent.unwrap().success());
                assert!(timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap().success());
            }
        }
    }

    /// The names of the items that were written here.
    pub fn writes(&self) -> Vec<String> {
        match self {
            Self::Scripted(upstream) => {
                let calls = upstream.calls();
                let writes = calls.iter().filter(|seen| seen.path.ends_with("/Create"));
                let name = |seen: &std::sync::Arc<super::upstream::Seen>| {
                    let message = seen.messages().into_iter().next()?;
                    Some(CreateRequest::decode(message).unwrap().item.unwrap().name)
                };
                writes.filter_map(name).collect()
            }
            Self::Go { log, .. } => {
                let lines = log.so_far().into_iter();
                lines.filter_map(|line| Some(line.strip_prefix("write ")?.to_owned())).collect()
            }
        }
    }
}
