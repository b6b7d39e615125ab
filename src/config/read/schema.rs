//! `[[schema]]`: where descriptors come from.

use std::path::PathBuf;
use std::sync::Arc;

use super::name;
use crate::config::entry::Entry;
use crate::config::model::{Schema, SchemaSource};
use crate::config::problem::{Located, Location};
use crate::config::source::{Kind, Source};
use crate::config::table::Table;

pub(super) fn schemas(root: &mut Table<'_>, source: &Source) -> Vec<Schema> {
    let embedded = match &source.kind {
        Kind::Text { descriptors: Some(bytes), .. } => Some(embedded(bytes)),
        _ => None,
    };
    let entry = root.entry("schema");
    let tables = entry.as_ref().map(Entry::tables).unwrap_or_default();
    if embedded.is_none() && entry.is_none_or(|entry| entry.is_empty_list()) {
        root.missing(
            "no schema, so there is nothing to call",
            "add [[schema]] with descriptor_set = \"shop.binpb\" or protos = [\"proto/**/*.proto\"]",
        );
    }
    embedded.into_iter().chain(tables.into_iter().filter_map(schema)).collect()
}

fn embedded(bytes: &'static [u8]) -> Schema {
    let at = Location { key: "schema".to_owned(), ..Location::default() };
    Schema { source: SchemaSource::Embedded(bytes), exclude: Vec::new(), at }
}

fn protos(entry: &Entry<'_>) -> Option<Vec<Located<PathBuf>>> {
    if entry.is_empty_list() {
        return entry.wrong("must not be empty", "write a pattern such as \"proto/**/*.proto\"");
    }
    entry.texts(Entry::pattern)
}

fn schema(mut table: Table<'_>) -> Option<Schema> {
    let descriptor_set = table.located("descriptor_set", Entry::path);
    let protos = table.get("protos", protos);
    let reflection = table.located("reflection", |entry| entry.text().map(Arc::from));
    let include = table.get("include", |entry| entry.texts(|entry, text| Some(entry.resolve(text))));
    let exclude = table.get("exclude", |entry| entry.texts(name::selector_text)).unwrap_or_default();
    let has = ["descriptor_set", "protos", "reflection"].map(|key| table.has(key));
    match has.into_iter().filter(|has| *has).count() {
        0 => table.missing(
            "has no source of descriptors",
            "add descriptor_set = \"shop.binpb\", protos = [\"proto/**/*.proto\"] or reflection = \"UPSTREAM\"",
        ),
        1 => {}
        _ => table.wrong("has more than one source of descriptors", "write one [[schema]] for each"),
    }
    if table.has("include") && !table.has("protos") {
        table.wrong(
            "`include` goes with `protos`",
            "a descriptor set holds its imports itself; leave `include` out",
        );
    }
    let at = table.at();
    table.finish();
    let protos =
        protos.map(|patterns| SchemaSource::Protos { patterns, include: include.unwrap_or_default() });
    let reflection = reflection.map(SchemaSource::Reflection);
    let source = descriptor_set.map(SchemaSource::DescriptorSet).or(protos).or(reflection)?;
    Some(Schema { source, exclude, at })
}
