//! Files that `make` builds before the tests run.

use std::path::{Path, PathBuf};

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the project").to_owned()
}

/// The gateway.
pub fn weir() -> PathBuf {
    let path = std::env::var_os("WEIR_BIN").map_or_else(|| root().join("target/release/weir"), PathBuf::from);
    assert!(path.is_file(), "{} is not there; run: make e2e", path.display());
    path
}

/// A plugin that ships, e.g. `passthrough`.
pub fn plugin(name: &str) -> PathBuf {
    built(root().join(format!("target/plugins/{name}.wasm")), "make plugins")
}

/// A guest program of tests/guests, e.g. `panic`.
pub fn guest(name: &str) -> PathBuf {
    let name = name.replace('-', "_");
    built(
        root().join(format!("target/guests/wasm32-unknown-unknown/release/examples/{name}.wasm")),
        "make guests",
    )
}

/// The Python with the peers of tests/peers/requirements.txt.
pub fn python() -> PathBuf {
    built(root().join("target/venv/bin/python"), "make peers")
}

fn built(path: PathBuf, how: &str) -> PathBuf {
    assert!(path.is_file(), "{} is not there; run: {how}", path.display());
    path
}
