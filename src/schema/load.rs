//! Reads the sources that a configuration names into one [`Schema`].
//!
//! This is where files are touched; it runs when a configuration is loaded, never for a request. What
//! upstreams say of themselves somebody else has asked them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{Builder, Schema, proto_source};
use crate::config::model::{self, SchemaSource};
use crate::config::problem::{Located, Problem};

/// A schema and the files that it was read from.
#[derive(Debug)]
pub struct Loaded {
    pub schema: Schema,
    /// What a reload has to watch.
    pub files: Vec<PathBuf>,
}

/// What upstreams have said of themselves by reflection: serialized `FileDescriptorSet`s, by upstream.
pub type Reflected = HashMap<Arc<str>, Bytes>;

/// Reads all sources.
///
/// # Errors
/// Everything that is wrong with any of them, each with its place.
pub fn load(sources: &[model::Schema], reflected: &Reflected) -> Result<Loaded, Vec<Problem>> {
    let mut builder = Builder::default();
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for source in sources {
        let added = match &source.source {
            SchemaSource::DescriptorSet(path) => add_descriptor_set(&mut builder, path, &mut files),
            SchemaSource::Embedded(set) => {
                builder.add_set(Bytes::from_static(set), &source.at);
                Ok(())
            }
            SchemaSource::Reflection(upstream) => add_reflected(&mut builder, upstream, reflected),
            SchemaSource::Protos { patterns, include } => {
                proto_source::compile(patterns, include, &source.at).map(|compiled| {
                    files.extend(compiled.files);
                    builder.add_set(compiled.set.into(), &source.at);
                })
            }
        };
        problems.extend(added.err().into_iter().flatten());
    }
    match builder.build() {
        Ok(schema) if problems.is_empty() => Ok(Loaded { schema, files }),
        Ok(_) => Err(problems),
        Err(more) => {
            // A source that could not be read leaves holes that are no problems of their own.
            if problems.is_empty() {
                problems = more;
            }
            Err(problems)
        }
    }
}

fn add_descriptor_set(
    builder: &mut Builder,
    path: &Located<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), Vec<Problem>> {
    let set = std::fs::read(&path.value).map_err(|error| vec![unreadable(path, &path.value, &error)])?;
    files.push(path.value.clone());
    let mut at = path.at.clone();
    at.file = Some(path.value.clone().into());
    at.position = None;
    builder.add_set(Bytes::from(set), &at);
    Ok(())
}

fn add_reflected(
    builder: &mut Builder,
    upstream: &Located<Arc<str>>,
    reflected: &Reflected,
) -> Result<(), Vec<Problem>> {
    let Some(set) = reflected.get(&upstream.value) else {
        let message = format!("the upstream `{}` was not asked for its schema", upstream.value);
        return Err(vec![Problem::error(upstream.at.clone(), message)]);
    };
    builder.add_set(set.clone(), &upstream.at);
    Ok(())
}

fn unreadable(named: &Located<PathBuf>, path: &Path, error: &std::io::Error) -> Problem {
    Problem::error(named.at.clone(), format!("cannot read {}: {error}", path.display()))
        .help("paths are relative to the file that they stand in")
}
