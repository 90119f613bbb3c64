//! What a person writes, and what they are told.

mod broken;
mod conf_d;
mod defaults;
mod diff;
mod not_yet;
mod rollout;
mod sidecar;
mod trust;

use std::path::Path;
use tempfile::TempDir;
use weir_config::{Config, Errors, load};

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory for the test");
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the directory"))
            .expect("directories can be made");
        std::fs::write(path, text).expect("files can be written");
    }
    directory
}

/// Loads `weir.toml` of a directory with these files.
fn load_files(files: &[(&str, &str)]) -> (TempDir, Result<Config, Errors>) {
    let directory = directory(files);
    let loaded = load(&directory.path().join("weir.toml"));
    (directory, loaded)
}

/// Loads one file that is right.
#[track_caller]
fn good(text: &str) -> Config {
    match load_files(&[("weir.toml", text)]) {
        (_, Ok(config)) => config,
        (_, Err(errors)) => panic!("{}", errors.report(false)),
    }
}

/// The one-line errors of one file, without its directory.
#[track_caller]
fn errors(text: &str) -> String {
    let (directory, loaded) = load_files(&[("weir.toml", text)]);
    without(directory.path(), &loaded.expect_err("the file is wrong"))
}

/// Errors as text, without the test's directory.
fn without(directory: &Path, errors: &Errors) -> String {
    errors.to_string().replace(&format!("{}/", directory.display()), "")
}

/// A listener that is right, to add to.
const LISTENER: &str =
    "[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:1\"\nprotocol = \"websocket\"\nroute = \"echo\"\n";
/// A TCP listener that is right, to add to.
const TCP: &str =
    "[[listener]]\nname = \"l\"\nbind = \"127.0.0.1:1\"\nprotocol = \"tcp\"\nroute = \"echo\"\n";
/// A cluster that is right, to add to.
const CLUSTER: &str = "[[cluster]]\nname = \"c\"\nprotocol = \"tcp\"\nendpoints = [\"127.0.0.1:1\"]\n";
