//! The environment's keys: `TRANSOM_UPSTREAMS__SHOP__TIMEOUT` is `upstreams.shop.timeout`.
//!
//! Values stay text here; the reader of a key parses them to its type. Whether such a key exists is
//! not known here either.

use std::path::Path;
use std::sync::Arc;

use ::config::{Value, ValueKind};

use super::Raw;
use super::layer::{JOINED, Layer, Table};
use super::place::{Place, child};
use crate::config::problem::{Location, Problem};

/// What every variable of Transom starts with.
pub(in crate::config) const PREFIX: &str = "TRANSOM_";

/// Stands in a variable where a dot stands in a key path.
pub(in crate::config) const SEPARATOR: &str = "__";

/// Variables that are for the command line, no keys.
const COMMAND_LINE: &[&str] = &["TRANSOM_CONFIG", "TRANSOM_LOG"];

/// Reads the variables into a layer; those that do not start with `TRANSOM_` are not looked at.
pub(super) fn read(variables: &[(String, String)], files: &[Layer], raw: &mut Raw) -> Layer {
    let mut variables: Vec<_> = variables.iter().filter(|(name, _)| is_key(name)).collect();
    variables.sort();
    let mut table = Table::new();
    for (name, text) in variables {
        if let Some(keys) = key_path(name, files, raw) {
            insert(&mut table, &keys, text);
        }
    }
    Layer(table)
}

fn is_key(name: &str) -> bool {
    name.starts_with(PREFIX) && !COMMAND_LINE.contains(&name)
}

/// The key path of a variable, whose place is noted; none when it cannot have one.
fn key_path(name: &str, files: &[Layer], raw: &mut Raw) -> Option<Vec<String>> {
    let at = Location { key: name.to_owned(), ..Location::default() };
    let mut tables: Vec<&Table> = files.iter().map(|layer| &layer.0).collect();
    let mut keys = Vec::new();
    for word in name.strip_prefix(PREFIX)?.split(SEPARATOR) {
        let key = as_written(word, &tables);
        tables = tables.iter().filter_map(|table| inner_table(table, &key)).collect();
        keys.push(key);
    }
    let top = keys.first()?;
    if JOINED.contains(&top.as_str()) || top == "include" {
        raw.report(Problem::error(at, format!("`{top}` can be set in a file only")));
        return None;
    }
    claim(&keys, at, raw).then_some(keys)
}

/// A key as the files write it, for variables know neither lower case nor dashes; what no file has is
/// in lower case.
fn as_written(word: &str, tables: &[&Table]) -> String {
    let folded = fold(word);
    let written = tables.iter().flat_map(|table| table.keys()).filter(|key| fold(key) == folded).min();
    written.cloned().unwrap_or_else(|| word.to_ascii_lowercase())
}

fn fold(key: &str) -> String {
    key.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_ascii_uppercase()
}

fn inner_table<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    match &table.get(key)?.kind {
        ValueKind::Table(inner) => Some(inner),
        _ => None,
    }
}

/// Notes the place of a key and of the tables that it makes; false where one of them is no table.
fn claim(keys: &[String], at: Location, raw: &mut Raw) -> bool {
    let mut path = String::new();
    for (index, key) in keys.iter().enumerate() {
        path = child(&path, key);
        let is_table = index + 1 < keys.len();
        match raw.places.get(&path) {
            Some(place) if is_table && !place.is_table => {
                let help = format!("see {}", place.at);
                raw.report(Problem::error(at, format!("`{path}` is no table")).help(help));
                return false;
            }
            Some(_) if is_table => {}
            _ => raw.places.set(path.clone(), place(at.clone(), is_table)),
        }
    }
    true
}

fn place(at: Location, is_table: bool) -> Place {
    // A relative path in a variable starts where the process does, as it would on the command line.
    let base = std::env::current_dir().unwrap_or_default();
    Place { key: at.clone(), at, base: Arc::<Path>::from(base), text: None, is_table, is_environment: true }
}

fn insert(table: &mut Table, keys: &[String], text: &str) {
    let Some((key, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        table.insert(key.clone(), Value::from(text));
        return;
    }
    let inner = table.entry(key.clone()).or_insert_with(|| Value::from(Table::new()));
    if let ValueKind::Table(inner) = &mut inner.kind {
        insert(inner, rest, text);
    }
}

/// The variable that would set a key.
pub(in crate::config) fn variable(path: &str) -> String {
    let words: Vec<String> = path.split('.').map(fold).collect();
    format!("{PREFIX}{}", words.join(SEPARATOR))
}
