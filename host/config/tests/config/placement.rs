//! Where plugins are called.

use crate::{directory, errors, good};
use std::time::Duration;
use weir_config::{Placement, PluginSettings, sidecar};

#[test]
fn a_binding_says_its_own_and_takes_the_rest_of_the_defaults() {
    let config = good(
        "[plugins.defaults.offload]\nthreads = 3\nqueue_wait = \"1m\"\n\
         [[plugin]]\nmodule = \"a.wasm\"\n\
         [[plugin]]\nmodule = \"b.wasm\"\nplacement = \"offload\"\noffload = { queue = 7, queue_bytes = \"1MiB\" }\n",
    );
    let [a, b] = &config.bindings[..] else { panic!() };
    let defaults = Placement { threads: 3, queue_wait: Duration::from_mins(1), ..Placement::default() };
    assert_eq!(a.settings.placement, defaults);
    assert!(!defaults.offload);
    assert_eq!(b.settings.placement, Placement { offload: true, queue: 7, queue_bytes: 1 << 20, ..defaults });
    let files = directory(&[("a.toml", "placement = \"offload\"\n[offload]\nthreads = 64\n")]);
    let settings = sidecar(&files.path().join("a.toml"), &PluginSettings::default()).expect("it is right");
    assert_eq!(settings.placement, Placement { offload: true, threads: 64, ..Placement::default() });
}

#[test]
fn what_is_no_placement_is_told() {
    let found = errors(
        "[plugins.defaults]\nplacement = \"thread\"\n[plugins.defaults.offload]\nthreads = 0\nqueue = 0\n\
         queue_bytes = \"1KiB\"\nqueue_wait = \"1ms\"\nlane = 1\n",
    );
    let told = [
        "2:13: `placement` cannot be \"thread\" (it is \"inline\" or \"offload\")",
        "4:11: `threads` must be from 1 to 64, not 0",
        "5:9: `queue` must be from 1 to 1000000, not 0",
        "6:15: `queue_bytes` must be from 64KiB to 4GiB, not 1KiB",
        "7:14: `queue_wait` must be from 10ms to 10m, not 1ms",
        "unknown key `lane`",
    ];
    for told in told {
        assert!(found.contains(told), "{told}: {found}");
    }
}
