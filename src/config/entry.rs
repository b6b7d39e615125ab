//! One value of the merged tree with its place, and how it is read as this or that type.
//!
//! Look here for what strings, numbers and lists may look like and for how a wrong one is told. Which
//! keys there are is not known here.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ::config::ValueKind;

use super::problem::{Located, Location, Problem};
use super::raw::{self, Raw, place};
use super::suggest::closest;
use super::table::Table;
use super::unit;

/// A type whose values are a few words.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// All words, the default first.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| *word)
    }
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub raw: &'t Raw,
    pub value: &'t ValueKind,
    pub path: String,
}

impl<'t> Entry<'t> {
    /// Where it stands.
    pub fn at(&self) -> Location {
        self.raw.places.at(&self.path)
    }

    pub fn place(&self) -> Option<&'t place::Place> {
        self.raw.places.get(&self.path)
    }

    /// Tells what is wrong with it and what would be right.
    pub fn wrong<T>(&self, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.raw.report(Problem::error(self.at(), message).help(help));
        None
    }

    /// Tells what is wrong at a character of its text, counted from 1; at the start of the value where
    /// that place cannot be told.
    pub fn wrong_at<T>(&self, column: usize, message: String, help: Option<String>) -> Option<T> {
        let mut at = self.at();
        if let Some((line, start)) = self.place().and_then(|place| place.text) {
            let offset = u32::try_from(column.saturating_sub(1)).unwrap_or(0);
            at.position = Some((line, start.saturating_add(offset)));
        }
        self.raw.report(Problem { help, ..Problem::error(at, message) });
        None
    }

    fn not_a<T>(&self, wanted: &str, help: impl Into<String>) -> Option<T> {
        if let Some(text) = self.variable() {
            let help = "a variable holds the bare value; a table is set key by key, with __ between the keys";
            return self.wrong(format!("\"{text}\" is not {wanted}"), help);
        }
        self.wrong(format!("must be {wanted}, not {}", kind(self.value)), help)
    }

    /// The text of a variable of the environment, which is parsed to the type of its key.
    pub fn variable(&self) -> Option<&'t str> {
        match self.value {
            ValueKind::String(text) if self.place().is_some_and(|place| place.is_environment) => Some(text),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&'t str> {
        match self.value {
            ValueKind::String(text) => Some(text),
            _ => self.not_a("a string", "put it in quotes"),
        }
    }

    /// Whether it is this text.
    pub fn is_text(&self, text: &str) -> bool {
        matches!(self.value, ValueKind::String(own) if own == text)
    }

    pub fn boolean(&self) -> Option<bool> {
        match (self.value, self.variable()) {
            (ValueKind::Boolean(value), _) => Some(*value),
            (_, Some("true")) => Some(true),
            (_, Some("false")) => Some(false),
            _ => self.not_a("true or false", "write true or false, without quotes"),
        }
    }

    /// A whole number within a range.
    pub fn number<T>(&self, range: &RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        let number = match (self.value, self.variable()) {
            (ValueKind::I64(number), _) => Some(*number),
            (_, text) => text.and_then(|text| text.parse().ok()),
        };
        let Some(number) = number else {
            return self.not_a("a whole number", "write it without quotes and without a fraction");
        };
        match T::try_from(number) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let help = format!("write a number from {} to {}", range.start(), range.end());
                self.wrong(format!("{number} is out of range"), help)
            }
        }
    }

    pub fn duration(&self) -> Option<Duration> {
        self.quantity("a duration", unit::DURATION_FORM, unit::parse_duration)
    }

    /// A size in bytes.
    pub fn size(&self) -> Option<usize> {
        self.quantity("a size", unit::SIZE_FORM, unit::parse_size)
    }

    fn quantity<T>(
        &self,
        wanted: &str,
        form: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let ValueKind::String(text) = self.value else { return self.not_a(wanted, form) };
        parse(text).map_or_else(|wrong| self.wrong(format!("\"{text}\" {wrong}"), form), Some)
    }

    pub fn choice<T: Choice>(&self) -> Option<T> {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let list = || format!("write one of {}", quoted(&words));
        let ValueKind::String(text) = self.value else { return self.not_a("a string", list()) };
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| word == text) {
            return Some(*value);
        }
        let help = closest(text, &words).map_or_else(list, |word| format!("did you mean \"{word}\"?"));
        self.wrong(format!("\"{text}\" is no value of this key"), help)
    }

    /// A path, from the root: a relative one starts at the folder of the file that it stands in.
    pub fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.is_empty() {
            return self.wrong("must not be empty", "write the path of a file");
        }
        Some(self.resolve(text))
    }

    pub fn resolve(&self, path: &str) -> PathBuf {
        self.place().map_or_else(|| PathBuf::from(path), |place| place.base.join(path))
    }

    /// A glob pattern, from the root.
    pub fn pattern(&self, text: &str) -> Option<PathBuf> {
        if let Err(error) = glob::Pattern::new(text) {
            let help = "write one such as \"proto/**/*.proto\"";
            return self.wrong(format!("\"{text}\" is no pattern: {}", error.msg), help);
        }
        let base = self.place().map(|place| &place.base);
        Some(base.map_or_else(|| text.into(), |base| raw::include::absolute_pattern(base, text).into()))
    }

    /// A list of which every item is read the same way.
    pub fn list<T>(&self, read: impl Fn(&Entry<'t>) -> Option<T>) -> Option<Vec<Located<T>>> {
        let ValueKind::Array(items) = self.value else {
            return self.not_a("a list", "write it in square brackets: [\"…\"]");
        };
        let items = items.iter().enumerate().map(|(index, value)| Entry {
            raw: self.raw,
            value: &value.kind,
            path: place::item(&self.path, index),
        });
        Some(items.filter_map(|item| item.located(&read)).collect())
    }

    /// Whether it is a list without items.
    pub fn is_empty_list(&self) -> bool {
        match (self.value, self.variable()) {
            (ValueKind::Array(items), _) => items.is_empty(),
            (_, Some(text)) => text.split(',').all(|item| item.trim().is_empty()),
            _ => false,
        }
    }

    /// A list of texts; in the environment, texts with commas between them.
    pub fn texts<T>(&self, read: impl Fn(&Entry<'t>, &'t str) -> Option<T>) -> Option<Vec<Located<T>>> {
        if let Some(text) = self.variable() {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            return Some(
                items.filter_map(|item| read(self, item)).map(|value| self.place_of(value)).collect(),
            );
        }
        self.list(|item| read(item, item.text()?))
    }

    /// Reads it, and keeps its place.
    pub fn located<T>(&self, read: impl FnOnce(&Entry<'t>) -> Option<T>) -> Option<Located<T>> {
        read(self).map(|value| self.place_of(value))
    }

    fn place_of<T>(&self, value: T) -> Located<T> {
        Located { value, at: self.at() }
    }

    pub fn table(&self) -> Option<Table<'t>> {
        match self.value {
            ValueKind::Table(entries) => Some(Table::new(self.raw, self.path.clone(), entries)),
            _ => self.not_a("a table", "write its keys in braces or below a header in square brackets"),
        }
    }

    pub fn is_empty_table(&self) -> bool {
        matches!(self.value, ValueKind::Table(entries) if entries.is_empty())
    }

    /// The items of a list of tables, such as `[[routes]]`.
    pub fn tables(&self) -> Vec<Table<'t>> {
        let list = self.list(Self::table);
        list.unwrap_or_default().into_iter().map(|table| table.value).collect()
    }
}

/// What a value is, in words.
fn kind(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a number",
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "a string",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
        // See `document`: nothing else is `Nil` in TOML.
        ValueKind::Nil => "a date",
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
