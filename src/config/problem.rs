//! What is wrong with a configuration, where, and what would be right.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

/// Where something stands: a key in a file, or in the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The file; `None` for what no file says (a default, the environment, the command line).
    pub file: Option<Arc<PathBuf>>,
    /// Line and column, both from 1; `None` where the place is the whole file.
    pub position: Option<(u32, u32)>,
    /// The key path, such as `upstreams.shop.timeout` or `routes[2].get`; for a descriptor the full
    /// name of the method or message.
    pub key: String,
}

impl Location {
    /// The same place without its key, to be named in a sentence about that key.
    #[must_use]
    pub fn without_key(&self) -> Self {
        if self.file.is_none() { self.clone() } else { Self { key: String::new(), ..self.clone() } }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub at: Location,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, though it may not do what was meant.
    Warning,
}

/// One thing that is wrong, with its place and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub at: Location,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Whether it may be gone without that anybody edits anything.
    pub passes: bool,
}

impl Problem {
    /// An error at a place.
    #[must_use]
    pub fn error(at: Location, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, at, message: message.into(), help: None, passes: false }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(at: Location, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, message) }
    }

    /// Says that it may be gone without that anybody edits anything.
    #[must_use]
    pub const fn passing(mut self) -> Self {
        self.passes = true;
        self
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The form of `--format json`, of the admin listener's answers and of golden files.
impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("Problem", 7)?;
        fields.serialize_field("severity", &self.severity)?;
        // A path need not be Unicode, JSON must.
        fields.serialize_field("file", &self.at.file.as_ref().map(|file| file.display().to_string()))?;
        fields.serialize_field("line", &self.at.position.map(|(line, _)| line))?;
        fields.serialize_field("column", &self.at.position.map(|(_, column)| column))?;
        fields.serialize_field("key", &self.at.key)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("help", &self.help)?;
        fields.end()
    }
}

/// `file:line:column: key`, as far as known: the form that editors and terminals make clickable.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            separator = ": ";
        }
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
            separator = ": ";
        }
        if !self.key.is_empty() {
            write!(f, "{separator}{}", self.key)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}", self.at, self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_for_machines() {
        let file = Some(Arc::new(PathBuf::from("gateway.toml")));
        let at = Location { file, position: Some((3, 7)), key: "server.workers".to_owned() };
        let problem = Problem::error(at, "0 is out of range").help("write a number from 1 to 1024");
        let expected = concat!(
            r#"{"severity":"error","file":"gateway.toml","line":3,"column":7,"key":"server.workers","#,
            r#""message":"0 is out of range","help":"write a number from 1 to 1024"}"#
        );
        assert_eq!(serde_json::to_string(&problem).unwrap(), expected);
        let bare = Problem::warning(Location::default(), "x");
        let expected = r#"{"severity":"warning","file":null,"line":null,"column":null,"key":"","message":"x","help":null}"#;
        assert_eq!(serde_json::to_string(&bare).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_unicode_can_be_told() {
        use std::os::unix::ffi::OsStrExt as _;
        let file = PathBuf::from(std::ffi::OsStr::from_bytes(b"a\xff.toml"));
        let at = Location { file: Some(Arc::new(file)), ..Location::default() };
        assert!(serde_json::to_string(&Problem::error(at, "x")).is_ok());
    }
}
