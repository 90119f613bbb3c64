//! A runtime with a script: the same calls give the same answers, whatever the machine does.

use crate::guests::guest;
use crate::rig::{Plugin, spec};
use std::sync::Arc;
use std::time::Duration;
use weir_core::FailureCause;
use weir_plugin::{
    BindingSpec, BindingStore, FUEL_PER_MILLISECOND, Moment, PluginLimits, Runtime, RuntimeOptions, Script,
};

fn scripted(name: &str, limits: PluginLimits) -> (Arc<Script>, Plugin) {
    let script = Arc::new(Script::new(42));
    let options = RuntimeOptions { script: Some(script.clone()), ..RuntimeOptions::default() };
    let runtime = Runtime::new(options).unwrap();
    let store = Arc::new(BindingStore::new(runtime.options()));
    let spec = BindingSpec { limits, ..spec(name) };
    (script, Plugin::new(runtime.prepare(&guest(name), &spec, &store).unwrap()))
}

#[test]
fn time_and_chance_are_what_the_script_says() {
    let run = || {
        let (script, mut plugin) = scripted("capabilities", PluginLimits::default());
        let mut answers = Vec::new();
        for call in 1..=3 {
            script.tell(Moment { call, now: 1_700_000_000_000 + call, monotonic: 50 * call });
            answers.push((plugin.reply("now\nmonotonic\nrandom.hex 12\nrandom.hex 3"), plugin.call.fuel));
        }
        // A key's time to live runs by the script too.
        assert_eq!(plugin.reply("kv.set k v 100\nkv.get k"), "ok\nv");
        script.tell(Moment { call: 4, now: 0, monotonic: 249 });
        assert_eq!(plugin.reply("kv.get k"), "v");
        script.tell(Moment { call: 5, now: 0, monotonic: 250 });
        assert_eq!(plugin.reply("kv.get k"), "-");
        // More chance in one call is not less in the next.
        script.tell(Moment { call: 2, now: 1_700_000_000_002, monotonic: 100 });
        assert_eq!(plugin.reply("random.hex 12"), answers[1].0.lines().nth(2).unwrap());
        answers
    };
    let answers = run();
    assert!(answers[0].0.starts_with("1700000000001\n50\n"), "{answers:?}");
    assert_ne!(answers[0].0.lines().nth(2), answers[1].0.lines().nth(2));
    assert!(answers.iter().all(|(_, fuel)| *fuel > 0));
    assert_eq!(answers, run());
}

#[test]
fn a_loop_ends_at_the_same_instruction() {
    let run = || {
        let limits = PluginLimits { deadline: Duration::from_millis(3), ..PluginLimits::default() };
        let (_, mut plugin) = scripted("endless", limits);
        let failure = plugin.say("x").unwrap_err();
        (failure, plugin.call.fuel)
    };
    let (failure, fuel) = run();
    assert_eq!(failure.cause, FailureCause::Deadline, "{failure:?}");
    assert!(failure.detail.contains("9000000 of fuel, which stand for its deadline of 3 ms"), "{failure:?}");
    assert_eq!(fuel, 3 * FUEL_PER_MILLISECOND);
    assert_eq!((failure, fuel), run());
}
