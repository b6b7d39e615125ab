//! `[upstreams.NAME]`: the gRPC services behind the gateway.

use std::sync::Arc;

use ::config::ValueKind;

use super::{address, name};
use crate::config::entry::{Choice, Entry};
use crate::config::model::{
    Balance, ClientCertificate, Endpoint, HashKey, Health, Hosts, Upstream, UpstreamTls,
};
use crate::config::policy::{Level, PolicyKeys};
use crate::config::problem::{Located, Location};
use crate::config::raw::place::child;
use crate::config::table::Table;

const PREFIX_FORM: &str =
    "write a path that starts with a slash and does not end with one, such as \"/shop\"";
const BALANCE_FORM: &str =
    "write \"p2c\", \"round_robin\", { hash = \"header:x-user\" } or { hash = \"field:user.id\" }";

/// The words of `balance`; `{ hash = … }` is no word.
#[derive(Clone, Copy, PartialEq)]
enum BalanceWord {
    P2c,
    RoundRobin,
}

impl Choice for BalanceWord {
    const WORDS: &'static [(&'static str, Self)] = &[("p2c", Self::P2c), ("round_robin", Self::RoundRobin)];
}

pub(super) fn upstreams(root: &mut Table<'_>) -> Vec<Upstream> {
    let entry = root.entry("upstreams");
    let table = entry.as_ref().and_then(Entry::table);
    let named = table.map(|table| table.named()).unwrap_or_default();
    if named.is_empty() && entry.is_none_or(|entry| entry.is_empty_table()) {
        root.missing(
            "no upstreams, so there is nothing to call",
            "add [upstreams.NAME] with endpoints = [\"http://127.0.0.1:50051\"]",
        );
    }
    named.into_iter().filter_map(|(name, entry)| Some(upstream(name, entry.table()?))).collect()
}

fn upstream(name: &str, mut table: Table<'_>) -> Upstream {
    let upstream = Upstream {
        name: Arc::from(name),
        endpoints: endpoints(&mut table),
        // Wrong ones are claims all the same: the upstream does not become one for everything.
        services: table.get("services", |entry| Some(services(entry).unwrap_or_default())),
        hosts: table.get("hosts", hosts).unwrap_or_default(),
        prefix: table.located("prefix", prefix),
        auto_routes: table.get("auto_routes", Entry::boolean).unwrap_or(true),
        balance: table.located("balance", balance).unwrap_or_else(|| default_balance(&table)),
        tls: table.table("tls").map(tls),
        health: table.table("health").map(health),
        policy: PolicyKeys::read(&mut table, Level::Upstream, format!("upstreams {name}")),
        at: table.at(),
    };
    table.finish();
    upstream
}

fn default_balance(table: &Table<'_>) -> Located<Balance> {
    let key = child(&table.path, "balance");
    Located { value: Balance::default(), at: Location { key, ..Location::default() } }
}

fn endpoints(table: &mut Table<'_>) -> Vec<Located<Endpoint>> {
    let example = "[\"http://127.0.0.1:50051\"]";
    let Some(list) = table.required("endpoints", example, endpoint_list) else { return Vec::new() };
    list.value
}

fn endpoint_list(entry: &Entry<'_>) -> Option<Vec<Located<Endpoint>>> {
    match entry.value {
        _ if entry.is_empty_list() => {
            entry.wrong("must not be empty", "write at least one, such as \"http://127.0.0.1:50051\"")
        }
        // The environment's form of a list.
        ValueKind::String(_) => entry.texts(unweighted),
        _ => entry.list(endpoint),
    }
}

fn unweighted(entry: &Entry<'_>, text: &str) -> Option<Endpoint> {
    Some(Endpoint { address: address::endpoint(entry, text)?, weight: 1 })
}

/// A text, or `{ url, weight }`.
fn endpoint(entry: &Entry<'_>) -> Option<Endpoint> {
    if let ValueKind::String(text) = entry.value {
        return unweighted(entry, text);
    }
    let mut table = entry.table()?;
    let url =
        table.required("url", "\"http://127.0.0.1:50051\"", |entry| address::endpoint(entry, entry.text()?));
    let weight = table.get("weight", |entry| entry.number(&(1..=u32::MAX))).unwrap_or(1);
    table.finish();
    Some(Endpoint { address: url?.value, weight })
}

fn services(entry: &Entry<'_>) -> Option<Vec<Located<String>>> {
    if entry.is_empty_list() {
        return entry.wrong("must not be empty", "leave it out for all that no other upstream claims");
    }
    entry.texts(name::service)
}

fn hosts(entry: &Entry<'_>) -> Option<Hosts> {
    if entry.is_text("annotated") {
        return Some(Hosts::Annotated);
    }
    if entry.is_empty_list() {
        return entry.wrong("must not be empty", "leave it out for every host");
    }
    entry.texts(name::host).map(Hosts::Names)
}

/// What stands before every template: literal segments only, without anything that a template or a URL
/// reads otherwise.
fn prefix(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text()?;
    let is_segment = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_plain)
    };
    match text.strip_prefix('/') {
        Some(path) if path.split('/').all(is_segment) => Some(text.to_owned()),
        Some("") => entry.wrong("\"/\" stands before nothing", "leave `prefix` out"),
        _ => entry.wrong(format!("\"{text}\" is no prefix"), PREFIX_FORM),
    }
}

fn balance(entry: &Entry<'_>) -> Option<Balance> {
    if let ValueKind::Table(_) = entry.value {
        let mut table = entry.table()?;
        let hash = table.required("hash", "\"header:x-user\"", hash_key);
        table.finish();
        return Some(Balance::Hash(hash?.value));
    }
    if !matches!(entry.value, ValueKind::String(_)) {
        return entry.wrong("is no way to balance", BALANCE_FORM);
    }
    match entry.choice()? {
        BalanceWord::P2c => Some(Balance::P2c),
        BalanceWord::RoundRobin => Some(Balance::RoundRobin),
    }
}

fn hash_key(entry: &Entry<'_>) -> Option<HashKey> {
    let text = entry.text()?;
    match text.split_once(':') {
        Some(("header", header)) if name::is_token(header) => {
            Some(HashKey::Header(header.to_ascii_lowercase()))
        }
        Some(("field", path)) if path.split('.').all(|name| !name.is_empty()) => {
            Some(HashKey::Field(path.to_owned()))
        }
        _ => entry.wrong(format!("\"{text}\" is no key to hash"), "write \"header:NAME\" or \"field:PATH\""),
    }
}

fn health(mut table: Table<'_>) -> Health {
    let service = table.get("service", health_service).unwrap_or_default();
    table.finish();
    Health { service: service.into() }
}

/// The whole server, or a name as services have it.
fn health_service(entry: &Entry<'_>) -> Option<String> {
    match entry.text()? {
        "" => Some(String::new()),
        text => name::service(entry, text),
    }
}

fn tls(mut table: Table<'_>) -> UpstreamTls {
    let ca = table.located("ca", Entry::path);
    let cert = table.located("cert", Entry::path);
    let key = table.located("key", Entry::path);
    if table.has("cert") != table.has("key") {
        table.missing("`cert` and `key` go together", "write both, or neither");
    }
    let server_name = table.located("server_name", |entry| name::host(entry, entry.text()?));
    table.finish();
    let client = cert.zip(key).map(|(cert, key)| ClientCertificate { cert, key });
    UpstreamTls { ca, client, server_name }
}
