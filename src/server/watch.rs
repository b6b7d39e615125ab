//! Watches files by their content.
//!
//! Events of the kernel are lost on network file systems, name the wrong file when a ConfigMap is
//! swapped by a link, and fire in the middle of a save. Contents do not lie: every watched file is
//! looked at again and again, and a change counts when the contents have been the same twice. A failing
//! reload is not tried again until something changes, unless all that was wrong may pass by itself. The
//! watcher never ends.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::reload::{Cause, Reloader};

/// Looks in a row that find something new, before it is loaded as it is.
const RESTLESS: u32 = 4;

/// Looks between two tries to load what failed for something that may pass.
const LOOKS: u32 = 20;

/// A stamp of the last seconds may not show a further write: file systems count time in steps.
const RACY: i64 = 2;

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// A hash of a file's bytes, or of a folder's names.
    Holds(u64),
    /// Not there, or not readable, and why.
    Unreadable(io::ErrorKind),
}

/// What tells without reading that a file is the same: device, inode, size, times of change.
type Stamp = (u64, u64, u64, i64, i64, i64, i64);

#[derive(Clone, Debug)]
struct Seen {
    content: Content,
    /// `None` where the stamp is too fresh to be trusted.
    stamp: Option<Stamp>,
}

type Look = BTreeMap<PathBuf, Seen>;

/// The watched paths, and what they held when they were last loaded.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    loaded: Look,
    last: Look,
    /// How many looks in a row found something else than the look before.
    restless: u32,
    /// How many looks from now what failed is loaded again.
    again: Option<u32>,
}

impl Watcher {
    /// Takes what the paths hold now for what is loaded.
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        let loaded = look(paths, &Look::new());
        Self { last: loaded.clone(), loaded, restless: 0, again: None }
    }

    /// Looks at every path every `period`, and reloads what has changed and come to rest.
    pub(super) async fn run(mut self, period: Duration, reloader: Reloader) {
        loop {
            let pause = if self.restless > 0 { period / 2 } else { period };
            tokio::time::sleep(pause).await;
            let changed = self.with(Self::is_due).await.unwrap_or(false);
            if changed || self.is_time() {
                let cause = if changed { Cause::Change } else { Cause::Again };
                // What is wrong has been logged, and is loaded again when it changes again.
                let failed = reloader.reload(cause).await.err().unwrap_or_default();
                let passes = !failed.is_empty() && failed.iter().all(|problem| problem.passes);
                self.again = passes.then_some(LOOKS);
                let paths = reloader.watched();
                self.with(move |watcher| watcher.adopt(paths)).await;
            }
        }
    }

    /// Works on the files where blocking is allowed. A panic there costs that one look.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> Option<T> {
        let mut watcher = self.clone();
        let worked = tokio::task::spawn_blocking(move || {
            let result = work(&mut watcher);
            (watcher, result)
        });
        match worked.await {
            Ok((watcher, result)) => {
                *self = watcher;
                Some(result)
            }
            Err(error) => {
                tracing::error!(%error, "the watched files could not be looked at");
                None
            }
        }
    }

    /// Counts a look. Whether what failed is to be loaded again now.
    fn is_time(&mut self) -> bool {
        self.again = self.again.and_then(|looks| looks.checked_sub(1));
        self.again == Some(0)
    }

    /// Looks once. Whether there is something new, and it is at rest or has been restless for long.
    fn is_due(&mut self) -> bool {
        let now = look(self.loaded.keys().cloned(), &self.last);
        let rests = same(&now, &self.last);
        self.last = now;
        if same(&self.last, &self.loaded) {
            self.restless = 0;
            return false;
        }
        self.restless += 1;
        (rests && self.restless > 1) || self.restless >= RESTLESS
    }

    /// Takes the last look for what is loaded. What changed since then will be seen as new.
    fn adopt(&mut self, paths: Vec<PathBuf>) {
        let seen = std::mem::take(&mut self.last);
        let (known, new): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| seen.contains_key(path));
        self.loaded = look(new, &Look::new());
        self.loaded.extend(seen.into_iter().filter(|(path, _)| known.contains(path)));
        self.last = self.loaded.clone();
        self.restless = 0;
    }
}

fn same(one: &Look, other: &Look) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|((a, seen), (b, then))| a == b && seen.content == then.content)
}

fn look(paths: impl IntoIterator<Item = PathBuf>, before: &Look) -> Look {
    let see = |path: PathBuf| {
        let seen = see(&path, before.get(&path));
        (path, seen)
    };
    paths.into_iter().map(see).collect()
}

fn see(path: &Path, before: Option<&Seen>) -> Seen {
    match read(path, before) {
        Ok(seen) => seen,
        Err(error) => Seen { content: Content::Unreadable(error.kind()), stamp: None },
    }
}

fn read(path: &Path, before: Option<&Seen>) -> io::Result<Seen> {
    // Through links: the link of a ConfigMap is swapped, the file behind it never written.
    let metadata = fs::metadata(path)?;
    let stamp = stamp(&metadata, SystemTime::now());
    if let Some(before) = before.filter(|before| stamp.is_some() && before.stamp == stamp) {
        return Ok(before.clone());
    }
    let content = if metadata.is_dir() { names(path)? } else { bytes(path)? };
    Ok(Seen { content: Content::Holds(content), stamp })
}

/// Reads through a buffer: a descriptor set may be large.
fn bytes(path: &Path) -> io::Result<u64> {
    let mut file = fs::File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            length => buffer.get(..length).unwrap_or_default().hash(&mut hasher),
        }
    }
}

fn names(path: &Path) -> io::Result<u64> {
    let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = entries.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    Ok(hasher.finish())
}

/// The stamp of a file that has not changed for a while.
fn stamp(metadata: &Metadata, now: SystemTime) -> Option<Stamp> {
    let now = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let latest = metadata.mtime().max(metadata.ctime());
    (latest + RACY < now).then(|| {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        (metadata.dev(), metadata.ino(), metadata.len(), modified.0, modified.1, changed.0, changed.1)
    })
}

#[cfg(test)]
mod tests;
