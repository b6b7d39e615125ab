//! From the merged tree to the checked model: one file a part of the vocabulary.
//!
//! Look here for which keys there are. Each reader asks a table for its keys, tells what is wrong with
//! each, and goes on; what it returns is used only when nothing was wrong. What concerns more than one
//! key at a time is checked in `check`.

mod address;
mod auth;
pub(super) mod name;
mod route;
mod schema;
mod server;
mod upstream;

use super::entry::{Choice, Entry};
use super::model::{Collisions, Config, SelectorPolicy};
use super::policy::{Level, PolicyKeys};
use super::raw::Raw;
use super::source::Source;
use super::table::Table;

impl Choice for Collisions {
    const WORDS: &'static [(&'static str, Self)] = &[("error", Self::Error), ("warn", Self::Warn)];
}

/// Reads the whole configuration.
pub(super) fn config(raw: &Raw, source: &Source) -> Config {
    let mut root = Table::root(raw);
    // Its patterns have been followed already; this tells what is no list of texts.
    root.get("include", |entry| entry.list(Entry::text));
    let config = Config {
        collisions: root.get("collisions", Entry::choice).unwrap_or_default(),
        server: server::server(&mut root),
        admin: server::admin(&mut root),
        schema: schema::schemas(&mut root, source),
        auth: auth::auth(&mut root),
        upstreams: upstream::upstreams(&mut root),
        defaults: defaults(&mut root),
        policies: policies(&mut root),
        routes: route::routes(&mut root),
        files: raw.files.clone(),
        include: raw.include.clone(),
    };
    root.finish();
    config
}

fn defaults(root: &mut Table<'_>) -> PolicyKeys {
    let Some(mut table) = root.table("defaults") else { return PolicyKeys::default() };
    let keys = PolicyKeys::read(&mut table, Level::Defaults, "defaults".to_owned());
    table.finish();
    keys
}

fn policies(root: &mut Table<'_>) -> Vec<SelectorPolicy> {
    let policies = root.tables("policies").into_iter().filter_map(|mut table| {
        let selector = table.required("selector", "\"pkg.Service.*\"", name::selector);
        let scope = selector.as_ref().map(|selector| format!("policies {}", selector.value));
        let policy = PolicyKeys::read(&mut table, Level::Selector, scope.unwrap_or_default());
        table.finish();
        Some(SelectorPolicy { selector: selector?, policy })
    });
    policies.collect()
}
