//! `transom explain`: which route a request takes, and why.

use std::io;
use std::process::ExitCode;

use clap::Args;

use super::problems::{self, print};
use super::{ConfigFile, Format};
use crate::gateway::Gateway;

/// The request to explain.
#[derive(Debug, Args)]
pub(super) struct Request {
    /// The HTTP method.
    #[arg(value_name = "METHOD", value_parser = method)]
    method: String,
    /// The request target: a path, with its query if any.
    #[arg(value_name = "TARGET", value_parser = target)]
    target: String,
    /// The host that the request names.
    #[arg(long)]
    host: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// In capitals, as it stands in requests: nobody who types `get` means another method.
fn method(text: &str) -> Result<String, String> {
    let method = text.to_ascii_uppercase();
    http::Method::from_bytes(method.as_bytes()).map(|_| method).map_err(|error| error.to_string())
}

fn target(text: &str) -> Result<String, String> {
    let target = text.parse::<http::uri::PathAndQuery>().map_err(|error| error.to_string())?;
    if target.path().starts_with('/') {
        Ok(target.to_string())
    } else {
        Err("a target starts with a slash".to_owned())
    }
}

pub(super) fn run(config: &ConfigFile, request: &Request) -> ExitCode {
    let gateway = match Gateway::load(config.source()) {
        Ok((gateway, _)) => gateway,
        Err(problems) => {
            problems::to_stderr(&problems);
            return ExitCode::FAILURE;
        }
    };
    let explanation = gateway.explain(&request.method, &request.target, request.host.as_deref());
    let text = match request.format {
        Format::Text => explanation.to_string(),
        Format::Json => serde_json::to_string_pretty(&explanation).unwrap_or_else(|error| error.to_string()),
    };
    print(&mut io::stdout(), &(text.trim_end().to_owned() + "\n"));
    ExitCode::SUCCESS
}
