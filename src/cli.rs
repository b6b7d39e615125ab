//! The command line: what can be asked of `transom`, and which file answers.
//!
//! Results go to standard output, everything about them to standard error. Exit codes: 0 done, 1 it could
//! not be done or problems were found, 2 the command line itself is wrong.

mod check;
mod colour;
mod demo;
mod explain;
mod healthcheck;
mod init;
mod key;
mod problems;
mod routes;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Source;

/// A gateway that puts REST, server-sent events and WebSockets in front of gRPC services.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "transom", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
struct Command {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    config: ConfigFile,
}

const AFTER_HELP: &str = "\
Every key of the configuration can be set in the environment: TRANSOM_SERVER__LISTEN=0.0.0.0:80.
TRANSOM_LOG selects what is logged: info, or warn,transom::upstream=debug.

Exit codes: 0 done; 1 problems were found, or it could not be done; 2 the command line is wrong.";

/// Which configuration a command is about.
#[derive(Clone, Debug, Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "PATH",
        env = "TRANSOM_CONFIG",
        default_value = "gateway.toml",
        global = true
    )]
    path: PathBuf,
}

impl ConfigFile {
    fn source(&self) -> Source {
        Source::file(self.path.clone())
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve until told to end: SIGTERM drains, a second one ends at once, SIGHUP reloads.
    Serve,
    /// Serve sample services that come with Transom, to play with: nothing else is needed.
    Demo(demo::Options),
    /// Write a gateway.toml for a running server, which is asked for its schema by reflection.
    Init(init::Options),
    /// Check configuration, schema and routes, and print every problem; binds nothing.
    Check {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the route table.
    Routes {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Tell which route a request takes and why, or which routes came close.
    Explain(explain::Request),
    /// Ask the admin listener of a running gateway whether it is ready.
    Healthcheck(healthcheck::Target),
    /// Make API keys.
    #[command(subcommand)]
    Key(key::Action),
    /// Print the version.
    Version,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Parses the command line and does what it says.
#[must_use]
pub fn run() -> ExitCode {
    let Command { action, config } = Command::parse();
    match action.unwrap_or(Action::Serve) {
        Action::Serve => serve::run(config.source()),
        Action::Demo(options) => demo::run(&options),
        Action::Init(options) => init::run(&options),
        Action::Check { format } => check::run(&config, format),
        Action::Routes { format } => routes::run(&config, format),
        Action::Explain(request) => explain::run(&config, &request),
        Action::Healthcheck(target) => healthcheck::run(&config, &target),
        Action::Key(action) => key::run(&action),
        Action::Version => version(),
    }
}

fn version() -> ExitCode {
    println!("transom {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}
