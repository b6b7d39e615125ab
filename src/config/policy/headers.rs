//! The policy key `headers`: what is added to and taken from the metadata of calls and the headers of answers.
//!
//! Every level has its say, the farthest first: what a nearer one sets or removes is what holds. Names and
//! values are checked here; how they are applied is not known here.

use http::HeaderName;

use super::metadata::{FixedValue, is_secret};
use super::{Effective, PolicyKeys};
use crate::config::auth::Reference;
use crate::config::entry::Entry;
use crate::config::problem::Located;
use crate::config::read::name;
use crate::config::table::Table;
use crate::rpc::metadata::is_binary;

/// What one level says of `headers`.
#[derive(Clone, Debug, Default)]
pub struct HeaderKeys {
    /// Of the metadata of calls.
    pub request: Option<Located<HeaderEdits>>,
    /// Of the headers of answers.
    pub response: Option<Located<HeaderEdits>>,
}

/// What holds in the end: the edits of all levels, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers {
    pub request: Vec<HeaderEdits>,
    pub response: Vec<HeaderEdits>,
}

/// `headers.request` or `headers.response` of one level, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderEdits {
    /// Taken away.
    pub remove: Vec<HeaderName>,
    /// Put in place of what is there.
    pub set: Vec<(HeaderName, HeaderSource)>,
    /// Put beside what is there.
    pub add: Vec<(HeaderName, HeaderSource)>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderSource {
    Fixed(FixedValue),
    /// `claim:POINTER`: a claim of the caller's token; there is no value where it has none.
    Claim(String),
    /// `client:address`: the address of the client, as far as it is known.
    Address,
}

/// How a name is read, for one side or the other.
type ReadName = fn(&Entry<'_>, &str) -> Option<HeaderName>;

impl HeaderKeys {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let Some(mut table) = table.table("headers") else { return Self::default() };
        let keys = Self {
            request: table.located("request", |entry| HeaderEdits::read(entry, name::passing_text)),
            response: table.located("response", |entry| {
                let edits = HeaderEdits::read(entry, name::response_text)?;
                // Whoever asks knows where they are; their proxies need not be told by an answer.
                if edits.tells_address() {
                    return entry.wrong("an answer does not tell addresses", "set it in headers.request");
                }
                Some(edits)
            }),
        };
        table.finish();
        keys
    }

    /// What has to be read from elsewhere.
    pub fn references(&self) -> impl Iterator<Item = &Located<Reference>> {
        self.request.iter().chain(&self.response).flat_map(|edits| edits.value.references())
    }

    /// Names of metadata that calls are given.
    pub fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.request.iter().flat_map(|edits| edits.value.written())
    }
}

impl Headers {
    pub(super) fn resolve(levels: &[&PolicyKeys]) -> Self {
        let [request, response] = SIDES.map(|(_, of)| {
            let farthest_first = levels.iter().rev().filter_map(|keys| of(&keys.headers).as_ref());
            farthest_first.map(|edits| edits.value.clone()).filter(|edits| !edits.is_empty()).collect()
        });
        Self { request, response }
    }
}

/// A row for each level that says something, the nearest first.
pub(super) fn effective(levels: &[&PolicyKeys]) -> Vec<Effective> {
    let mut rows = Vec::new();
    for (key, of) in SIDES {
        let set = levels.iter().filter_map(|keys| of(&keys.headers).as_ref());
        let before = rows.len();
        rows.extend(set.map(|edits| Effective {
            key: key.to_owned(),
            value: edits.value.show(),
            at: Some(edits.at.clone()),
        }));
        if rows.len() == before {
            rows.push(Effective { key: key.to_owned(), value: HeaderEdits::default().show(), at: None });
        }
    }
    rows
}

/// The key of a side, and what a level says of it.
type Side = (&'static str, fn(&HeaderKeys) -> &Option<Located<HeaderEdits>>);

const SIDES: [Side; 2] =
    [("headers.request", |keys| &keys.request), ("headers.response", |keys| &keys.response)];

impl HeaderEdits {
    fn read(entry: &Entry<'_>, read_name: ReadName) -> Option<Self> {
        let mut table = entry.table()?;
        let edits = Self {
            remove: table.get("remove", |entry| names(entry, read_name)).unwrap_or_default(),
            set: table.get("set", |entry| values(entry, read_name)).unwrap_or_default(),
            add: table.get("add", |entry| values(entry, read_name)).unwrap_or_default(),
        };
        table.finish();
        Some(edits)
    }

    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    fn references(&self) -> impl Iterator<Item = &Located<Reference>> {
        self.set.iter().chain(&self.add).filter_map(|(_, source)| match source {
            HeaderSource::Fixed(value) => value.reference(),
            HeaderSource::Claim(_) | HeaderSource::Address => None,
        })
    }

    fn tells_address(&self) -> bool {
        self.set.iter().chain(&self.add).any(|(_, source)| *source == HeaderSource::Address)
    }

    fn written(&self) -> impl Iterator<Item = &HeaderName> {
        self.set.iter().chain(&self.add).map(|(name, _)| name)
    }

    fn show(&self) -> String {
        let mut parts = Vec::new();
        if !self.remove.is_empty() {
            let names: Vec<_> = self.remove.iter().map(HeaderName::as_str).collect();
            parts.push(format!("remove = {names:?}"));
        }
        for (key, values) in [("set", &self.set), ("add", &self.add)] {
            let shown: Vec<_> =
                values.iter().map(|(name, source)| format!("\"{name}\" = {}", source.show())).collect();
            if !shown.is_empty() {
                parts.push(format!("{key} = {{ {} }}", shown.join(", ")));
            }
        }
        if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
    }
}

fn names(entry: &Entry<'_>, read_name: ReadName) -> Option<Vec<HeaderName>> {
    Some(entry.texts(read_name)?.into_iter().map(|name| name.value).collect())
}

fn values(entry: &Entry<'_>, read_name: ReadName) -> Option<Vec<(HeaderName, HeaderSource)>> {
    let mut pairs: Vec<(HeaderName, HeaderSource)> = Vec::new();
    for (key, entry) in entry.table()?.named() {
        let (Some(name), Some(source)) = (read_name(&entry, key), HeaderSource::read(&entry, key)) else {
            continue;
        };
        if is_binary(&name) {
            entry
                .wrong::<()>(format!("`{name}` has binary values"), "write a name that does not end in -bin");
            continue;
        }
        if pairs.iter().any(|(other, _)| *other == name) {
            entry.wrong::<()>(format!("`{name}` stands here twice"), "names have no case: write it once");
        } else {
            pairs.push((name, source));
        }
    }
    Some(pairs)
}

impl HeaderSource {
    fn read(entry: &Entry<'_>, key: &str) -> Option<Self> {
        match entry.text()?.split_once(':') {
            Some(("claim" | "client", _)) if is_secret(key) => {
                let help = "write \"file:PATH\" or \"env:NAME\"";
                entry.wrong("must be a secret of its own, not what a caller says", help)
            }
            Some(("claim", pointer)) => name::pointer(entry, pointer).map(Self::Claim),
            Some(("client", "address")) => Some(Self::Address),
            Some(("client", _)) => entry.wrong("is nothing of a client", "write \"client:address\""),
            _ => FixedValue::read(entry, key).map(Self::Fixed),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Fixed(value) => value.show(),
            Self::Claim(pointer) => format!("\"claim:{pointer}\""),
            Self::Address => "\"client:address\"".to_owned(),
        }
    }
}
