//! One TOML file: its values for the merged tree, the place of each, and every error of its syntax.
//!
//! Look here for how a place in a file is found and for what a broken file still tells. Which keys
//! there are, and what their values mean, is not known here.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::config::{Value, ValueKind};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Raw;
use super::layer::{JOINED, Layer, Table};
use super::place::{Place, Text, child, item};
use crate::config::problem::Problem;

/// Reads one file into a layer; its places and problems go into `raw`.
pub(super) fn read(content: &str, file: &Arc<PathBuf>, base: Arc<Path>, raw: &mut Raw) -> Layer {
    let (table, errors) = DeTable::parse_recoverable(content);
    let mut document =
        Document { text: Text::new(content, Arc::clone(file)), base, broken: HashSet::new(), raw };
    for error in errors {
        document.syntax_error(error.span().map_or(content.len(), |span| span.start), error.message());
    }
    Layer(document.table(table.get_ref(), ""))
}

struct Document<'r, 't> {
    text: Text<'t>,
    base: Arc<Path>,
    /// Lines with an error of syntax: what the parser made of them is guesswork and left alone.
    broken: HashSet<u32>,
    raw: &'r mut Raw,
}

impl Document<'_, '_> {
    fn syntax_error(&mut self, offset: usize, message: &str) {
        let at = self.text.location(offset, "");
        if let Some((line, _)) = at.position {
            self.broken.extend(self.text.lines_of_section(line));
        }
        self.raw.complete = false;
        let problem = Problem::error(at, format!("not TOML: {message}"));
        // What the parser says of a bare word.
        let is_bare = message.starts_with("invalid boolean") || message.starts_with("string values");
        self.raw.report(if is_bare { problem.help("a string stands in quotes") } else { problem });
    }

    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Table {
        let mut entries: Vec<_> = table.iter().collect();
        // In the order of the file, so that the first of two is the first.
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut read = Table::new();
        for (key, value) in entries {
            let path = child(path, key.get_ref());
            if !self.is_guess(key, value) && self.claim(&path, key, value) {
                read.insert(key.get_ref().to_string(), self.value(value, &path));
            }
        }
        read
    }

    /// Whether the parser made this of a line it could not read; a value never stands before its key,
    /// but that of a header does.
    fn is_guess(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> bool {
        let may_be_header = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let (line, _) = self.text.position(key.span().start);
        self.broken.contains(&line) || !may_be_header && value.span().start < key.span().end
    }

    /// Notes the place of a key; false when another file has set it already.
    fn claim(&mut self, path: &str, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> bool {
        let place = self.place(path, Some(key), value);
        let Some(earlier) = self.raw.places.get(path) else {
            self.raw.places.set(path.to_owned(), place);
            return true;
        };
        let joins = is_joined(path) && self.raw.lists.contains_key(path);
        let merges = earlier.is_table && place.is_table || joins && is_list(value);
        if !merges {
            self.raw.report(set_twice(path, earlier, place));
        }
        merges
    }

    fn place(&self, path: &str, key: Option<&Spanned<DeString<'_>>>, value: &Spanned<DeValue<'_>>) -> Place {
        let start = value.span().start;
        let at = self.text.location(start, path);
        Place {
            key: key.map_or_else(|| at.clone(), |key| self.text.location(key.span().start, path)),
            text: self.start_of_text(value),
            is_table: matches!(value.get_ref(), DeValue::Table(_)),
            is_environment: false,
            base: Arc::clone(&self.base),
            at,
        }
    }

    fn start_of_text(&self, value: &Spanned<DeValue<'_>>) -> Option<(u32, u32)> {
        let DeValue::String(string) = value.get_ref() else { return None };
        let written = self.text.content.get(value.span())?;
        let inside = written.get(1..written.len().checked_sub(1)?)?;
        (inside == string.as_ref()).then(|| self.text.position(value.span().start + 1))
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Value {
        let kind = match value.get_ref() {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            // Every key has bounds far below: a number too large for us is out of them.
            DeValue::Integer(number) => {
                ValueKind::I64(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX))
            }
            DeValue::Float(number) => ValueKind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => ValueKind::Boolean(*boolean),
            // No key has a date for its value: `Nil` stands for one, so that it is told as such.
            DeValue::Datetime(_) => ValueKind::Nil,
            DeValue::Array(list) => ValueKind::Array(self.list(list, path)),
            DeValue::Table(table) => ValueKind::Table(self.table(table, path)),
        };
        Value::new(None, kind)
    }

    fn list(&mut self, list: &[Spanned<DeValue<'_>>], path: &str) -> Vec<Value> {
        let first = if is_joined(path) { self.raw.lists.get(path).copied().unwrap_or(0) } else { 0 };
        if is_joined(path) {
            self.raw.lists.insert(path.to_owned(), first + list.len());
        }
        let items = list.iter().enumerate().map(|(index, value)| {
            let path = item(path, first + index);
            self.raw.places.set(path.clone(), self.place(&path, None, value));
            self.value(value, &path)
        });
        items.collect()
    }
}

fn is_joined(path: &str) -> bool {
    JOINED.contains(&path)
}

fn is_list(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Array(_))
}

fn set_twice(path: &str, earlier: &Place, place: Place) -> Problem {
    if path == "include" {
        return Problem::error(place.key, "only the first file can include others");
    }
    let help = format!("it is also set at {}; keep one of the two", earlier.key.without_key());
    Problem::error(place.key, "set twice").help(help)
}
