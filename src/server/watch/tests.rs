//! How files change under a gateway: every way of saving, by editors and by Kubernetes.

use std::os::unix::fs::symlink;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// Looks until it is due or at rest: how many looks it took, or `None`.
fn looks(watcher: &mut Watcher) -> Option<u32> {
    (1..=RESTLESS).find(|_| watcher.is_due())
}

/// What the watcher does when a reload is over.
fn loaded(watcher: &mut Watcher) {
    let paths = watcher.loaded.keys().cloned().collect();
    watcher.adopt(paths);
    assert_eq!(looks(watcher), None, "what is loaded is not loaded again");
}

#[test]
fn nothing_is_due_while_nothing_changes() {
    let folder = Folder::new();
    let file = folder.write("a", "1");
    let mut watcher = Watcher::new(vec![file.clone()]);
    assert_eq!(looks(&mut watcher), None);
    // The same content, written again.
    folder.write("a", "1");
    assert_eq!(looks(&mut watcher), None);
}

#[test]
fn a_file_written_in_place() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.write("a", "1")]);
    folder.write("a", "2");
    assert_eq!(looks(&mut watcher), Some(2), "once new, once the same");
    loaded(&mut watcher);
}

#[test]
fn a_file_replaced_by_a_rename() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.write("a", "1")]);
    fs::rename(folder.write("a.tmp", "2"), folder.path("a")).unwrap();
    assert_eq!(looks(&mut watcher), Some(2));
    loaded(&mut watcher);
}

#[test]
fn a_save_that_is_seen_half_way_is_loaded_when_it_is_whole() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.write("a", "old")]);
    folder.write("a", "");
    assert!(!watcher.is_due());
    folder.write("a", "new");
    assert!(!watcher.is_due(), "it has moved since");
    assert!(watcher.is_due());
    loaded(&mut watcher);
}

#[test]
fn what_never_rests_is_loaded_at_last() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.write("a", "0")]);
    let due = (1..=RESTLESS).find(|look| {
        folder.write("a", &look.to_string());
        watcher.is_due()
    });
    assert_eq!(due, Some(RESTLESS));
}

#[test]
fn what_changes_back_is_not_loaded() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.write("a", "1")]);
    folder.write("a", "2");
    assert!(!watcher.is_due());
    folder.write("a", "1");
    assert_eq!(looks(&mut watcher), None);
}

#[test]
fn a_config_map_is_swapped_by_a_link() {
    let folder = Folder::new();
    for (data, text) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir(folder.path(data)).unwrap();
        folder.write(&format!("{data}/gateway.toml"), text);
    }
    symlink("..1", folder.path("..data")).unwrap();
    symlink("..data/gateway.toml", folder.path("gateway.toml")).unwrap();
    let mut watcher = Watcher::new(vec![folder.path("gateway.toml")]);
    symlink("..2", folder.path("..data_tmp")).unwrap();
    fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    fs::remove_dir_all(folder.path("..1")).unwrap();
    assert_eq!(looks(&mut watcher), Some(2));
    loaded(&mut watcher);
}

#[test]
fn a_file_that_goes_and_comes_back() {
    let folder = Folder::new();
    let file = folder.write("a", "1");
    let mut watcher = Watcher::new(vec![file.clone()]);
    fs::remove_file(&file).unwrap();
    assert_eq!(looks(&mut watcher), Some(2), "that it is gone is told, once");
    loaded(&mut watcher);
    folder.write("a", "1");
    assert_eq!(looks(&mut watcher), Some(2));
    loaded(&mut watcher);
}

#[test]
fn a_file_that_was_never_there_appears() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.path("a")]);
    assert_eq!(looks(&mut watcher), None);
    folder.write("a", "1");
    assert_eq!(looks(&mut watcher), Some(2));
}

#[test]
fn a_folder_is_watched_by_its_names() {
    let folder = Folder::new();
    fs::create_dir(folder.path("conf.d")).unwrap();
    let mut watcher = Watcher::new(vec![folder.path("conf.d")]);
    folder.write("conf.d/a.toml", "1");
    assert_eq!(looks(&mut watcher), Some(2));
    loaded(&mut watcher);
}

#[test]
fn files_that_a_reload_brings_in_are_watched_from_then_on() {
    let folder = Folder::new();
    let first = folder.write("a", "1");
    let mut watcher = Watcher::new(vec![first.clone()]);
    let second = folder.write("b", "1");
    watcher.adopt(vec![first, second]);
    assert_eq!(looks(&mut watcher), None);
    folder.write("b", "2");
    assert_eq!(looks(&mut watcher), Some(2));
}

#[test]
fn a_change_during_a_reload_is_seen_after_it() {
    let folder = Folder::new();
    let mut watcher = Watcher::new(vec![folder.write("a", "1")]);
    folder.write("a", "2");
    assert_eq!(looks(&mut watcher), Some(2));
    folder.write("a", "3");
    watcher.adopt(vec![folder.path("a")]);
    assert_eq!(looks(&mut watcher), Some(2));
}

#[test]
fn a_stamp_is_trusted_when_it_is_old_and_tells_every_write() {
    let folder = Folder::new();
    let file = folder.write("a", "1");
    let now = SystemTime::now();
    let later = now + Duration::from_secs(10);
    let metadata = || fs::metadata(&file).unwrap();
    assert_eq!(stamp(&metadata(), now), None);
    let before = stamp(&metadata(), later);
    assert!(before.is_some());
    std::thread::sleep(Duration::from_millis(20));
    // The same length and the same time of modification: the time of the inode's change tells.
    let modified = metadata().modified().unwrap();
    fs::write(&file, "2").unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    assert_ne!(stamp(&metadata(), later), before);
}
