//! The architecture as a failing test: which layer may import which, and the shape of every file.
//!
//! The layers are those of `docs/architecture.md`; a change of one is a change of both. The scanner reads
//! paths (`crate::…`, `super::…`, nested groups, in `use` and elsewhere), not types: what a layer
//! re-exports counts as its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/scanner.rs"]
mod scanner;

use scanner::{declared_modules, imports};

/// Each layer and what it may import, from the bottom up.
const LAYERS: &[(&str, &[&str])] = &[
    ("rpc", &[]),
    ("route", &[]),
    ("config", &["rpc", "route"]),
    ("telemetry", &["rpc", "config"]),
    ("schema", &["rpc", "config", "route"]),
    ("transcode", &["rpc", "route", "schema"]),
    ("upstream", &["rpc", "config", "telemetry"]),
    ("protocol", &["rpc", "route", "config", "telemetry", "schema", "transcode"]),
    ("middleware", &["rpc", "config", "telemetry", "protocol"]),
    (
        "gateway",
        &["rpc", "route", "config", "telemetry", "schema", "transcode", "upstream", "protocol", "middleware"],
    ),
    ("server", &["rpc", "config", "telemetry", "gateway"]),
    ("demo", &["rpc"]),
    ("cli", &["config", "telemetry", "gateway", "server", "demo"]),
];

/// What `main.rs` may import.
const MAIN: &[&str] = &["cli"];

/// The parts of `protocol` that its adapters share; every other module there is an adapter.
const SHARED: &[&str] = &[
    "accept",
    "adapter",
    "bindings",
    "body",
    "content_type",
    "detect",
    "event_id",
    "fixture",
    "form",
    "head",
    "headers",
    "invalid",
    "json_error",
    "outcome",
    "stream_body",
    "success",
    "target",
];

/// The most lines of a file, its tests included.
const MAX_LINES: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["common", "core", "handler", "helper", "manager", "misc", "types", "util", "utils"];

#[test]
fn imports_go_down() {
    assert_none(sources().iter().flat_map(|file| breaches(&file.name, &file.text)));
}

#[test]
fn every_file_says_what_it_is() {
    let silent = sources().into_iter().filter(|file| !file.text.starts_with("//! "));
    assert_none(silent.map(|file| format!("{} does not start with a `//!` header", file.name)));
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter(|file| file.text.lines().count() > MAX_LINES);
    assert_none(long.map(|file| format!("{} has more than {MAX_LINES} lines", file.name)));
}

#[test]
fn names_say_something() {
    let modules = sources()
        .into_iter()
        .flat_map(|file| module(&file.name).into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert_none(modules.filter(|name| EMPTY_NAMES.contains(&name.as_str())));
}

#[test]
fn the_library_declares_the_layers_in_order() {
    let declared = declared_modules(&read(&root().join("src/lib.rs")));
    let layers: Vec<String> = LAYERS.iter().map(|(layer, _)| format!("pub mod {layer}")).collect();
    assert_eq!(declared, layers);
}

#[test]
fn the_table_only_points_up_the_page() {
    for (at, (layer, allowed)) in LAYERS.iter().enumerate() {
        let above: Vec<&str> = LAYERS.iter().take(at).map(|(name, _)| *name).collect();
        assert!(
            allowed.iter().all(|name| above.contains(name)),
            "{layer} may import only what stands above it"
        );
    }
}

#[test]
fn the_architecture_page_has_the_same_table() {
    let page = read(&root().join("docs/architecture.md"));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut documented = Vec::new();
    for (layer, rest) in rows.filter(|(layer, _)| LAYERS.iter().any(|(name, _)| name == layer)) {
        let allowed: Vec<&str> = match rest.split(" |").next().unwrap_or_default() {
            "nothing" => Vec::new(),
            "all above" => documented.iter().map(|(name, _)| *name).collect(),
            names => names.split(", ").collect(),
        };
        documented.push((layer, allowed));
    }
    let data: Vec<(&str, Vec<&str>)> =
        LAYERS.iter().map(|(layer, allowed)| (*layer, allowed.to_vec())).collect();
    assert_eq!(documented, data);
}

/// What a file under `src/` imports and must not.
fn breaches(name: &str, text: &str) -> Vec<String> {
    let own = module(name);
    let (layer, allowed) = match own.first() {
        None if name == "src/main.rs" => ("main", MAIN),
        None => ("lib", [].as_slice()),
        Some(first) => match LAYERS.iter().find(|(layer, _)| layer == first) {
            Some((layer, allowed)) => (*layer, *allowed),
            None => return vec![format!("{name} belongs to no layer")],
        },
    };
    let root = if layer == "main" { "transom" } else { "crate" };
    let judge = |import: &scanner::Import| {
        let path: Vec<&str> = import.path.iter().map(String::as_str).collect();
        let what = match path.first() {
            None | Some(&"*") => "the whole crate, which hides what it uses".to_owned(),
            Some(first) if *first == layer => another_adapter(&own, &path)?,
            Some(first) if allowed.contains(first) => return None,
            Some(first) => format!("`{first}`"),
        };
        Some(format!("{name}:{}: `{layer}` must not import {what}", import.line))
    };
    imports(&own, root, text).iter().filter_map(judge).collect()
}

/// The other adapter of `protocol` that an adapter reaches for.
fn another_adapter(own: &[&str], path: &[&str]) -> Option<String> {
    let (["protocol", from, ..], ["protocol", to, ..]) = (own, path) else { return None };
    let is_module = |name: &&str| name.starts_with(|it: char| it.is_ascii_lowercase());
    let is_adapter = |name: &&str| is_module(name) && !SHARED.contains(name);
    match *to {
        "*" if is_adapter(from) => Some("all of `protocol`, which hides what it uses".to_owned()),
        _ if is_adapter(from) && is_adapter(to) && from != to => Some(format!("another adapter, `{to}`")),
        _ => None,
    }
}

/// The module path of a file: `src/rpc/code.rs` is `rpc::code`.
fn module(name: &str) -> Vec<&str> {
    let inner = name.trim_start_matches("src/").trim_end_matches(".rs");
    if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').collect() }
}

struct Source {
    /// Relative to the repository, with slashes.
    name: String,
    text: String,
}

/// Every Rust file under `src/`.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(Source { name: relative(&path), text: read(&path) });
            }
        }
    }
    assert!(found.iter().any(|file| file.name == "src/lib.rs"), "no sources found");
    found
}

fn relative(path: &Path) -> String {
    let inner = path.strip_prefix(root()).unwrap_or(path);
    inner.components().map(|it| it.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_none(found: impl Iterator<Item = String>) {
    let found: BTreeSet<String> = found.collect();
    assert!(found.is_empty(), "\n{}", found.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn breaches_are_found() {
    for (name, text, breach) in [
        ("src/rpc/code.rs", "use crate::route::Router;", "`route`"),
        ("src/rpc.rs", "fn f() { crate::config::load() }", "`config`"),
        ("src/rpc/code.rs", "use super::super::route;", "`route`"),
        ("src/rpc/code.rs", "mod tests { use super::super::super::route; }", "`route`"),
        ("src/route.rs", "use crate::{route::Template, schema as s};", "`schema`"),
        (
            "src/transcode/plan.rs",
            "use crate::{rpc::{Code, Status}, {schema::{self}, upstream::pool::Pool}};",
            "`upstream`",
        ),
        ("src/upstream/pool.rs", "pub use crate::protocol::*;", "`protocol`"),
        ("src/middleware.rs", "struct A<'a>(&'a str, crate::upstream::Pool);", "`upstream`"),
        ("src/config.rs", "use crate::*;", "the whole crate"),
        ("src/config.rs", "use crate as all;", "the whole crate"),
        ("src/config.rs", "use crate::{self as all};", "the whole crate"),
        ("src/config.rs", "use super::schema;", "`schema`"),
        ("src/config.rs", "use crate::nowhere;", "`nowhere`"),
        ("src/lib.rs", "use crate::rpc;", "`rpc`"),
        ("src/main.rs", "fn main() { transom::server::serve() }", "`server`"),
        ("src/main.rs", "use transom::{cli, rpc::Code};", "`rpc`"),
        ("src/protocol/rest.rs", "use super::grpc::Body;", "another adapter, `grpc`"),
        ("src/protocol/rest/tests.rs", "use crate::protocol::{detect, sse};", "another adapter, `sse`"),
        ("src/protocol/rest.rs", "use super::*;", "all of `protocol`"),
        ("src/extra/thing.rs", "", "belongs to no layer"),
    ] {
        let found = breaches(name, text);
        assert_eq!(found.len(), 1, "{name}: {text}: {found:?}");
        assert!(found[0].contains(breach), "{name}: {text}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_no_breach() {
    for (name, text) in [
        ("src/rpc/code.rs", "use super::Status; use crate::rpc::call::{self, Call}; pub(crate) fn f() {}"),
        (
            "src/rpc/code.rs",
            "// use crate::route;\n/* crate::route /* nested */ crate::config */ //! crate::route::X",
        ),
        (
            "src/rpc/code.rs",
            "const A: &str = \"crate::route \\\" crate::route\"; const B: &str = r#\"\"crate::route\"\"#;",
        ),
        (
            "src/rpc/code.rs",
            "const A: char = '\"'; const B: char = '\\''; fn f<'a>(_: &'a str) {} // \" crate::route",
        ),
        ("src/rpc/code.rs", "mod tests { use super::*; use super::super::Status; }"),
        ("src/schema/method.rs", "use crate::{config::Located, route::{Template, Variable}};"),
        ("src/gateway/resolve.rs", "use crate::upstream::Pool; use crate::protocol::rest::Rest;"),
        ("src/main.rs", "use transom::cli; fn main() { transom::cli::run(std::env::args()) }"),
        (
            "src/protocol/rest.rs",
            "use super::{detect::Detected, target, Adapter}; use crate::protocol::rest::body;",
        ),
        ("src/protocol.rs", "use self::rest::Rest; use crate::protocol::grpc::Grpc;"),
        ("src/protocol/adapter.rs", "use super::rest::Rest;"),
    ] {
        assert_eq!(breaches(name, text), [""; 0], "{name}: {text}");
    }
}
