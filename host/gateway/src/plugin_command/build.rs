//! `weir plugin build`: cargo for wasm32-unknown-unknown, the project's cases put in, and a look at the result.

use super::{cases, inspect};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TARGET: &str = "wasm32-unknown-unknown";

pub(super) fn run(project: &Path, out: Option<&Path>) -> anyhow::Result<()> {
    for file in build(project, out)? {
        inspect::run(&file, false).context("it was built, but a gateway would refuse it")?;
    }
    Ok(())
}

/// The files that were built, each with the project's cases in it.
pub(super) fn build(project: &Path, out: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    let manifest = project.join("Cargo.toml");
    if !manifest.is_file() {
        bail!(
            "{} is not a plugin project: it has no Cargo.toml; make one with `weir plugin new NAME`",
            project.display()
        );
    }
    let cases = cases::of_project(project)?;
    ensure_target()?;
    let built = cargo_build(&manifest)?.into_iter();
    built
        .map(|file| {
            let dir = out.or_else(|| file.parent()).context("cargo named a file in no directory")?;
            place(&file, dir, &cases)
        })
        .collect()
}

/// rustc must have the standard library of the target; rustup can fetch it.
fn ensure_target() -> anyhow::Result<()> {
    let libdir = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("rustc does not run; install Rust from https://rustup.rs")?;
    let libdir = PathBuf::from(String::from_utf8_lossy(&libdir.stdout).trim());
    if libdir.is_dir() {
        return Ok(());
    }
    eprintln!("adding the Rust target {TARGET} (once)");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if !added.is_ok_and(|status| status.success()) {
        bail!(
            "the Rust target {TARGET} is missing and rustup could not add it; run: rustup target add {TARGET}"
        );
    }
    Ok(())
}

/// The .wasm files that cargo says it made.
fn cargo_build(manifest: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo does not run; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!("the plugin does not build; the compiler's messages are above");
    }
    let mut files = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        let names = message["filenames"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
        let modules =
            names.map(PathBuf::from).filter(|path| path.extension().is_some_and(|end| end == "wasm"));
        files.extend(modules);
    }
    if files.is_empty() {
        bail!("cargo made no .wasm file; Cargo.toml needs: [lib] crate-type = [\"cdylib\", \"rlib\"]");
    }
    Ok(files)
}

/// Puts a file with its cases into a directory in one step, so that a gateway that watches it never sees half of it.
fn place(file: &Path, dir: &Path, cases: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let name = file.file_name().context("cargo named a file without a name")?;
    let (temporary, to) = (dir.join(format!(".{}.part", name.to_string_lossy())), dir.join(name));
    let built = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let whole = weir_plugin::embed_cases(&built, cases)?;
    std::fs::write(&temporary, whole)
        .and_then(|()| std::fs::rename(&temporary, &to))
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to)
}
