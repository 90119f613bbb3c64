//! What must be known after a restart: a small file of JSON, written whole and in one step, and the module files that it names.
//!
//! Nothing here is needed to serve: what cannot be read or written is told, and the gateway goes on without it.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Refused generations of a binding that are remembered; the oldest are forgotten first.
const MAX_REFUSED: usize = 32;
/// Bindings that something is remembered of.
const MAX_BINDINGS: usize = 4096;
/// The most bytes that a reason has.
const MAX_REASON: usize = 512;
/// A file with more bytes was not written here.
const MAX_FILE: u64 = 32 << 20;
const VERSION: u32 = 1;
const FILE: &str = "state.json";
const MODULES: &str = "modules";

/// A generation that is not to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// SHA-256 of the plugin file, in hex.
    pub file: Box<str>,
    /// The same of its binding's settings.
    pub settings: Box<str>,
    /// Why, as the end of a sentence.
    pub reason: Box<str>,
    /// When that was found, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A generation that served where another was refused, and does so again after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Good {
    /// SHA-256 of the plugin file, in hex.
    pub file: Box<str>,
    /// Its config.
    pub config: serde_json::Value,
}

/// What is known of one binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BindingRecord {
    /// Not to be tried again until somebody accepts them; the newest last.
    pub refused: Vec<Refused>,
    /// What served before the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<Good>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Records {
    version: u32,
    bindings: BTreeMap<Box<str>, BindingRecord>,
}

/// The records of all bindings, in memory and in a directory.
#[derive(Debug, Default)]
pub struct StateStore {
    /// `None`: they end with the process.
    dir: Option<PathBuf>,
    /// Whoever only looks changes nothing there.
    reads_only: bool,
    records: Mutex<Records>,
}

/// Why a directory cannot keep state.
#[derive(Debug, thiserror::Error)]
#[error(
    "the state directory {} cannot be used: {error}; make it writable for this user alone, or change plugins.state",
    .dir.display()
)]
pub struct StateError {
    dir: PathBuf,
    error: io::Error,
}

impl StateStore {
    /// Records that end with the process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Records in a directory, which is made if it is not there. What is there and is none of ours is set aside with a warning.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError { dir: dir.to_owned(), error };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.join(MODULES)).map_err(failed)?;
        let about = fs::metadata(dir).map_err(failed)?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
            return Err(failed(io::Error::other("another user owns it, or may write to it")));
        }
        let path = dir.join(FILE);
        let records = match read(&path) {
            Ok(records) => records,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Records::default(),
            Err(error) => {
                let aside = dir.join("state.json.unreadable");
                let moved = fs::rename(&path, &aside);
                tracing::error!(
                    path = %path.display(),
                    aside = moved.is_ok().then(|| aside.display().to_string()),
                    "the state of the plugins cannot be read: {error}. Starting without it: versions that were taken back may be tried \
                     again"
                );
                Records::default()
            }
        };
        Ok(Self { dir: Some(dir.to_owned()), reads_only: false, records: Mutex::new(records) })
    }

    /// What is in a directory, which is left as it is; nothing if it cannot be read.
    pub fn look_at(dir: &Path) -> Self {
        let records = Mutex::new(read(&dir.join(FILE)).unwrap_or_default());
        Self { dir: Some(dir.to_owned()), reads_only: true, records }
    }

    fn written_to(&self) -> Option<&Path> {
        self.dir.as_deref().filter(|_| !self.reads_only)
    }

    /// What is known of a binding.
    pub fn record(&self, binding: &str) -> BindingRecord {
        self.lock().bindings.get(binding).cloned().unwrap_or_default()
    }

    /// Whether this file with these settings is refused for a binding.
    pub(crate) fn refused(&self, binding: &str, file: Digest, settings: Digest) -> Option<Refused> {
        let (file, settings) = (file.to_string(), settings.to_string());
        let records = self.lock();
        let known = records.bindings.get(binding)?.refused.iter();
        known.rev().find(|known| *known.file == *file && *known.settings == *settings).cloned()
    }

    /// Changes what is known of a binding, and writes it down.
    pub fn change(&self, binding: &str, change: impl FnOnce(&mut BindingRecord)) {
        let mut records = self.lock();
        let mut record = records.bindings.remove(binding).unwrap_or_default();
        change(&mut record);
        let surplus = record.refused.len().saturating_sub(MAX_REFUSED);
        record.refused.drain(..surplus);
        for refused in &mut record.refused {
            let mut reason = String::from(std::mem::take(&mut refused.reason));
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            refused.reason = reason.into();
        }
        if record != BindingRecord::default() {
            if records.bindings.len() >= MAX_BINDINGS {
                tracing::warn!(binding, "nothing more is remembered: {MAX_BINDINGS} bindings are");
                return;
            }
            records.bindings.insert(binding.into(), record);
        }
        records.version = VERSION;
        if let Some(dir) = self.written_to()
            && let Err(error) =
                write(&dir.join(FILE), &serde_json::to_vec_pretty(&*records).unwrap_or_default())
        {
            tracing::error!(dir = %dir.display(), "the state of the plugins cannot be written: {error}; it ends with this process");
        }
    }

    /// Keeps a plugin file, so that it can serve again after a restart.
    pub(crate) fn keep_module(&self, digest: Digest, bytes: &[u8]) {
        let Some(dir) = self.written_to() else { return };
        let modules = dir.join(MODULES);
        let path = modules.join(format!("{digest}.wasm"));
        if !path.is_file()
            && let Err(error) = write(&path, bytes)
        {
            tracing::warn!(dir = %modules.display(), "a plugin file cannot be kept: {error}; it cannot be gone back to after a restart");
        }
    }

    /// Drops the files that neither `needed` nor a record names.
    pub(crate) fn prune_modules(&self, needed: &BTreeSet<Digest>) {
        let Some(dir) = self.written_to() else { return };
        let modules = dir.join(MODULES);
        if let Err(error) = self.prune(&modules, needed) {
            tracing::warn!(dir = %modules.display(), "plugin files that nobody needs cannot be removed: {error}");
        }
    }

    fn prune(&self, modules: &Path, needed: &BTreeSet<Digest>) -> io::Result<()> {
        let mut names: BTreeSet<String> = needed.iter().map(|digest| format!("{digest}.wasm")).collect();
        let records = self.lock();
        let good = records.bindings.values().filter_map(|record| record.good.as_ref());
        names.extend(good.map(|good| format!("{}.wasm", good.file)));
        drop(records);
        for entry in fs::read_dir(modules)? {
            let name = entry?.file_name();
            if name.to_str().is_none_or(|name| !names.contains(name)) {
                fs::remove_file(modules.join(name))?;
            }
        }
        Ok(())
    }

    /// The file of a good generation, if it is there and whole.
    pub(crate) fn module(&self, good: &Good, most: usize) -> Option<Vec<u8>> {
        let is_hex = good.file.len() == 64 && good.file.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = self.dir.as_ref().filter(|_| is_hex)?.join(MODULES).join(format!("{}.wasm", good.file));
        let mut bytes = Vec::new();
        fs::File::open(path).ok()?.take(most as u64 + 1).read_to_end(&mut bytes).ok()?;
        (Digest::of(&bytes).to_string() == *good.file).then_some(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> io::Result<Records> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    let records: Records = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    if records.version != VERSION {
        return Err(io::Error::other(format!(
            "it is of version {}, this Weir writes {VERSION}",
            records.version
        )));
    }
    Ok(records)
}

/// Under another name first: a reader, and a crash, see the old content or the new.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: usize) -> Refused {
        Refused {
            file: Digest::of(&number.to_be_bytes()).to_string().into(),
            settings: Digest::of(b"s").to_string().into(),
            reason: "it trapped".into(),
            at_ms: 7,
        }
    }

    #[test]
    fn what_is_written_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("state");
        let store = StateStore::open(&home).unwrap();
        store.change("a", |record| record.refused.push(refused(1)));
        let settings = Digest::of(b"s");
        assert!(store.refused("a", Digest::of(&1_usize.to_be_bytes()), settings).is_some());
        let again = StateStore::open(&home).unwrap();
        assert_eq!(again.record("a").refused, [refused(1)]);
        assert!(again.refused("a", Digest::of(&2_usize.to_be_bytes()), settings).is_none());
        assert!(again.refused("a", Digest::of(&1_usize.to_be_bytes()), Digest::of(b"t")).is_none());
        assert!(again.refused("b", Digest::of(&1_usize.to_be_bytes()), settings).is_none());
        again.change("a", |record| record.refused.clear());
        assert!(
            !fs::read_to_string(home.join(FILE)).unwrap().contains("\"a\""),
            "nothing is kept about nothing"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let store = StateStore::in_memory();
        for number in 0..100 {
            let long = Refused { reason: "ü".repeat(1000).into(), ..refused(number) };
            store.change("a", |record| record.refused.push(long));
        }
        let record = store.record("a");
        assert_eq!(record.refused.len(), MAX_REFUSED);
        assert_eq!(record.refused.last().unwrap().file, refused(99).file);
        assert!(record.refused.iter().all(|refused| refused.reason.len() <= MAX_REASON));
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_set_aside() {
        for content in
            ["{", "[]", "{\"version\": 2, \"bindings\": {}}", "{\"version\": 1, \"bindings\": {\"a\": 5}}"]
        {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(FILE), content).unwrap();
            let store = StateStore::open(dir.path()).unwrap();
            assert_eq!(store.record("a"), BindingRecord::default());
            assert_eq!(fs::read_to_string(dir.path().join("state.json.unreadable")).unwrap(), content);
            store.change("a", |record| record.refused.push(refused(1)));
            assert_eq!(StateStore::open(dir.path()).unwrap().record("a").refused.len(), 1);
        }
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(StateStore::open(dir.path()).unwrap_err().to_string().contains("may write to it"));
    }

    #[test]
    fn modules_are_kept_while_something_needs_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = StateStore::open(dir.path()).unwrap();
        let [one, two, three] = [b"one", b"two", b"333"].map(|bytes| Digest::of(bytes));
        let good = |digest: Digest| Good { file: digest.to_string().into(), config: serde_json::Value::Null };
        store.keep_module(one, b"one");
        store.change("a", |record| record.good = Some(good(one)));
        store.keep_module(two, b"two");
        store.keep_module(three, b"333");
        assert_eq!(store.module(&good(two), 100).unwrap(), b"two");
        store.prune_modules(&[three].into());
        assert_eq!(store.module(&good(one), 100).unwrap(), b"one");
        assert_eq!(store.module(&good(three), 100).unwrap(), b"333");
        assert_eq!(store.module(&good(two), 100), None, "nobody needs it");
        // One that is damaged is as if it were not there.
        fs::write(dir.path().join(MODULES).join(format!("{one}.wasm")), "two").unwrap();
        assert_eq!(store.module(&good(one), 100), None);
        assert_eq!(store.module(&Good { file: "../../x".into(), ..good(one) }, 100), None);
    }
}
