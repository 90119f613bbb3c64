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

/// Changes of what was good, each with what it takes.
fn changes(one: &str, two: &str) -> (Config, Config, Vec<String>) {
    let (one, mut two) = (good(one), good(two));
    two.plugins.dir.clone_from(&one.plugins.dir);
    for binding in &mut two.bindings {
        binding.module = one.plugins.dir.join(binding.module.file_name().expect("a file"));
    }
    let changes = one.diff(&two).iter().map(ToString::to_string).collect();
    (one.take_up(&two), two, changes)
}

#[test]
fn what_is_taken_up_is_what_applies_live() {
    let before =
        format!("{LISTENER}chain = [\"a\"]\nlimits.queue = \"64KiB\"\n[[plugin]]\nmodule = \"a.wasm\"\n");
    let after = format!(
        "plugins.defaults.memory = \"1MiB\"\nlog.level = \"debug\"\n{LISTENER}chain = [\"b\"]\njoin = [\"g\"]\n\
         limits = {{ queue = \"32KiB\", connections = 7 }}\n[[plugin]]\nmodule = \"b.wasm\"\n"
    );
    let (taken, new, found) = changes(&before, &after);
    assert_eq!(
        found,
        [
            "changed [log] (needs a restart)",
            "changed [plugins.defaults] (live)",
            "removed plugin \"a\" (live)",
            "added plugin \"b\" (live)",
            "changed listener \"l\": chain (live)",
            "changed listener \"l\": join (live)",
            "changed listener \"l\": limits (live)",
            "changed listener \"l\": limits of its sockets (needs a restart)",
        ]
    );
    let left: Vec<_> = taken.diff(&new).iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "changed [log] (needs a restart)",
            "changed listener \"l\": limits of its sockets (needs a restart)"
        ]
    );
    assert_eq!(taken.listeners[0].limits.queue, 32 << 10);
    assert_eq!(taken.bindings.len(), 1);
    assert!(taken.bindings[0].module.ends_with("b.wasm"));
}

#[test]
fn a_route_waits_for_its_cluster_and_a_listener_that_stays_keeps_its_plugins() {
    let before = format!("{LISTENER}chain = [\"a\"]\n[[plugin]]\nmodule = \"a.wasm\"\n");
    let to_cluster = LISTENER.replace("echo", "c");
    let (taken, _, found) = changes(&before, &format!("{to_cluster}chain = []\n{CLUSTER}"));
    assert!(found.contains(&"changed listener \"l\": route (needs a restart)".to_owned()), "{found:?}");
    assert_eq!(format!("{:?}", taken.listeners[0].route), "Echo");
    assert!(taken.bindings.is_empty() && taken.clusters.is_empty());
    // It is removed only by a restart: until then messages meet what they met.
    let other = LISTENER.replace("\"l\"", "\"other\"");
    let (taken, ..) = changes(&before, &other);
    assert_eq!(taken.listeners.len(), 1);
    assert_eq!(taken.bindings.len(), 1, "its chain names it");
}
