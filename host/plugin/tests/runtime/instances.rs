//! Files of every form that is accepted, and what their instances are given.

use crate::guests::{component, guest};
use crate::rig::{Plugin, RUNTIME, instance, prepare, spec, store};
use serde_json::json;
use weir_core::{Effect, Forwarding, Verdict};
use weir_plugin::{BindingSpec, Capability, Form, PluginLimits};

#[test]
fn a_core_module_and_a_component_both_serve() {
    for bytes in [guest("passthrough"), component("passthrough")] {
        let generation = RUNTIME.prepare(&bytes, &spec("passthrough"), &store()).unwrap();
        assert_eq!(Plugin::new(generation).say("x"), Ok(Verdict::Forward(Forwarding::default())));
    }
}

#[test]
fn a_component_that_exports_batch_serves() {
    let mut plugin = instance("batch", PluginLimits::default());
    assert_eq!(plugin.say("x"), Ok(Verdict::Forward(Forwarding::default())));
    let link = plugin.generation.link();
    assert!(link.directions.inbound && !link.directions.outbound);
    assert!(RUNTIME.inspect(&guest("batch")).unwrap().batch);
}

#[test]
fn inspection_says_what_a_file_is() {
    let seen = RUNTIME.inspect(&guest("capabilities")).unwrap();
    assert_eq!(seen.form, Form::Core);
    assert_eq!(seen.contract, "0.1.0");
    assert_eq!(seen.capabilities, Capability::ALL);
    assert_eq!(seen.manifest.name, "capabilities");
    assert!(!seen.batch);
    let shown = serde_json::to_value(&seen).unwrap();
    assert_eq!(shown["capabilities"], json!(["random", "messaging", "groups", "kv", "timers"]));
    assert_eq!(shown["manifest"]["directions"], json!(["inbound", "outbound"]));

    let seen = RUNTIME.inspect(&component("passthrough")).unwrap();
    assert_eq!(seen.form, Form::Component);
    assert_eq!(seen.capabilities, []);
    let schema = serde_json::to_value(RUNTIME.inspect(&guest("configured")).unwrap().manifest).unwrap();
    assert_eq!(schema["config_schema"]["type"], "object");
}

#[test]
fn a_config_reaches_every_instance() {
    let spec = BindingSpec { config: json!({"limit": 3}), ..spec("configured") };
    let mut plugin = Plugin::new(prepare("configured", &spec).unwrap());
    assert_eq!(plugin.reply("?"), r#"{"limit":3}"#);
    plugin.renew();
    assert_eq!(plugin.reply("?"), r#"{"limit":3}"#);
    let mut bare = instance("configured", PluginLimits::default());
    assert_eq!(bare.reply("?"), "{}");
}

#[test]
fn a_timer_may_be_set_while_configured() {
    let spec = BindingSpec { config: json!({"do": "timer"}), ..spec("configured") };
    let plugin = Plugin::new(prepare("configured", &spec).unwrap());
    assert_eq!(plugin.configured, [Effect::Every { milliseconds: 50 }]);
}
