//! Where a configuration comes from, and the whole way from there to the checked one.

use std::path::PathBuf;

use super::model::Config;
use super::problem::{Problem, Severity};
use super::raw::environment::PREFIX;
use super::{check, raw, read};

/// What a configuration is made of.
#[derive(Clone, Debug)]
pub struct Source {
    pub kind: Kind,
    /// Variables of the environment; those that do not start with `TRANSOM_` do not matter.
    pub env: Vec<(String, String)>,
}

/// The first file.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A file, with what it includes.
    File(PathBuf),
    /// A text that stands in no file.
    Text {
        /// What problems call it, in the place of a file.
        name: String,
        text: String,
        /// The folder that relative paths start from; itself from the root.
        base: PathBuf,
        /// A serialized `FileDescriptorSet` that comes with the text, before every `[[schema]]`.
        descriptors: Option<&'static [u8]>,
    },
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// What may not do what was meant.
    pub warnings: Vec<Problem>,
}

impl Source {
    /// A file and the environment of this process.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { kind: Kind::File(path.into()), env: process_environment() }
    }
}

/// The variables of this process that may be meant for us. What is not Unicode is no value of any key:
/// with replacement characters in it, its key's reader tells it.
fn process_environment() -> Vec<(String, String)> {
    let variables = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    variables.filter(|(name, _)| name.starts_with(PREFIX)).collect()
}

/// Reads, merges and checks a configuration.
///
/// # Errors
/// Every problem there is, warnings among them, when at least one is an error; in the order of the
/// files and of the places in them.
pub fn load(source: &Source) -> Result<Loaded, Vec<Problem>> {
    let raw = raw::read(source);
    let config = read::config(&raw, source);
    check::check(&config, &raw);
    let problems = raw.take_problems();
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    Ok(Loaded { config, warnings: problems })
}
