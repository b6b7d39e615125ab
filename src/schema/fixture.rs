//! Schemas for the tests of the layers above, compiled from .proto sources.

use std::path::Path;

use super::{Builder, Schema};
use crate::config::problem::Location;

/// Compiles the named sources of a folder.
pub(crate) fn compile(folder: &Path, names: &[&str]) -> Schema {
    let set = protox::Compiler::new([folder, Path::new("proto")])
        .unwrap()
        .include_imports(true)
        .open_files(names)
        .unwrap()
        .encode_file_descriptor_set();
    let mut builder = Builder::default();
    builder.add_set(set.into(), &Location::default());
    builder.build().unwrap()
}

/// Compiles one source.
pub(crate) fn compile_text(text: &str) -> Schema {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.proto"), text).unwrap();
    compile(folder.path(), &["test.proto"])
}
