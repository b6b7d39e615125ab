//! Where every key of the configuration was set: the side table that goes with the merged tree.
//!
//! The merged tree knows values only. Look here for how a key path becomes a file, a line and a
//! column, or the name of a variable of the environment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::problem::Location;

/// Where one key was set.
#[derive(Clone, Debug)]
pub(in crate::config) struct Place {
    /// Its value; for a table its header.
    pub at: Location,
    /// The key itself, for problems with its name.
    pub key: Location,
    /// The folder that a relative path in the value starts from.
    pub base: Arc<Path>,
    /// Where the text of a string starts inside its quotes; only for strings without escapes, in which
    /// a place in the text is the same number of characters further on in the file.
    pub text: Option<(u32, u32)>,
    /// Whether it can hold further keys.
    pub is_table: bool,
    /// Whether the environment set it: its text is then parsed to the type of the key.
    pub is_environment: bool,
}

/// The places of all keys, by key path.
#[derive(Debug, Default)]
pub(in crate::config) struct Places {
    by_path: HashMap<String, Place>,
}

impl Places {
    /// The place of a key, if something set it.
    pub fn get(&self, path: &str) -> Option<&Place> {
        self.by_path.get(path)
    }

    /// Notes where a key was set; the last to say so wins, as it does in the merged tree.
    pub fn set(&mut self, path: String, place: Place) {
        self.by_path.insert(path, place);
    }

    /// Makes a whole file the place of what is missing at the top level.
    pub fn set_root(&mut self, file: &Arc<PathBuf>, base: &Path) {
        let at = Location { file: Some(Arc::clone(file)), ..Location::default() };
        let place = Place {
            key: at.clone(),
            at,
            base: Arc::from(base),
            text: None,
            is_table: true,
            is_environment: false,
        };
        self.set(String::new(), place);
    }

    /// The place of a key; of a key that nobody set (a default, or one that is missing) the key path
    /// alone.
    pub fn at(&self, path: &str) -> Location {
        self.get(path)
            .map_or_else(|| Location { key: path.to_owned(), ..Location::default() }, |p| p.at.clone())
    }
}

/// The path of a key of a table: `upstreams.shop`, quoted where TOML would want it quoted.
pub(in crate::config) fn child(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The path of an item of a list, counted from 0.
pub(in crate::config) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The text of one file, with what turns a byte offset into a line and a column.
pub(super) struct Text<'t> {
    pub content: &'t str,
    pub file: Arc<PathBuf>,
    /// Offsets at which lines start.
    lines: Vec<usize>,
}

impl<'t> Text<'t> {
    pub fn new(content: &'t str, file: Arc<PathBuf>) -> Self {
        let breaks = content.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(offset, _)| offset + 1)).collect();
        Self { content, file, lines }
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0);
        let column = self.content.get(start..offset).map_or(0, |before| before.chars().count());
        (saturating(line), saturating(column + 1))
    }

    /// The lines that a broken line makes doubtful: itself, and for a header all up to the next one, which
    /// the parser has put below another header.
    pub fn lines_of_section(&self, line: u32) -> Vec<u32> {
        let is_header = |line: &str| line.trim_start().starts_with('[');
        let mut lines = (line..).zip(self.content.lines().skip(line as usize - 1));
        let Some((_, first)) = lines.next() else { return vec![line] };
        let below = lines.take_while(|(_, next)| is_header(first) && !is_header(next));
        std::iter::once(line).chain(below.map(|(number, _)| number)).collect()
    }

    pub fn location(&self, offset: usize, path: &str) -> Location {
        Location {
            file: Some(Arc::clone(&self.file)),
            position: Some(self.position(offset)),
            key: path.to_owned(),
        }
    }
}

fn saturating(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_and_in_characters() {
        let text = Text::new("a = 1\nb = \"é\" # c\n", Arc::default());
        for (offset, position) in
            [(0, (1, 1)), (4, (1, 5)), (5, (1, 6)), (6, (2, 1)), (15, (2, 9)), (999, (3, 1))]
        {
            assert_eq!(text.position(offset), position, "{offset}");
        }
    }

    #[test]
    fn paths_are_quoted_where_toml_would() {
        assert_eq!(child("", "server"), "server");
        assert_eq!(child("upstreams", "a.b"), "upstreams.\"a.b\"");
        assert_eq!(child("upstreams", ""), "upstreams.\"\"");
        assert_eq!(item("routes", 2), "routes[2]");
    }
}
