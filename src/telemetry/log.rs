//! Sets up the program's own log: readable and coloured on a terminal, JSON lines everywhere else.
//!
//! What is logged is said where it happens, with `tracing`'s macros; `TRANSOM_LOG` selects it in the
//! syntax of `tracing_subscriber::EnvFilter` (`info`, `warn,transom::upstream=debug`, …).

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The environment variable that selects what is logged.
pub const VARIABLE: &str = "TRANSOM_LOG";

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, coloured.
    Readable,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Readable when the stream is a terminal.
    #[must_use]
    pub fn of(stream: &impl io::IsTerminal) -> Self {
        if stream.is_terminal() { Self::Readable } else { Self::Json }
    }
}

/// Starts logging to standard error; standard output belongs to the access log and to results.
///
/// # Errors
/// When the filter cannot be parsed. A second call in one process changes nothing.
pub fn start(filter: Option<&str>) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter.unwrap_or("info"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A subscriber that is set already, as under a test harness, stays.
    drop(match Format::of(&io::stderr()) {
        Format::Readable => builder.with_ansi(true).with_target(false).compact().try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    });
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is a mistake of the program's own: one line of the log, like everything else, with a backtrace
/// when `RUST_BACKTRACE` asks for it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let message =
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(place, %backtrace, "panic: {message}");
    } else {
        tracing::error!(place, "panic: {message}");
    }
}
