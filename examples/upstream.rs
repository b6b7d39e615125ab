//! The sample services alone, for a gateway that runs elsewhere: what the shipped `gateway.toml` calls.
//!
//! `cargo run --example upstream [ADDRESS]` listens at ADDRESS, `127.0.0.1:50051` by default, prints
//! `listening on ADDRESS` and ends on SIGINT and SIGTERM.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

/// Where the services listen by default.
const LISTEN: &str = "127.0.0.1:50051";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upstream: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Box<dyn Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| LISTEN.to_owned());
    let listen: SocketAddr =
        listen.parse().map_err(|_| format!("{listen:?} is no address such as {LISTEN}"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let running =
        transom::demo::start(listen).map_err(|error| format!("cannot listen at {listen}: {error}"))?;
    println!("listening on {}", running.addr);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.shutdown();
    Ok(())
}
