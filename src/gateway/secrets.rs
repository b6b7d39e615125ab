//! What the references of policy keys stand for, read once for a snapshot.
//!
//! Values are marked as sensitive: they are neither shown by `Debug` nor kept in a table of HPACK.

use std::collections::HashMap;

use http::HeaderValue;

use crate::config::auth::Reference;
use crate::config::policy::FixedValue;
use crate::config::problem::{Located, Problem};

use super::auth::read;

/// Secrets by their references.
#[derive(Debug, Default)]
pub(super) struct Secrets(HashMap<Reference, HeaderValue>);

impl Secrets {
    /// Reads each reference once.
    pub(super) fn load<'c>(references: impl Iterator<Item = &'c Located<Reference>>) -> (Self, Vec<Problem>) {
        let mut secrets = HashMap::new();
        let mut problems = Vec::new();
        for Located { value: reference, at } in references {
            if secrets.contains_key(reference) {
                continue;
            }
            match secret(reference) {
                Ok(value) => drop(secrets.insert(reference.clone(), value)),
                Err(why) => problems.push(Problem::error(at.clone(), why)),
            }
        }
        (Self(secrets), problems)
    }

    /// What a value stands for; `None` for a reference that could not be read, which is a problem already.
    pub(super) fn value(&self, value: &FixedValue) -> Option<HeaderValue> {
        match value {
            FixedValue::Text(text) => Some(text.clone()),
            FixedValue::Secret(reference) => self.0.get(&reference.value).cloned(),
        }
    }
}

/// Editors and `echo` end a file with a line break, which is not part of the secret.
fn secret(reference: &Reference) -> Result<HeaderValue, String> {
    let text = read(reference)?;
    let value = HeaderValue::from_str(text.trim_ascii_end());
    let mut value = value.map_err(|_| "the secret is not one line of printable text".to_owned())?;
    if value.is_empty() {
        return Err("the secret is empty".to_owned());
    }
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Location;

    fn load(path: &std::path::Path) -> (Secrets, Vec<Problem>) {
        let at = Location { key: "metadata.set".into(), ..Location::default() };
        let reference = Located { value: Reference::File(path.to_owned()), at };
        let (secrets, problems) = Secrets::load([&reference].into_iter());
        assert!(secrets.value(&FixedValue::Secret(reference)).is_some() == problems.is_empty());
        (secrets, problems)
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "Bearer s3cret\n").unwrap();
        let (secrets, problems) = load(&path);
        assert!(problems.is_empty());
        assert_eq!(secrets.0.values().next().unwrap(), "Bearer s3cret");
        assert!(!format!("{secrets:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_secret_is_told_at_its_place_and_without_it() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["", "\n", "s3cret\nmore", "s3cret\u{1}"] {
            let path = folder.path().join("token");
            std::fs::write(&path, content).unwrap();
            let problems = load(&path).1;
            assert_eq!((problems.len(), &*problems[0].at.key), (1, "metadata.set"), "{content:?}");
            assert!(!problems[0].message.contains("s3cret"));
        }
        assert!(load(&folder.path().join("absent")).1[0].message.starts_with("cannot read"));
    }
}
