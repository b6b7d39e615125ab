//! A table of the merged tree: it remembers the keys that it was asked for, and tells what it was not
//! asked for as unknown.
//!
//! Look here for missing and unknown keys. Which keys there are is said by those who ask.

use super::entry::Entry;
use super::problem::{Located, Location, Problem};
use super::raw::{self, Raw, place};
use super::suggest::{self, closest};

/// A table whose keys are asked for one by one.
#[derive(Clone, Debug)]
#[must_use = "what was not asked for is told by `finish`"]
pub(super) struct Table<'t> {
    pub raw: &'t Raw,
    pub path: String,
    entries: &'t raw::Table,
    asked: Vec<&'static str>,
}

impl<'t> Table<'t> {
    /// The whole configuration.
    pub fn root(raw: &'t Raw) -> Self {
        Self::new(raw, String::new(), &raw.tree)
    }

    pub fn new(raw: &'t Raw, path: String, entries: &'t raw::Table) -> Self {
        Self { raw, path, entries, asked: Vec::new() }
    }

    pub fn at(&self) -> Location {
        self.raw.places.at(&self.path)
    }

    /// Whether a key is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of a key, if it is there.
    pub fn entry(&mut self, key: &'static str) -> Option<Entry<'t>> {
        self.asked.push(key);
        self.value(key)
    }

    fn value(&self, key: &str) -> Option<Entry<'t>> {
        let (raw, path) = (self.raw, place::child(&self.path, key));
        self.entries.get(key).map(|value| Entry { raw, value: &value.kind, path })
    }

    pub fn get<T>(&mut self, key: &'static str, read: impl FnOnce(&Entry<'t>) -> Option<T>) -> Option<T> {
        self.entry(key).and_then(|entry| read(&entry))
    }

    pub fn located<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Entry<'t>) -> Option<T>,
    ) -> Option<Located<T>> {
        self.entry(key).and_then(|entry| entry.located(read))
    }

    /// A key that must be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Entry<'t>) -> Option<T>,
    ) -> Option<Located<T>> {
        if !self.entries.contains_key(key) {
            self.missing(format!("`{key}` is missing"), format!("add {key} = {example}"));
        }
        self.located(key, read)
    }

    pub fn table(&mut self, key: &'static str) -> Option<Table<'t>> {
        self.get(key, Entry::table)
    }

    pub fn tables(&mut self, key: &'static str) -> Vec<Table<'t>> {
        self.entry(key).map(|entry| entry.tables()).unwrap_or_default()
    }

    /// All entries of a table whose keys are names, in the order in which they were set.
    pub fn named(&self) -> Vec<(&'t str, Entry<'t>)> {
        let mut named: Vec<_> =
            self.entries.keys().filter_map(|key| Some((key.as_str(), self.value(key)?))).collect();
        named.sort_by_cached_key(|(name, entry)| (self.raw.order(&entry.at()), *name));
        named
    }

    /// Tells that something is not there; not of a file that could not be read whole.
    pub fn missing(&self, message: impl Into<String>, help: impl Into<String>) {
        if self.raw.complete {
            self.raw.report(Problem::error(self.at(), message).help(help));
        }
    }

    pub fn wrong(&self, message: impl Into<String>, help: impl Into<String>) {
        self.raw.report(Problem::error(self.at(), message).help(help));
    }

    /// Tells every key that was not asked for.
    pub fn finish(self) {
        for (key, entry) in self.named() {
            if !self.asked.contains(&key) {
                self.raw.report(self.unknown(key, &entry));
            }
        }
    }

    fn unknown(&self, key: &str, entry: &Entry<'t>) -> Problem {
        let place = entry.place();
        let at = place.map_or_else(|| entry.at(), |place| place.key.clone());
        let problem = Problem::error(at, format!("unknown key `{key}`"));
        let Some(known) = closest(key, &self.asked) else {
            return match suggest::home(key) {
                Some(home) => problem.help(format!("`{key}` is a key of {home}")),
                None => problem.help(format!("the keys here are {}", self.asked.join(", "))),
            };
        };
        let is_environment = place.is_some_and(|place| place.is_environment);
        let path = place::child(&self.path, known);
        let name = if is_environment { raw::environment::variable(&path) } else { known.to_owned() };
        problem.help(format!("did you mean `{name}`?"))
    }
}
