//! The guest programs of `tests/guests`, built once a run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests");
    // Beside the host's own output, so that `cargo clean` takes both and a second run builds nothing.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("has a parent").join("guests");
    eprintln!("building the guest programs in {} into {}", source.display(), target.display());
    let done = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--examples",
            "--target",
            "wasm32-unknown-unknown",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(&source)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(
        done.success(),
        "the guest programs did not build; if the target is missing: rustup target add wasm32-unknown-unknown"
    );
    target.join("wasm32-unknown-unknown/release/examples")
});

/// The file that cargo made of a guest program.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = BUILT.join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("no guest program at {}: {error}", path.display()))
}

/// A guest program as a component.
pub(crate) fn component(name: &str) -> Vec<u8> {
    wit_component::ComponentEncoder::default().module(&guest(name)).unwrap().encode().unwrap()
}
