//! Which files there are and what stands in them: the first one, and those of its `include`.
//!
//! Each file is read once. Nothing is known here of what stands in them but `include` itself.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::config::ValueKind;
use glob::{MatchOptions, Pattern};

use super::layer::{Layer, Table};
use super::{Raw, document, place};
use crate::config::problem::{Location, Problem};

/// The most bytes that one configuration file may have.
const MAX_FILE: u64 = 8 << 20;

/// A dot file is what an editor leaves while it writes, never meant by `*.toml`.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Reads the first file and all that it includes.
pub(super) fn read_file(path: &Path, raw: &mut Raw) -> Vec<Layer> {
    raw.files.push(absolute(path));
    let name = raw.name(path.to_owned());
    let Some(content) = content(path, &name, None, raw) else { return Vec::new() };
    let base = absolute(path.parent().unwrap_or(Path::new("")));
    read_text(&content, &name, &base, raw)
}

/// Reads the text of a first file and all that it includes.
pub(super) fn read_text(content: &str, name: &Arc<PathBuf>, base: &Path, raw: &mut Raw) -> Vec<Layer> {
    let shown = name.parent().unwrap_or(Path::new(""));
    raw.places.set_root(name, base);
    let first = document::read(content, name, Arc::from(base), raw);
    let mut seen: Vec<PathBuf> = raw.files.iter().filter_map(|file| file.canonicalize().ok()).collect();
    let mut layers = Vec::new();
    for (index, pattern) in patterns(&first.0).into_iter().enumerate() {
        let at = raw.places.at(&place::item("include", index));
        for path in matches(pattern, base, &at, raw) {
            let same = path.canonicalize().unwrap_or_else(|_| path.clone());
            if !seen.contains(&same) {
                seen.push(same);
                // Told by the folder that the first file was told by, as a person would.
                let name = path.strip_prefix(base).map_or_else(|_| path.clone(), |rest| shown.join(rest));
                layers.extend(read_included(&path, name, &at, raw));
            }
        }
    }
    layers.insert(0, first);
    layers
}

fn read_included(path: &Path, name: PathBuf, at: &Location, raw: &mut Raw) -> Option<Layer> {
    raw.files.push(path.to_owned());
    let name = raw.name(name);
    let content = content(path, &name, Some(at), raw)?;
    let base = Arc::from(path.parent().unwrap_or(Path::new("/")));
    Some(document::read(&content, &name, base, raw))
}

/// The patterns of `include`; what is no pattern is told by the pass over the merged tree.
fn patterns(table: &Table) -> Vec<&str> {
    let Some(ValueKind::Array(list)) = table.get("include").map(|value| &value.kind) else {
        return Vec::new();
    };
    let texts = list.iter().map(|value| match &value.kind {
        ValueKind::String(text) => text.as_str(),
        _ => "",
    });
    texts.collect()
}

/// The files that a pattern names, in the order of their names.
fn matches(pattern: &str, base: &Path, at: &Location, raw: &mut Raw) -> Vec<PathBuf> {
    if pattern.is_empty() {
        return Vec::new();
    }
    let absolute = absolute_pattern(base, pattern);
    raw.include.push(PathBuf::from(&absolute));
    let paths = match glob::glob_with(&absolute, GLOB) {
        Ok(paths) => paths,
        Err(error) => {
            raw.report(Problem::error(at.clone(), format!("\"{pattern}\" is no pattern: {}", error.msg)));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for path in paths {
        match path {
            Ok(path) => found.push(path),
            Err(error) => {
                let message = format!("cannot look into {}: {}", error.path().display(), error.error());
                raw.report(Problem::error(at.clone(), message));
            }
        }
    }
    if found.is_empty() {
        raw.report(nothing_matches(pattern, &absolute, at));
    }
    found.sort();
    found
}

/// A pattern may match nothing yet; a file that is named must be there.
fn nothing_matches(pattern: &str, absolute: &str, at: &Location) -> Problem {
    if pattern.contains(['*', '?', '[']) {
        Problem::warning(at.clone(), format!("\"{pattern}\" matches no file"))
            .help(format!("looked for {absolute}"))
    } else {
        Problem::error(at.clone(), format!("there is no file {absolute}"))
    }
}

/// A pattern as seen from a folder, whose own name is no pattern.
pub(in crate::config) fn absolute_pattern(base: &Path, pattern: &str) -> String {
    if Path::new(pattern).is_absolute() {
        return pattern.to_owned();
    }
    let base = Pattern::escape(&base.to_string_lossy());
    format!("{}/{pattern}", base.trim_end_matches('/'))
}

/// The text of a file; what is wrong with it is told at the place that names it, if there is one.
fn content(path: &Path, name: &Arc<PathBuf>, at: Option<&Location>, raw: &mut Raw) -> Option<String> {
    let whole = || Location { file: Some(Arc::clone(name)), ..Location::default() };
    let problem = match read_limited(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(text),
        Ok(Err(error)) => not_utf8(error.as_bytes(), error.utf8_error().valid_up_to(), name),
        Err(error) => {
            let at = at.cloned().unwrap_or_else(whole);
            Problem::error(at, format!("cannot read {}: {error}", path.display()))
        }
    };
    raw.complete = false;
    raw.report(problem);
    None
}

fn not_utf8(bytes: &[u8], valid: usize, name: &Arc<PathBuf>) -> Problem {
    let valid = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let at = place::Text::new(&valid, Arc::clone(name)).location(valid.len(), "");
    Problem::error(at, "not UTF-8").help("save the file as UTF-8")
}

/// Reads a regular file of a bounded size: a pipe could keep us waiting for ever, a device never end.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 8 MiB"));
    }
    Ok(bytes)
}

/// A path from the root; where the working directory is gone, the path as it is.
fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
