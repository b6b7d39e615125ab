//! The environment's keys: `TRANSOM_UPSTREAMS__SHOP__TIMEOUT` is `upstreams.shop.timeout`.
//!
//! Values stay text here; the reader of a key parses them to its type. Whether such a key exists is
//! not known here either.

use std::collections::BTreeSet;
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
        let at = Location { key: name.clone(), ..Location::default() };
        match key_path(name, files).and_then(|keys| claim(&keys, &at, raw).map(|()| keys)) {
            Ok(keys) => insert(&mut table, &keys, text),
            Err(message) => raw.report(Problem::error(at, message)),
        }
    }
    Layer(table)
}

fn is_key(name: &str) -> bool {
    name.starts_with(PREFIX) && !COMMAND_LINE.contains(&name) && !is_service_link(name)
}

/// Kubernetes gives every container variables for every Service: of one that is called `transom`,
/// `TRANSOM_SERVICE_HOST`, `TRANSOM_SERVICE_PORT_HTTP`, `TRANSOM_PORT` and `TRANSOM_PORT_80_TCP_ADDR` (its
/// "Discovering services", and the links of Docker before it). They are nobody's mistake.
fn is_service_link(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let is_link = |pair: &[&str]| match pair {
        ["SERVICE", "HOST" | "PORT"] => true,
        ["PORT", port] => port.parse::<u16>().is_ok(),
        _ => false,
    };
    // Two underscores in a row are ours: they stand between the keys of tables.
    !name.contains(SEPARATOR) && (words.ends_with(&["PORT"]) || words.windows(2).any(is_link))
}

/// The key path of a variable.
fn key_path(name: &str, files: &[Layer]) -> Result<Vec<String>, String> {
    let mut tables: Vec<&Table> = files.iter().map(|layer| &layer.0).collect();
    let mut keys = Vec::new();
    for word in name.strip_prefix(PREFIX).unwrap_or(name).split(SEPARATOR) {
        let key = as_written(word, &tables)?;
        tables = tables.iter().filter_map(|table| inner_table(table, &key)).collect();
        keys.push(key);
    }
    match keys.first() {
        Some(top) if JOINED.contains(&top.as_str()) || top == "include" => {
            Err(format!("`{top}` can be set in a file only"))
        }
        _ => Ok(keys),
    }
}

/// A key as the files write it, for variables know neither lower case nor dashes; what no file has is
/// in lower case.
fn as_written(word: &str, tables: &[&Table]) -> Result<String, String> {
    let folded = fold(word);
    let alike = tables.iter().flat_map(|table| table.keys()).filter(|key| fold(key) == folded);
    let alike: BTreeSet<&String> = alike.collect();
    match (alike.first(), alike.last()) {
        (Some(one), Some(other)) if one != other => Err(format!("can mean `{one}` and `{other}`")),
        (Some(one), _) => Ok((*one).clone()),
        _ => Ok(word.to_ascii_lowercase()),
    }
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

/// Notes the place of a key and of the tables that it makes, unless one of them is no table.
fn claim(keys: &[String], at: &Location, raw: &mut Raw) -> Result<(), String> {
    let mut path = String::new();
    for (index, key) in keys.iter().enumerate() {
        path = child(&path, key);
        let is_table = index + 1 < keys.len();
        match raw.places.get(&path) {
            Some(place) if is_table && !place.is_table => {
                return Err(format!("`{path}` is no table, see {}", place.at));
            }
            Some(place) if !is_table && place.is_environment => {
                return Err(format!("set twice, see {}", place.at));
            }
            Some(_) if is_table => {}
            _ => raw.places.set(path.clone(), place(at.clone(), is_table)),
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn service_links_are_told_from_keys() {
        for link in [
            "TRANSOM_SERVICE_HOST",
            "TRANSOM_SERVICE_PORT",
            "TRANSOM_SERVICE_PORT_HTTP",
            "TRANSOM_PORT",
            "TRANSOM_PORT_8080_TCP",
            "TRANSOM_PORT_8080_TCP_ADDR",
            "TRANSOM_ADMIN_SERVICE_HOST",
            "TRANSOM_ADMIN_PORT_9901_TCP_PROTO",
        ] {
            assert!(is_service_link(link), "{link}");
        }
        for key in ["TRANSOM_SERVER__PORT", "TRANSOM_LISTEN", "TRANSOM_COLLISIONS", "TRANSOM_PORTS"] {
            assert!(!is_service_link(key), "{key}");
        }
    }
}
