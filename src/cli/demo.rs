//! `transom demo`: the sample services and a gateway in front of them, with nothing else to install.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::colour::Colours;
use super::problems::{self, Problem, print};
use super::{routes, serve};
use crate::config::{Kind, Source};
use crate::demo;
use crate::gateway::{Gateway, RouteRow};
use crate::server::Bound;

/// How the demo runs.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDRESS", default_value = demo::TRY_AT)]
    listen: SocketAddr,
}

pub(super) fn run(options: &Options) -> ExitCode {
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            problems::to_stderr(&problems);
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> Result<(), Vec<Problem>> {
    let services = demo::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .map_err(|error| vec![problems::outside(format!("the sample services cannot start: {error}"))])?;
    let samples = services.addr;
    let served =
        serve::serve(source(samples, options.listen), |bound, gateway| announce(bound, gateway, samples));
    services.shutdown();
    served.map_err(|problems| problems.into_iter().map(say_which_option).collect())
}

fn source(upstream: SocketAddr, listen: SocketAddr) -> Source {
    let kind = Kind::Text {
        name: "the demo's gateway.toml".to_owned(),
        text: demo::gateway_toml(upstream, listen),
        base: PathBuf::from("."),
        descriptors: Some(demo::DESCRIPTORS),
    };
    // The environment configures gateways, and the demo is one that is the same everywhere.
    Source { kind, env: Vec::new() }
}

/// The demo's configuration cannot be edited: the address comes from the command line.
fn say_which_option(problem: Problem) -> Problem {
    if problem.at.key.starts_with("server.listen") {
        Problem {
            help: Some("choose another address with --listen, such as 127.0.0.1:8081".to_owned()),
            ..problem
        }
    } else {
        problem
    }
}

fn announce(bound: &Bound, gateway: &Gateway, samples: SocketAddr) {
    let colours = Colours::of(&io::stderr());
    print(&mut io::stderr(), &welcome(bound, gateway.routes(), samples, colours));
}

/// The routes, where the demo listens, and what to try. Automatic routes are all alike and told at once.
fn welcome(bound: &Bound, rows: Vec<RouteRow>, samples: SocketAddr, colours: Colours) -> String {
    let (automatic, written): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.source == "auto");
    let mut text = routes::table(&written, colours);
    let public = bound.public.join(", ");
    let automatic = format!("and POST /package.Service/Method for each of {} methods\n\n", automatic.len());
    text.push_str(&colours.dim(automatic).to_string());
    let listens = colours.bold(format!("http://{public}"));
    let written =
        writeln!(text, "The demo listens at {listens}, its admin listener at http://{}.", bound.admin)
            .and_then(|()| {
                writeln!(text, "The samples behind it, with reflection, are at http://{samples}.")
            });
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    text.push_str("Try, in another terminal:\n\n");
    let commands = bound.public.first().and_then(|listen| listen.parse().ok()).map(demo::commands);
    for command in commands.into_iter().flatten() {
        text.push_str("  ");
        text.push_str(&command);
        text.push('\n');
    }
    text.push_str("\nCtrl-C ends it.\n");
    text
}
