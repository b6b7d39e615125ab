//! The configuration as written: files and environment merged into one tree, with the place of every
//! key beside it.
//!
//! Look here for how sources are layered: defaults, then the first file and its includes, then the
//! environment. What a key means, and whether it exists, is the business of `entry` and of the readers
//! above it.

pub(super) mod place;
mod layer;
mod document;
pub(super) mod environment;
pub(super) mod include;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ::config::Value;

pub(super) use layer::Table;
use place::Places;

use super::problem::{Location, Problem};
use super::source::{Kind, Source};

/// More workers than any machine has cores is a slip, and each has threads and sockets.
pub(super) const MOST_WORKERS: usize = 1024;

/// What the sources say together.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// The merged tree.
    pub tree: Table,
    pub places: Places,
    /// Whether all files could be read whole; when not, what is missing may just not have been seen.
    pub complete: bool,
    /// Files that were read, and the patterns of `include`, from the root.
    pub files: Vec<PathBuf>,
    pub include: Vec<PathBuf>,
    /// The names that problems call the files by, in the order in which they were read.
    names: Vec<Arc<PathBuf>>,
    /// How long the joined lists are by now.
    lists: HashMap<String, usize>,
    problems: RefCell<Vec<Problem>>,
}

/// Reads all sources and merges them; whatever is wrong is noted and the rest is read on.
pub(super) fn read(source: &Source) -> Raw {
    let mut raw = Raw { complete: true, ..Raw::default() };
    let mut layers = match &source.kind {
        Kind::File(path) => include::read_file(path, &mut raw),
        Kind::Text { name, text, base, .. } => {
            let name = raw.name(PathBuf::from(name));
            include::read_text(text, &name, base, &mut raw)
        }
    };
    let environment = environment::read(&source.env, &layers, &mut raw);
    layers.push(environment);
    match layer::merge(defaults(), layers) {
        Ok(tree) => raw.tree = tree,
        Err(error) => raw.report(Problem::error(Location::default(), error.to_string())),
    }
    raw
}

/// The defaults of keys that always have a value. Those of policy keys are in `policy`, where a key can
/// be absent on one level and present on the next.
fn defaults() -> [(&'static str, Value); 5] {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    [
        ("collisions", Value::from("error")),
        ("server.listen", Value::from("127.0.0.1:8080")),
        ("server.workers", Value::new(None, i64::try_from(cores).unwrap_or(1))),
        ("server.accept", Value::from("per-core")),
        ("admin.listen", Value::from("127.0.0.1:9901")),
    ]
}

impl Raw {
    /// Takes a file, by the name that problems call it by, into the order of files.
    fn name(&mut self, name: PathBuf) -> Arc<PathBuf> {
        let name = Arc::new(name);
        self.names.push(Arc::clone(&name));
        name
    }

    pub fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// All problems noted by now, in the order of files and of places in them.
    pub fn take_problems(&self) -> Vec<Problem> {
        let mut problems = self.problems.take();
        problems.sort_by_cached_key(|problem| self.order(&problem.at));
        problems.dedup();
        problems
    }

    /// Where a place comes in the order of files; what no file says comes last.
    pub fn order(&self, at: &Location) -> impl Ord + use<> {
        let file = self.names.iter().position(|name| Some(name) == at.file.as_ref());
        (at.file.is_none(), file, at.position, at.key.clone())
    }
}
