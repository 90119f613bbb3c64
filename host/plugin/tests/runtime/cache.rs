//! The private cache of compiled modules.

use crate::guests::guest;
use crate::rig::{Plugin, logs, spec, store};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use weir_plugin::{CacheError, Runtime, RuntimeError, RuntimeOptions};

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("weir-cache-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn runtime(&self) -> Result<Runtime, RuntimeError> {
        Runtime::new(RuntimeOptions { cache: Some(self.0.clone()), workers: 1, ..RuntimeOptions::default() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn serve(runtime: &Runtime) -> u64 {
    let generation = runtime.prepare(&guest("passthrough"), &spec("x"), &store()).unwrap();
    Plugin::new(generation).say("x").unwrap();
    runtime.compilations()
}

#[test]
fn a_second_process_compiles_nothing() {
    let scratch = Scratch::new("hit");
    assert_eq!(serve(&scratch.runtime().unwrap()), 1);
    assert_eq!(serve(&scratch.runtime().unwrap()), 0);
    assert_eq!(mode(&scratch.0), 0o700);
    let files = scratch.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(mode(&files[0]), 0o600);
}

#[test]
fn a_spoiled_file_is_made_again() {
    let scratch = Scratch::new("spoiled");
    serve(&scratch.runtime().unwrap());
    let file = scratch.files().remove(0);
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for spoiled in [&flipped[..], &whole[..whole.len() / 2], &whole[..10], b""] {
        std::fs::write(&file, spoiled).unwrap();
        let log = logs(|| assert_eq!(serve(&scratch.runtime().unwrap()), 1));
        assert!(log.contains("made again"), "{log}");
        assert_eq!(std::fs::read(&file).unwrap().len(), whole.len());
    }
    // Writable for others: it is not believed, whatever its checksum.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(serve(&scratch.runtime().unwrap()), 1);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let scratch = Scratch::new("open");
    std::fs::create_dir_all(&scratch.0).unwrap();
    std::fs::set_permissions(&scratch.0, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = scratch.runtime().unwrap_err();
    assert!(matches!(error, RuntimeError::Cache(CacheError::NotPrivate { .. })), "{error:?}");
    assert!(error.to_string().contains("chmod"), "{error}");
}

#[test]
fn a_link_is_not_followed() {
    let (real, link) = (Scratch::new("real"), Scratch::new("link"));
    std::fs::create_dir_all(&real.0).unwrap();
    std::os::unix::fs::symlink(&real.0, &link.0).unwrap();
    assert!(link.runtime().is_err());
    std::fs::remove_file(&link.0).unwrap();
}
