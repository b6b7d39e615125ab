//! Compiles `.proto` sources (proto2 and proto3) in process, by protox.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use protox::Compiler;
use protox::file::{ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver};

use super::descriptor;
use crate::config::problem::{Located, Location, Problem};

/// Descriptors made of sources.
#[derive(Debug)]
pub(super) struct Compiled {
    /// A serialized `FileDescriptorSet` with imports and source information.
    pub(super) set: Vec<u8>,
    /// The sources that were read, imports included.
    pub(super) files: Vec<PathBuf>,
}

/// Compiles every file that the patterns match.
///
/// Imports are looked for in the `include` folders, then among the standard files that Transom
/// brings along (`google/protobuf`, `google/api`, `google/rpc`).
pub(super) fn compile(
    patterns: &[Located<PathBuf>],
    include: &[Located<PathBuf>],
    at: &Location,
) -> Result<Compiled, Vec<Problem>> {
    let (sources, mut problems) = expand(patterns);
    let mut compiler =
        Compiler::with_file_resolver(resolver(include).map_err(|error| vec![problem(&error, include, at)])?);
    compiler.include_imports(true).include_source_info(true);
    for source in &sources {
        let name = relative(source, include);
        if let Err(error) = compiler.open_file(&name) {
            let problem = problem(&error, include, at);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let files = compiler.files().filter_map(|file| file.path().map(Path::to_path_buf)).collect();
    Ok(Compiled { set: compiler.encode_file_descriptor_set(), files })
}

fn resolver(include: &[Located<PathBuf>]) -> Result<ChainFileResolver, protox::Error> {
    let mut chain = ChainFileResolver::new();
    for folder in include {
        chain.add(IncludeFileResolver::new(folder.value.clone()));
    }
    chain.add(GoogleFileResolver::new());
    chain.add(DescriptorSetFileResolver::decode(descriptor::STANDARD).map_err(protox::Error::new)?);
    Ok(chain)
}

fn expand(patterns: &[Located<PathBuf>]) -> (Vec<PathBuf>, Vec<Problem>) {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for pattern in patterns {
        let shown = pattern.value.display();
        match glob::glob(&pattern.value.to_string_lossy()) {
            Ok(paths) => {
                let before = sources.len();
                sources.extend(paths.filter_map(Result::ok).filter(|path| path.is_file()));
                if sources.len() == before {
                    let problem = Problem::error(pattern.at.clone(), format!("no file matches {shown}"));
                    problems.push(problem.help("paths are relative to the file that they stand in"));
                }
            }
            Err(error) => {
                problems.push(Problem::error(pattern.at.clone(), format!("{shown} is no pattern: {error}")));
            }
        }
    }
    sources.sort();
    sources.dedup();
    (sources, problems)
}

/// The name by which others import a source: relative to the first `include` folder that holds it.
fn relative(source: &Path, include: &[Located<PathBuf>]) -> PathBuf {
    include.iter().find_map(|folder| source.strip_prefix(&folder.value).ok()).unwrap_or(source).to_path_buf()
}

fn problem(error: &protox::Error, include: &[Located<PathBuf>], at: &Location) -> Problem {
    let path = error.file().map(|name| {
        let candidates = include.iter().map(|folder| folder.value.join(name));
        candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| name.into())
    });
    let at = match path {
        Some(path) => Location { position: position(error), key: String::new(), file: Some(path.into()) },
        None => at.clone(),
    };
    let problem = Problem::error(at, error.to_string());
    match error.help() {
        _ if error.to_string().contains("'edition'") => problem.help(
            "sources of an edition cannot be compiled here: compile them with protoc or buf, and name the result as `descriptor_set`",
        ),
        Some(help) => problem.help(help.to_string()),
        None if error.is_file_not_found() => problem.help("`include` names the folders that imports are relative to"),
        None => problem,
    }
}

/// Line and column, from 1, of the first label.
fn position(error: &protox::Error) -> Option<(u32, u32)> {
    let label = error.labels()?.next()?;
    let contents = error.source_code()?.read_span(label.inner(), 0, 0).ok()?;
    let from_one = |from_zero: usize| u32::try_from(from_zero).ok()?.checked_add(1);
    from_one(contents.line()).zip(from_one(contents.column()))
}
