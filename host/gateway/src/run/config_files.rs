//! The files of the configuration, and whether they have changed since they were read.

use super::directory::Stamp;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// How long they must stand still before they are read.
const SETTLE: Duration = Duration::from_millis(100);

/// The file and what lies in `conf.d` beside it.
#[derive(Debug)]
pub(crate) struct ConfigFiles {
    file: PathBuf,
    /// When they were read.
    taken: Stamps,
    /// When they were looked at last, and since when they have been so.
    seen: Stamps,
    since: Instant,
}

type Stamps = BTreeMap<PathBuf, Stamp>;

impl ConfigFiles {
    /// As they are now, which is as they were read.
    pub(crate) fn new(file: PathBuf) -> Self {
        let taken = stamps(&file);
        Self { file, seen: taken.clone(), taken, since: Instant::now() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// Whether they are to be read again; or when to look again because they do not stand still.
    pub(crate) fn look(&mut self, now: Instant) -> Result<bool, Duration> {
        let found = stamps(&self.file);
        if found != self.seen {
            self.seen = found;
            self.since = now;
        }
        if self.seen == self.taken {
            return Ok(false);
        }
        let still = now.duration_since(self.since);
        if still < SETTLE { Err(SETTLE.saturating_sub(still)) } else { Ok(true) }
    }

    /// They are about to be read.
    pub(crate) fn take(&mut self) {
        self.taken = stamps(&self.file);
        self.seen = self.taken.clone();
    }

    /// Pokes when something may have happened to them.
    pub(crate) fn watch(&self, poke: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
        let directory = self.directory();
        let directory = directory.canonicalize().unwrap_or(directory);
        let (name, drop_in) = (self.file.file_name().map(ToOwned::to_owned), directory.join("conf.d"));
        let inside = drop_in.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Beside the file may lie a log that grows with every session. A link that leads to it may be any of two dots.
            let ours = |path: &PathBuf| {
                path.file_name() == name.as_deref()
                    || path.starts_with(&inside)
                    || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
            };
            if event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(ours)) {
                let _ = poke.try_send(());
            }
        })?;
        watcher.watch(&directory, RecursiveMode::NonRecursive)?;
        if drop_in.is_dir() {
            watcher.watch(&drop_in, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }

    fn directory(&self) -> PathBuf {
        match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}

/// The files that a load reads; what is not there has none.
fn stamps(file: &Path) -> Stamps {
    let beside = file.parent().unwrap_or(Path::new("")).join("conf.d");
    let more = fs::read_dir(beside).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let more = more.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let all = std::iter::once(file.to_owned()).chain(more);
    all.filter_map(|path| Some((path.clone(), Stamp::of(&fs::metadata(&path).ok()?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_noticed_once_it_stands_still() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weir.toml");
        fs::write(&file, "").unwrap();
        let mut files = ConfigFiles::new(file.clone());
        let now = Instant::now();
        assert_eq!(files.look(now), Ok(false));
        fs::write(&file, "1").unwrap();
        assert_eq!(files.look(now), Err(SETTLE));
        assert_eq!(files.look(now + SETTLE), Ok(true));
        files.take();
        assert_eq!(files.look(now + SETTLE), Ok(false));
        // One more file, and one that is none.
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        fs::write(dir.path().join("conf.d/notes.txt"), "1").unwrap();
        assert_eq!(files.look(now + SETTLE), Ok(false));
        fs::write(dir.path().join("conf.d/a.toml"), "1").unwrap();
        assert!(files.look(now + SETTLE).is_err());
        assert_eq!(files.look(now + SETTLE * 2), Ok(true));
        files.take();
        fs::remove_file(dir.path().join("conf.d/a.toml")).unwrap();
        assert!(files.look(now + SETTLE * 3).is_err(), "so is one that is gone");
    }
}
