//! Who takes part, in which version.

use crate::process::{made, peers, program, sources};
use crate::servers::{self, bun_program, version};
use crate::weir;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use weir_tests::artifact;

/// Of those that are there.
pub(crate) fn all() -> BTreeMap<String, String> {
    let debian =
        |name: &str, argument: &str| program(name).and_then(|program| version(&program, argument)).ok();
    let found = [
        (crate::WEIR, weir::version().ok().zip(locked(&artifact::root(), "wasmtime")).map(on_wasmtime)),
        ("bun", bun_program().and_then(|bun| version(&bun, "--version")).ok()),
        (
            "Node ws",
            npm("ws").zip(debian("node", "--version")).map(|(ws, node)| format!("ws {ws}, Node {node}")),
        ),
        ("nats-server", debian("nats-server", "--version")),
        ("sockudo", installed("sockudo")),
        (servers::PUSHPIN, debian(servers::PUSHPIN, "--version")),
        ("mosquitto", debian("mosquitto", "-h")),
        ("HAProxy", debian("haproxy", "-v")),
        (
            "nginx",
            debian("nginx", "-v").map(|nginx| format!("{nginx}, njs of Debian’s libnginx-mod-stream-js")),
        ),
        ("caddy", debian("caddy", "version")),
        ("pingora", built("pingora", "pingora")),
        ("Extism", built("extism", "extism").zip(of_peer("extism", "wasmtime")).map(on_wasmtime)),
        (
            "fluvio-smartengine",
            built("fluvio", "fluvio-smartengine").zip(of_peer("fluvio", "wasmtime")).map(on_wasmtime),
        ),
    ];
    found.into_iter().filter_map(|(name, version)| Some((name.to_owned(), version?))).collect()
}

fn on_wasmtime((version, wasmtime): (String, String)) -> String {
    format!("{version}, on wasmtime {wasmtime}")
}

fn npm(package: &str) -> Option<String> {
    let text = fs::read_to_string(peers().join(format!("node/node_modules/{package}/package.json"))).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    package["version"].as_str().map(str::to_owned)
}

/// The package that a peer of ours is built on, where that was built.
fn built(peer: &str, package: &str) -> Option<String> {
    made(&format!("native/{peer}/release/peer-{peer}"), "").ok()?;
    of_peer(peer, package)
}

fn of_peer(peer: &str, package: &str) -> Option<String> {
    locked(&sources().join("native").join(peer), package)
}

/// What `cargo install` has put into a directory of its own name.
fn installed(package: &str) -> Option<String> {
    let list = fs::read_to_string(peers().join(package).join(".crates.toml")).ok()?;
    let (_, rest) = list.split_once(&format!("\"{package} "))?;
    Some(rest.split_once(' ')?.0.to_owned())
}

/// What `Cargo.lock` has of a package.
fn locked(dir: &Path, package: &str) -> Option<String> {
    version_in(&fs::read_to_string(dir.join("Cargo.lock")).ok()?, package)
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_version_is_that_of_the_package_itself() {
        let lock = "[[package]]\nname = \"wasmtime-environ\"\nversion = \"9.0.0\"\n\n\
                    [[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\nsource = \"registry\"\n";
        assert_eq!(version_in(lock, "wasmtime").as_deref(), Some("48.0.8"));
        assert_eq!(version_in(lock, "extism"), None);
    }

    #[test]
    fn whoever_has_a_version_is_described() {
        for name in all().keys() {
            assert!(crate::systems::of(name).is_some(), "{name}");
        }
    }
}
