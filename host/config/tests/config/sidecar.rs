//! The file beside a plugin.

use crate::{directory, without};
use std::time::Duration;
use weir_config::{Grant, PluginSettings, sidecar};
use weir_core::OnFailure;

#[test]
fn what_it_leaves_out_is_as_in_the_defaults() {
    let files = directory(&[(
        "10-auth.toml",
        "deadline = \"5ms\"\ngrants = [\"kv\", \"timers\"]\n[config]\nsince = 1979-05-27\nlist = [1, 2.5, true]\n",
    )]);
    let defaults =
        PluginSettings { on_failure: OnFailure::Open, memory: 32 << 20, ..PluginSettings::default() };
    let settings = sidecar(&files.path().join("10-auth.toml"), &defaults).expect("the file is right");
    let expected = PluginSettings {
        config: serde_json::json!({ "since": "1979-05-27", "list": [1, 2.5, true] }),
        grants: [Grant::Kv, Grant::Timers].into(),
        deadline: Duration::from_millis(5),
        ..defaults
    };
    assert_eq!(settings, expected);
}

#[test]
fn it_has_no_name_and_no_module() {
    let files = directory(&[("a.toml", "name = \"x\"\nconfig = 5\ngrants = \"kv\"\n")]);
    let errors =
        sidecar(&files.path().join("a.toml"), &PluginSettings::default()).expect_err("the file is wrong");
    assert_eq!(
        without(files.path(), &errors),
        "a.toml:1:1: unknown key `name` (a plugin's file knows `config`, `deadline`, `grants`, `kv_bytes`, \
         `kv_keys`, `log_rate`, `max_effects`, `max_held`, `max_host_calls`, `max_output`, `max_table`, `memory`, \
         `offload`, `on_failure`, `pin`, `pin_drain`, `placement`, `quarantine`, `renew_calls`, `renew_memory`, `rollback`, `rollout`, \
         `sha256`, `stack`, `when`)\n\
         a.toml:2:10: `config` must be a table, not an integer\n\
         a.toml:3:10: `grants` must be a list, not a string"
    );
}
