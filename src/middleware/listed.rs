//! Files that list who may call: one table a caller, in TOML. What is wrong with one is told without any of its
//! text, because whatever stands in the wrong place may be a secret.

use serde::de::DeserializeOwned;

/// Reads a file; `form` says what an entry has.
///
/// # Errors
/// The line, and what should stand there.
pub(super) fn read<T: DeserializeOwned>(text: &str, form: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line} is not as it should be: {form}")
    })
}
