//! `transom routes`: the route table.

use std::io;
use std::process::ExitCode;

use super::colour::Colours;
use super::problems::{self, print};
use super::{ConfigFile, Format};
use crate::gateway::{Gateway, RouteRow};

pub(super) fn run(config: &ConfigFile, format: Format) -> ExitCode {
    match Gateway::load(config.source()) {
        Ok((gateway, warnings)) => {
            problems::to_stderr(&warnings);
            let text = match format {
                Format::Json => json(&gateway.routes()),
                Format::Text => table(&gateway.routes(), Colours::of(&io::stdout())),
            };
            print(&mut io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Err(problems) => {
            problems::to_stderr(&problems);
            ExitCode::FAILURE
        }
    }
}

fn json(rows: &[RouteRow]) -> String {
    serde_json::to_string_pretty(rows).map_or_else(|error| error.to_string(), |text| text + "\n")
}

const HEAD: [&str; 6] = ["METHOD", "TEMPLATE", "GRPC METHOD", "KIND", "SOURCE", "HOST"];

/// Rows in columns as wide as their widest cell; the host's column stands there when one has a host.
pub(super) fn table(rows: &[RouteRow], colours: Colours) -> String {
    let cells = |row: &'_ RouteRow| {
        let host = row.host.clone().unwrap_or_default();
        [&row.method, &row.template, &row.grpc_method, row.kind, row.source, &host].map(str::to_owned)
    };
    let rows: Vec<[String; 6]> = rows.iter().map(cells).collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = line(&HEAD.map(str::to_owned), widths, |text, _| colours.dim(text).to_string());
    for row in &rows {
        let paint = |text: &str, column| match column {
            0 => colours.green(text).to_string(),
            1 => colours.bold(text).to_string(),
            _ => text.to_owned(),
        };
        text += &line(row, widths, paint);
    }
    text
}

fn line(cells: &[String; 6], widths: [usize; 6], paint: impl Fn(&str, usize) -> String) -> String {
    let mut text = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let gap = if column == 0 { "" } else { "  " };
        text += gap;
        text += &paint(&format!("{cell:width$}"), column);
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

#[cfg(test)]
mod tests;
