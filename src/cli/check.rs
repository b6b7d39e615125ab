//! `transom check`: everything that loading would find wrong, without binding anything.

use std::io;
use std::process::ExitCode;

use super::colour::Colours;
use super::problems::{self, print};
use super::{ConfigFile, Format};
use crate::gateway::Gateway;

pub(super) fn run(config: &ConfigFile, format: Format) -> ExitCode {
    let loaded = Gateway::load(config.source());
    let (found, routes) = match loaded {
        Ok((gateway, warnings)) => (warnings, Some(gateway.routes().len())),
        Err(problems) => (problems, None),
    };
    let text = match format {
        Format::Json => json(&found),
        Format::Text => text(config, &found, routes),
    };
    print(&mut io::stdout(), &text);
    if routes.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn json(found: &[problems::Problem]) -> String {
    let text = serde_json::to_string_pretty(found);
    text.map_or_else(|error| error.to_string(), |text| text + "\n")
}

fn text(config: &ConfigFile, found: &[problems::Problem], routes: Option<usize>) -> String {
    let colours = Colours::of(&io::stdout());
    let mut text = if found.is_empty() { String::new() } else { problems::render(found, colours) };
    if let Some(routes) = routes {
        text.extend([
            colours.green("ok").to_string(),
            format!(": {} with {routes} routes\n", config.path.display()),
        ]);
    }
    text
}
