//! What changes, and what that takes.

use crate::{CLUSTER, LISTENER, good};
use weir_config::Config;

#[test]
fn equal_configurations_do_not_differ() {
    assert!(Config::zero().diff(&Config::zero()).is_empty());
}

#[test]
fn each_part_says_whether_it_applies_live() {
    let one =
        good(&format!("{LISTENER}limits.queue = \"64KiB\"\n{CLUSTER}[[plugin]]\nmodule = \"a.wasm\"\n"));
    let other = LISTENER.replace("echo", "drop");
    let two = good(&format!(
        "log.level = \"debug\"\n{other}limits.queue = \"32KiB\"\n[[plugin]]\nmodule = \"b.wasm\"\n"
    ));
    // The directories of the two differ, and with them the default of the plugins' directory.
    let changes: Vec<String> = one
        .diff(&two)
        .iter()
        .map(ToString::to_string)
        .filter(|change| !change.contains("[plugins] dir"))
        .collect();
    assert_eq!(
        changes,
        [
            "changed [log] (needs a restart)",
            "removed plugin \"a\" (live)",
            "added plugin \"b\" (live)",
            "changed listener \"l\": route (live)",
            "changed listener \"l\": limits (live)",
            "removed cluster \"c\" (needs a restart)",
        ]
    );
}
