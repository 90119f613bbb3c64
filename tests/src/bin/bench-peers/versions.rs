//! Who takes part, in which version.

use crate::process::{made, peers, program};
use crate::servers::{bun_program, version};
use crate::weir;
use std::collections::BTreeMap;
use std::fs;

/// Of those that are there.
pub(crate) fn all() -> BTreeMap<String, String> {
    let debian =
        |name: &str, argument: &str| program(name).and_then(|program| version(&program, argument)).ok();
    let node = |package: &str| {
        let text =
            fs::read_to_string(peers().join(format!("node/node_modules/{package}/package.json"))).ok()?;
        let package: serde_json::Value = serde_json::from_str(&text).ok()?;
        package["version"].as_str().map(str::to_owned)
    };
    let built = |path: &str, text: &str| made(path, "").ok().map(|_| text.to_owned());
    let found = [
        ("Weir", weir::version().ok()),
        ("bun", bun_program().and_then(|bun| version(&bun, "--version")).ok()),
        (
            "Node ws",
            node("ws").zip(debian("node", "--version")).map(|(ws, node)| format!("ws {ws}, Node {node}")),
        ),
        ("nats-server", debian("nats-server", "--version")),
        ("sockudo", built("sockudo/bin/sockudo", "5.2.0, features: local")),
        ("pushpin", debian("pushpin", "--version")),
        ("mosquitto", debian("mosquitto", "-h")),
        ("HAProxy", debian("haproxy", "-v")),
        (
            "nginx",
            debian("nginx", "-v").map(|nginx| format!("{nginx}, njs of Debian’s libnginx-mod-stream-js")),
        ),
        ("caddy", debian("caddy", "version")),
        ("pingora", built("native/pingora/release/peer-pingora", "0.9.1")),
        ("Extism", built("native/extism/release/peer-extism", "1.41.0")),
        ("fluvio-smartengine", built("native/fluvio/release/peer-fluvio", "0.50.1")),
    ];
    found.into_iter().filter_map(|(name, version)| Some((name.to_owned(), version?))).collect()
}
