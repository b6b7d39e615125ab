//! From encoded files to the tables of a [`Schema`].
//!
//! Files are decoded one at a time and dropped at once. A name may be used before it is declared, so
//! declarations are entered first and types resolved in [`Builder::build`]. Descriptors come from
//! outside: whatever is wrong with them becomes a [`Problem`], never a panic.

mod declare;
mod resolve;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use prost::Message as _;

use super::descriptor::{self, FileDescriptor, FileSet};
use super::features::Features;
use super::tables::{FileRow, Name, Schema, Symbol};
use crate::config::problem::{Location, Problem};

/// The most names, in bytes, that fit the arena.
const ARENA_LIMIT: usize = u32::MAX as usize;

/// Collects files and makes one [`Schema`] of them.
#[derive(Debug, Default)]
pub struct Builder {
    schema: Schema,
    /// Where each file came from, by its name.
    seen: HashMap<Box<str>, SeenFile>,
    /// Types that fields and methods name, to be resolved when all are declared.
    pending: resolve::Pending,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct SeenFile {
    /// The source that brought it.
    at: Location,
    dependencies: Vec<String>,
}

/// The descriptors of the standard types alone: `google.rpc` error details, `google.protobuf` and
/// `google.api.HttpBody`. What errors are rendered with where the user's schema lacks their types.
#[must_use]
pub fn standard() -> &'static Arc<Schema> {
    static STANDARD: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        let mut builder = Builder::default();
        builder.add_set(Bytes::from_static(descriptor::STANDARD), &Location::default());
        Arc::new(builder.build().unwrap_or_default())
    });
    &STANDARD
}

/// Whether a file is among those that every schema may import without bringing them along.
#[must_use]
pub fn is_standard(file: &str) -> bool {
    standard().files.iter().any(|row| &*row.name == file)
}

impl Builder {
    /// Adds a serialized `FileDescriptorSet`. A file that was there before, by name, is skipped.
    pub fn add_set(&mut self, set: Bytes, at: &Location) {
        self.pending.enter(at);
        match FileSet::decode(set) {
            Ok(set) => set.file.into_iter().for_each(|file| self.add_file(file, at)),
            Err(error) => self.problems.push(
                Problem::error(at.clone(), format!("this is no FileDescriptorSet: {error}"))
                    .help("make one with `protoc --include_imports --include_source_info --descriptor_set_out=FILE …` or `buf build -o FILE`"),
            ),
        }
    }

    fn add_file(&mut self, file: Bytes, at: &Location) {
        match FileDescriptor::decode(file) {
            Ok(file) if self.seen.contains_key(file.name()) => {}
            Ok(file) => self.declare_file(file, at),
            Err(error) => {
                self.problems
                    .push(Problem::error(at.clone(), format!("a file of the set cannot be read: {error}")));
            }
        }
    }

    fn declare_file(&mut self, mut file: FileDescriptor, at: &Location) {
        let name: Box<str> = file.name().into();
        let dependencies = std::mem::take(&mut file.dependency);
        self.seen.insert(name.clone(), SeenFile { at: at.clone(), dependencies });
        let features = match Features::of_file(&file) {
            Ok(features) => features,
            Err(what) => {
                let problem = Problem::error(at.clone(), format!("{name} has an unsupported {what}"));
                self.problems
                    .push(problem.help("proto2, proto3 and the editions 2023 and 2024 are supported"));
                return;
            }
        };
        self.schema
            .files
            .push(FileRow { name, source_info: file.source_code_info.take().unwrap_or_default() });
        declare::file(self, &file, features, at);
    }

    /// Checks that every import is there, resolves every type and gives the tables.
    ///
    /// Standard files that are imported but in no set (`google/protobuf`, `google/rpc`, `google/api`) are
    /// added.
    ///
    /// # Errors
    /// Everything that is wrong with the descriptors.
    pub fn build(mut self) -> Result<Schema, Vec<Problem>> {
        self.add_missing_standard_files();
        self.check_imports();
        resolve::resolve(&mut self);
        self.schema.shrink();
        if self.problems.is_empty() { Ok(self.schema) } else { Err(self.problems) }
    }

    fn add_missing_standard_files(&mut self) {
        self.pending.enter(&Location::default());
        let missing = |builder: &Self, name: &str| {
            !builder.seen.contains_key(name)
                && builder.seen.values().any(|file| file.dependencies.iter().any(|import| import == name))
        };
        let Ok(set) = FileSet::decode(descriptor::STANDARD) else { return };
        // The set is in order of imports, so importers come last: add from the end.
        for file in set.file.into_iter().rev() {
            let Ok(decoded) = FileDescriptor::decode(file.clone()) else { continue };
            if missing(self, decoded.name()) {
                self.add_file(file, &Location::default());
            }
        }
    }

    fn check_imports(&mut self) {
        for (name, file) in &self.seen {
            for import in &file.dependencies {
                if !self.seen.contains_key(import.as_str()) {
                    let at = Location { key: name.to_string(), ..file.at.clone() };
                    self.problems.push(
                        Problem::error(at, format!("{name} imports {import}, which is in no schema"))
                            .help("include imports in the set: `protoc --include_imports …`; `buf build` always does"),
                    );
                }
            }
        }
        self.problems.sort_by(|a, b| a.message.cmp(&b.message));
    }

    /// Enters a full name; a name that is there already is a problem.
    fn define(&mut self, name: &str, symbol: Symbol, at: &Location) {
        if let Some(before) = self.schema.symbols.insert(name.into(), symbol) {
            let at = Location { key: name.to_owned(), ..at.clone() };
            self.problems
                .push(Problem::error(at, format!("{name} is declared twice ({before}, then {symbol})")));
        }
    }

    /// Puts a text into the arena.
    fn name(&mut self, text: &str) -> Name {
        let start = self.schema.arena.len();
        if start + text.len() > ARENA_LIMIT {
            let problem = Problem::error(Location::default(), "the schema has more than 4 GiB of names");
            if self.problems.last() != Some(&problem) {
                self.problems.push(problem);
            }
            return Name::default();
        }
        self.schema.arena.push_str(text);
        Name { start: index(start), end: index(start + text.len()) }
    }
}

/// An index into a table; tables are bounded by the arena, since every row has a name.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
