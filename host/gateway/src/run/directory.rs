//! The plugin directory: what is in it, and what has changed since the last look.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a file must stand still before it is read.
const SETTLE: Duration = Duration::from_millis(40);
/// The same for one without a byte: mostly it was truncated by somebody who is about to write it, and as settings beside a plugin it
/// would be good for something.
const SETTLE_EMPTY: Duration = Duration::from_secs(1);
/// How long a file must be missing before it counts as removed: whoever removes and writes anew leaves no gap in the chain.
const MISSING: Duration = Duration::from_millis(250);

/// What the name of a plugin's signature has behind the plugin's own.
pub(crate) const SIGNATURE: &str = ".wasm.minisig";

/// What is looked at for plugins of these names, wherever they lie.
pub(crate) fn also<'a>(files: impl Iterator<Item = &'a String>) -> Vec<PathBuf> {
    files.flat_map(|file| [file.into(), format!("{file}.minisig").into()]).collect()
}

/// The directory as it was last seen.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Paths that are looked at wherever they lie, beside what is in the directory.
    also: Vec<PathBuf>,
    files: BTreeMap<String, Seen>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    /// Since when the stamp has been the same.
    since: Instant,
    /// The stamp that was last reported; `None`: never.
    reported: Option<Stamp>,
    /// Since when the file has been missing.
    missing: Option<Instant>,
}

/// What changes when a file does, whether it is written in place, renamed over or swapped behind a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Something that happened to a file of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new or different, and has stood still.
    Written(String),
    /// It is gone.
    Removed(String),
}

/// What a look at the directory gave.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// In the order of the names.
    pub(crate) changes: Vec<Change>,
    /// When to look again because something has not settled; `None`: nothing is under way.
    pub(crate) again: Option<Duration>,
}

impl Directory {
    /// `also` are relative to the directory, or absolute.
    pub(crate) fn new(path: PathBuf, also: Vec<PathBuf>) -> Self {
        Self { path, also, files: BTreeMap::new() }
    }

    /// Looks at other paths too, in the place of those that it did.
    pub(crate) fn also(&mut self, also: Vec<PathBuf>) {
        self.also = also;
    }

    /// Whether a file was there when it was last looked at.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the directory. With `patient`, waits for files to stand still; otherwise takes them as they are, as at the start.
    pub(crate) fn look(&mut self, now: Instant, patient: bool) -> io::Result<Look> {
        let present = self.present()?;
        let mut look = Look::default();
        for (name, stamp) in &present {
            let seen = self.files.entry(name.clone()).or_insert(Seen {
                stamp: *stamp,
                since: now,
                reported: None,
                missing: None,
            });
            seen.missing = None;
            if seen.stamp != *stamp {
                seen.stamp = *stamp;
                seen.since = now;
            }
            if seen.reported == Some(*stamp) {
                continue;
            }
            let still = now.duration_since(seen.since);
            let settle = if stamp.size == 0 { SETTLE_EMPTY } else { SETTLE };
            if patient && still < settle {
                look.soon(settle.saturating_sub(still));
            } else {
                seen.reported = Some(*stamp);
                look.changes.push(Change::Written(name.clone()));
            }
        }
        self.files.retain(|name, seen| {
            if present.contains_key(name) {
                return true;
            }
            let gone = now.duration_since(*seen.missing.get_or_insert(now));
            if patient && gone < MISSING {
                look.soon(MISSING.saturating_sub(gone));
                return true;
            }
            if seen.reported.is_some() {
                look.changes.push(Change::Removed(name.clone()));
            }
            false
        });
        Ok(look)
    }

    /// A file that was reported could not be read after all: it is reported again when it has settled.
    pub(crate) fn forget_report(&mut self, name: &str) {
        if let Some(seen) = self.files.get_mut(name) {
            seen.reported = None;
        }
    }

    /// The .wasm, .toml and signature files, links followed; names that begin with a dot are other programs' work in progress.
    fn present(&self) -> io::Result<BTreeMap<String, Stamp>> {
        let mut present = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let end = Path::new(&name).extension();
            let wanted = end.is_some_and(|end| end == "wasm" || end == "toml") || name.ends_with(SIGNATURE);
            if name.starts_with('.') || !wanted {
                continue;
            }
            // One that vanished between the two calls is as if it had not been listed.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.is_file() {
                present.insert(name, Stamp::of(&metadata));
            }
        }
        for path in &self.also {
            let Some(name) = path.to_str() else { continue };
            let metadata = fs::metadata(self.path.join(path));
            if let Some(metadata) = metadata.ok().filter(fs::Metadata::is_file) {
                present.insert(name.to_owned(), Stamp::of(&metadata));
            }
        }
        Ok(present)
    }
}

impl Look {
    fn soon(&mut self, wait: Duration) {
        let wait = wait.max(Duration::from_millis(1));
        self.again = Some(self.again.map_or(wait, |again| again.min(wait)));
    }
}

impl Stamp {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let dir = tempfile::tempdir().unwrap();
        let watched = Directory::new(dir.path().to_owned(), Vec::new());
        (dir, watched)
    }

    #[test]
    fn a_file_is_reported_once_it_stands_still() {
        let (dir, mut watched) = directory();
        let start = Instant::now();
        fs::write(dir.path().join("a.wasm"), "1").unwrap();
        let look = watched.look(start, true).unwrap();
        assert!(look.changes.is_empty() && look.again.is_some());
        fs::write(dir.path().join("a.wasm"), "12").unwrap();
        assert!(watched.look(start + SETTLE, true).unwrap().changes.is_empty(), "it was still being written");
        let look = watched.look(start + SETTLE * 2, true).unwrap();
        assert_eq!(look.changes, [Change::Written("a.wasm".to_owned())]);
        let look = watched.look(start + SETTLE * 3, true).unwrap();
        assert!(look.changes.is_empty() && look.again.is_none(), "nothing changed");
    }

    #[test]
    fn a_file_that_was_truncated_is_given_time_to_be_written() {
        let (dir, mut watched) = directory();
        let start = Instant::now();
        let file = dir.path().join("a.toml");
        fs::write(&file, "1").unwrap();
        watched.look(start, false).unwrap();
        fs::write(&file, "").unwrap();
        assert!(watched.look(start, true).unwrap().changes.is_empty());
        assert!(watched.look(start + SETTLE * 2, true).unwrap().changes.is_empty(), "it may yet be written");
        let look = watched.look(start + SETTLE_EMPTY, true).unwrap();
        assert_eq!(look.changes, [Change::Written("a.toml".to_owned())], "it is meant to be empty");
    }

    #[test]
    fn the_start_takes_what_is_there() {
        let (dir, mut watched) = directory();
        fs::write(dir.path().join("b.wasm"), "1").unwrap();
        fs::write(dir.path().join("a.toml"), "").unwrap();
        fs::write(dir.path().join(".c.wasm"), "").unwrap();
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        let look = watched.look(Instant::now(), false).unwrap();
        assert_eq!(look.changes, [Change::Written("a.toml".into()), Change::Written("b.wasm".into())]);
    }

    #[test]
    fn a_short_absence_is_no_removal_and_a_long_one_is() {
        let (dir, mut watched) = directory();
        let start = Instant::now();
        let file = dir.path().join("a.wasm");
        fs::write(&file, "1").unwrap();
        watched.look(start, false).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(watched.look(start, true).unwrap().changes.is_empty());
        fs::write(&file, "2").unwrap();
        watched.look(start, true).unwrap();
        assert_eq!(watched.look(start + SETTLE, true).unwrap().changes, [Change::Written("a.wasm".into())]);
        fs::remove_file(&file).unwrap();
        watched.look(start, true).unwrap();
        assert_eq!(watched.look(start + MISSING, true).unwrap().changes, [Change::Removed("a.wasm".into())]);
    }

    #[test]
    fn a_link_that_is_swapped_is_a_change() {
        let (dir, mut watched) = directory();
        let start = Instant::now();
        for version in ["1", "2"] {
            fs::create_dir(dir.path().join(version)).unwrap();
            fs::write(dir.path().join(version).join("a.wasm"), version).unwrap();
        }
        // As kubernetes mounts a config map: a.wasm -> ..data/a.wasm, ..data -> 1.
        std::os::unix::fs::symlink("1", dir.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/a.wasm", dir.path().join("a.wasm")).unwrap();
        watched.look(start, false).unwrap();
        std::os::unix::fs::symlink("2", dir.path().join("..new")).unwrap();
        fs::rename(dir.path().join("..new"), dir.path().join("..data")).unwrap();
        watched.look(start, true).unwrap();
        assert_eq!(watched.look(start + SETTLE, true).unwrap().changes, [Change::Written("a.wasm".into())]);
    }
}
