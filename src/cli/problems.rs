//! Problems for people: grouped by file, each with its line and a caret, coloured on a terminal.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::colour::Colours;
pub(super) use crate::config::problem::Problem;
use crate::config::problem::{Location, Severity};

/// A problem that stands in no file.
pub(super) fn outside(message: String) -> Problem {
    Problem::error(Location::default(), message)
}

/// Prints problems, if any, to standard error.
pub(super) fn to_stderr(problems: &[Problem]) {
    if !problems.is_empty() {
        print(&mut io::stderr(), &render(problems, Colours::of(&io::stderr())));
    }
}

/// Prints a result. A reader that has gone away has seen enough.
pub(super) fn print(stream: &mut impl io::Write, text: &str) {
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

/// All problems, in the order of files and of places in them, and how many there are.
pub(super) fn render(problems: &[Problem], colours: Colours) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    // Stable: what stands in no file comes first, what has no position comes first in its file.
    sorted.sort_by(|a, b| (&a.at.file, a.at.position).cmp(&(&b.at.file, b.at.position)));
    let mut sources = Sources::default();
    let mut text = String::new();
    for problem in sorted {
        let line = sources.line(&problem.at);
        let written = write!(text, "{}", Rendered { problem, line, colours });
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    text.push_str(&summary(problems));
    text.push('\n');
    text
}

/// `3 errors, 1 warning`.
pub(super) fn summary(problems: &[Problem]) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let say = |count, what| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        many => Some(format!("{many} {what}s")),
    };
    let said = [say(count(Severity::Error), "error"), say(count(Severity::Warning), "warning")];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The files that problems stand in, read once each.
#[derive(Default)]
struct Sources {
    texts: HashMap<PathBuf, Option<String>>,
}

impl Sources {
    /// The line of a place, where there is one: what cannot be read is a problem of its own already.
    fn line(&mut self, at: &Location) -> Option<String> {
        let (file, (line, _)) = (at.file.as_deref()?, at.position?);
        let text = self.texts.entry(file.clone()).or_insert_with(|| fs::read_to_string(file).ok());
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        text.as_deref()?.lines().nth(index).map(str::to_owned)
    }
}

struct Rendered<'a> {
    problem: &'a Problem,
    line: Option<String>,
    colours: Colours,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problem, line, colours } = self;
        let severity = match problem.severity {
            Severity::Error => colours.red("error"),
            Severity::Warning => colours.yellow("warning"),
        };
        writeln!(f, "{severity}: {}", colours.bold(&problem.message))?;
        let position = problem.at.position;
        let indent = position.map_or(2, |(line, _)| line.to_string().len());
        if let Some(place) = place(&problem.at) {
            writeln!(f, "{:indent$}{} {place}", "", colours.blue("-->"))?;
        }
        if let (Some((number, column)), Some(line)) = (position, line) {
            excerpt(f, *colours, (number, column), line)?;
        }
        if !problem.at.key.is_empty() {
            writeln!(f, "{:indent$} {} key: {}", "", colours.blue("="), problem.at.key)?;
        }
        if let Some(help) = &problem.help {
            writeln!(f, "{:indent$} {} help: {help}", "", colours.blue("="))?;
        }
        writeln!(f)
    }
}

/// `file:line:column`, which editors and terminals make clickable.
fn place(at: &Location) -> Option<String> {
    let file = shortest(at.file.as_deref()?);
    Some(match at.position {
        Some((line, column)) => format!("{}:{line}:{column}", file.display()),
        None => file.display().to_string(),
    })
}

/// A file of the current folder or below it, without that folder.
fn shortest(file: &Path) -> &Path {
    let current = std::env::current_dir().ok();
    current.and_then(|current| file.strip_prefix(current).ok()).unwrap_or(file)
}

/// The line with a caret under what is meant.
fn excerpt(f: &mut fmt::Formatter<'_>, colours: Colours, at: (u32, u32), line: &str) -> fmt::Result {
    let (number, column) = at;
    let width = number.to_string().len();
    let column = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let bar = colours.blue("|");
    writeln!(f, "{:width$} {bar}", "")?;
    writeln!(f, "{} {bar} {}", colours.blue(number), shown(line))?;
    let lead: String = line.chars().take(column).map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
    let carets = "^".repeat(extent(line.chars().skip(column)));
    writeln!(f, "{:width$} {bar} {lead}{}", "", colours.red(carets))
}

/// How long the word, or the quoted text, at a place is.
fn extent(mut rest: impl Iterator<Item = char>) -> usize {
    match rest.next() {
        Some(quote @ ('"' | '\'')) => {
            let mut length = 1;
            for char in rest {
                length += 1;
                if char == quote {
                    break;
                }
            }
            length
        }
        _ => 1 + rest.take_while(|char| char.is_alphanumeric() || "._-".contains(*char)).count(),
    }
}

/// A line of a file, of which a terminal obeys nothing.
fn shown(line: &str) -> String {
    line.chars().map(|char| if char.is_control() && char != '\t' { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests;
