//! Whole configurations: golden files of problems, the model of a full one, and hostile text.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::problem::Problem;
use super::{Kind, Loaded, Source, load};

mod golden;
mod hostile;
mod shipped;
mod whole;

/// The folder of golden files.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// Loads a text that stands in the folder of golden files.
fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let kind =
        Kind::Text { name: "text".to_owned(), text: text.to_owned(), base: folder(), descriptors: None };
    load(&Source { kind, env })
}
