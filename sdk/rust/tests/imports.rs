//! A plugin imports what it calls and nothing else: that is what makes a grant mean something. Checked on the plugins
//! that ship, as they ship.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm};

const PACKAGE: &str = "weir:plugin/";

/// Builds the workspace of the shipped plugins; `None` where the SDK stands alone.
fn built() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/Cargo.toml");
    if !manifest.exists() {
        return None;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins-target");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--manifest-path"])
        .arg(manifest)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}\n(rustup target add wasm32-unknown-unknown)");
    Some(target.join("wasm32-unknown-unknown/release"))
}

/// The interfaces that the functions of a core module are imported from.
fn core_imports(module: &[u8]) -> BTreeSet<String> {
    let mut imports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.expect("the module is valid") {
            for import in section.into_imports() {
                imports.insert(short(import.expect("the import is valid").module));
            }
        }
    }
    imports
}

/// The interfaces that the component imports which the gateway makes of a core module.
fn component_imports(module: &[u8]) -> BTreeSet<String> {
    let mut encoder = ComponentEncoder::default();
    let component =
        encoder.module(module).expect("it carries its type").encode().expect("it becomes a component");
    let decoded = wit_component::decode(&component).expect("the component can be read");
    let DecodedWasm::Component(resolve, world) = decoded else { panic!("it is no component") };
    let names = resolve.worlds[world].imports.keys().map(|key| short(&resolve.name_world_key(key)));
    // Types are no function: every plugin names them, and they need no grant.
    names.filter(|name| name != "types").collect()
}

/// `weir:plugin/kv@0.1.0` is `kv`; what is of another package stays as it is.
fn short(name: &str) -> String {
    let own = name.strip_prefix(PACKAGE).and_then(|name| name.split('@').next());
    own.unwrap_or(name).to_owned()
}

#[test]
fn plugins_import_what_they_call() {
    let Some(directory) = built() else { return };
    for (file, expected) in [
        ("passthrough.wasm", &["log"][..]),
        ("wordfilter.wasm", &["log", "metrics"]),
        ("route_by_field.wasm", &["log"]),
        ("enrich.wasm", &["attributes", "clock", "log"]),
    ] {
        let module = std::fs::read(directory.join(file)).expect("the plugin was built");
        let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(core_imports(&module), expected, "{file}");
        assert_eq!(component_imports(&module), expected, "{file}");
        assert!(module.len() < 512 * 1024, "{file} has {} bytes", module.len());
    }
}
