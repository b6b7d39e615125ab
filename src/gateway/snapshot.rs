//! One configuration, whole: what a request sees from its first byte to its last.
//!
//! A snapshot is built whole or not at all, and never changes. It holds specifications of upstreams, not
//! connections: those survive it in each worker's pool.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::model::{Config, SchemaSource, UpstreamTls};
use crate::config::problem::{Problem, Severity};
use crate::config::{self, Source};
use crate::schema::load;
use crate::transcode::Codec;
use crate::upstream::Spec;

use super::auth::Blocks;
use super::issuers::Issuers;
use super::reflection;
use super::routes::{self, RouteTable};
use super::secrets::Secrets;

/// See the module.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Counts up with each reload that changed something.
    pub(super) generation: u64,
    pub(super) config: Arc<Config>,
    pub(super) codec: Arc<Codec>,
    pub(super) routes: RouteTable,
    pub(super) upstreams: Vec<Arc<Spec>>,
    /// The files that it was made of, and the patterns that new ones may match.
    pub(super) watched: Vec<PathBuf>,
    /// Of the contents of all files: equal where nothing changed.
    pub(super) fingerprint: u64,
}

impl Snapshot {
    /// Reads, checks and compiles everything.
    pub(super) fn load(
        source: &Source,
        generation: u64,
        issuers: &Issuers,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let config::Loaded { config, mut warnings } = config::load(source)?;
        let reflected = reflection::ask_all(&config)?;
        let schema = load::load(&config.schema, &reflected.sets)?;
        warnings.extend(reflected.warnings);
        let codec = Arc::new(Codec::new(Arc::new(schema.schema)));
        let (blocks, mut problems) = Blocks::load(&config, issuers);
        let (secrets, more) = Secrets::load(config.policy_references());
        problems.extend(more);
        let (routes, more) = routes::build(&config, &codec, &blocks, &secrets);
        problems.extend(more);
        let upstreams = upstreams(&config, &mut problems);
        let (errors, more): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Error);
        if !errors.is_empty() {
            return Err(errors.into_iter().chain(more).collect());
        }
        warnings.extend(more);
        let watched = watched(&config, schema.files);
        let snapshot = Self {
            generation,
            fingerprint: fingerprint(&watched, &config, &reflected.sets),
            upstreams,
            config: Arc::new(config),
            codec,
            routes,
            watched,
        };
        Ok((snapshot, warnings))
    }
}

fn upstreams(config: &Config, problems: &mut Vec<Problem>) -> Vec<Arc<Spec>> {
    let mut upstreams = Vec::with_capacity(config.upstreams.len());
    for upstream in &config.upstreams {
        match Spec::load(upstream) {
            Ok(spec) => upstreams.push(Arc::new(spec)),
            Err(more) => problems.extend(more),
        }
    }
    upstreams
}

/// Patterns are watched as they stand, so that a file that is new is noticed.
fn watched(config: &Config, schema_files: Vec<PathBuf>) -> Vec<PathBuf> {
    let patterns = config.schema.iter().flat_map(|schema| match &schema.source {
        SchemaSource::Protos { patterns, .. } => patterns.as_slice(),
        SchemaSource::DescriptorSet(_) | SchemaSource::Reflection(_) | SchemaSource::Embedded(_) => &[],
    });
    let secrets = config.policy_references().filter_map(|secret| secret.value.file().cloned());
    let keys = config.auth.iter().flat_map(|auth| auth.kind.files()).cloned();
    let mut watched: Vec<PathBuf> = config.files.iter().chain(&config.include).cloned().collect();
    watched.extend(patterns.map(|pattern| pattern.value.clone()));
    watched.extend(schema_files);
    watched.extend(config.upstreams.iter().filter_map(|upstream| upstream.tls.as_ref()).flat_map(tls_files));
    watched.extend(keys.chain(secrets));
    watched.sort();
    watched.dedup();
    watched
}

/// A certificate that is renewed makes a new specification, and so new connections.
fn tls_files(tls: &UpstreamTls) -> impl Iterator<Item = PathBuf> {
    let client = tls.client.iter().flat_map(|client| [&client.cert, &client.key]);
    tls.ca.iter().chain(client).map(|file| file.value.clone())
}

/// The environment can change a configuration too, so its outcome counts beside the files; so does what
/// upstreams say of themselves.
fn fingerprint(watched: &[PathBuf], config: &Config, reflected: &load::Reflected) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in watched {
        path.hash(&mut hasher);
        hash_content(path, &mut hasher).is_ok().hash(&mut hasher);
    }
    for schema in &config.schema {
        if let SchemaSource::Reflection(upstream) = &schema.source {
            reflected.get(&upstream.value).hash(&mut hasher);
        }
    }
    format!("{config:?}").hash(&mut hasher);
    hasher.finish()
}

/// Block by block: a descriptor set can have many megabytes.
fn hash_content(path: &Path, hasher: &mut impl Hasher) -> io::Result<()> {
    let mut content = BufReader::with_capacity(64 * 1024, File::open(path)?);
    loop {
        let block = content.fill_buf()?;
        if block.is_empty() {
            return Ok(());
        }
        hasher.write(block);
        let length = block.len();
        content.consume(length);
    }
}
