//! `transom serve`: loads, starts the logs, serves.

use std::io;
use std::process::ExitCode;
use std::thread::JoinHandle;
use std::time::Duration;

use super::problems;
use crate::config::Source;
use crate::gateway::Gateway;
use crate::server::{self, Bound, Options};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::log;

/// How long the end of the process waits for the last lines of the access log.
const LAST_LINES: Duration = Duration::from_secs(2);

pub(super) fn run(source: Source) -> ExitCode {
    match serve(source, announce) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            problems::to_stderr(&problems);
            ExitCode::FAILURE
        }
    }
}

/// Serves what a source says; `ready` is called when it does.
pub(super) fn serve(
    source: Source,
    ready: impl FnOnce(&Bound, &Gateway),
) -> Result<(), Vec<problems::Problem>> {
    start_log()?;
    let (gateway, warnings) = Gateway::load(source)?;
    problems::to_stderr(&warnings);
    let (access_log, writer) = start_access_log()?;
    let served = server::serve(&gateway, access_log, &Options::default(), |bound| ready(bound, &gateway));
    drop(gateway);
    finish(&writer);
    served
}

fn announce(bound: &Bound, gateway: &Gateway) {
    let scheme = if bound.tls { "https" } else { "http" };
    let public = bound.public.join(", ");
    let routes = gateway.routes().len();
    tracing::info!(listen = %public, scheme, admin = %bound.admin, routes, "serving");
}

fn start_log() -> Result<(), Vec<problems::Problem>> {
    let filter = std::env::var(log::VARIABLE).ok();
    log::start(filter.as_deref()).map_err(|error| {
        let message = format!("{} cannot be understood: {error}", log::VARIABLE);
        vec![problems::outside(message).help("for example: info, or warn,transom::upstream=debug")]
    })
}

fn start_access_log() -> Result<(AccessLog, JoinHandle<()>), Vec<problems::Problem>> {
    AccessLog::start(log::Format::of(&io::stdout()), io::stdout())
        .map_err(|error| vec![problems::outside(format!("the access log cannot start: {error}"))])
}

/// Waits for the writer, but not for a standard output that nobody reads.
fn finish(writer: &JoinHandle<()>) {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while !writer.is_finished() && waited < LAST_LINES {
        std::thread::sleep(step);
        waited += step;
    }
}
