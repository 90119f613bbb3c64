//! Which generation serves, through reloads, refusals, removals and failures.

use crate::guests::guest;
use crate::rig::{Plugin, RUNTIME, spec};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_core::FailureCause;
use weir_plugin::{
    BindingSpec, BindingState, Catalogue, Change, Generation, Grants, Probation, Refusal, Runtime,
    RuntimeOptions,
};

fn catalogue() -> Catalogue {
    Catalogue::new(RUNTIME.clone(), Probation::default())
}

fn offer(catalogue: &Catalogue, name: &str, spec: &BindingSpec) -> Change {
    let mut outcomes = catalogue.offer("a.wasm", &guest(name), std::slice::from_ref(spec));
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0).change
}

fn swapped(change: Change) -> Arc<Generation> {
    match change {
        Change::Swapped(generation) => generation,
        other => panic!("{other:?}"),
    }
}

fn state(catalogue: &Catalogue, binding: &str) -> BindingState {
    catalogue.status().into_iter().find(|status| &*status.name == binding).unwrap().state
}

#[test]
fn the_same_file_again_is_nothing_and_another_is_swapped() {
    let catalogue = catalogue();
    let spec = spec("a");
    assert_eq!(swapped(offer(&catalogue, "passthrough", &spec)).number(), 1);
    assert!(matches!(offer(&catalogue, "passthrough", &spec), Change::Unchanged));
    assert_eq!(swapped(offer(&catalogue, "passthrough_renamed", &spec)).number(), 2);
    let link = catalogue.link("a").unwrap();
    assert_eq!((link.generation, &*link.name), (2, "a"));
    assert_eq!(state(&catalogue, "a"), BindingState::Active);
}

#[test]
fn a_bad_version_gets_no_traffic_and_the_good_one_serves_on() {
    let catalogue = catalogue();
    let spec = spec("a");
    swapped(offer(&catalogue, "passthrough", &spec));
    assert!(matches!(offer(&catalogue, "future", &spec), Change::Refused(Refusal::Contract { .. })));
    assert_eq!(catalogue.link("a").unwrap().generation, 1);
    let BindingState::Refused { reason } = state(&catalogue, "a") else { panic!() };
    assert!(reason.contains("rebuild"), "{reason}");
    // Refused once, it is not tried again.
    assert!(matches!(offer(&catalogue, "future", &spec), Change::Unchanged));
    // The good one again is new to the catalogue: what was refused must be forgotten.
    assert_eq!(swapped(offer(&catalogue, "passthrough", &spec)).number(), 2);
    assert_eq!(state(&catalogue, "a"), BindingState::Active);
}

#[test]
fn a_config_change_compiles_nothing() {
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let catalogue = Catalogue::new(runtime.clone(), Probation::default());
    let spec = |limit: u32| BindingSpec { config: json!({ "limit": limit }), ..spec("a") };
    swapped(offer(&catalogue, "configured", &spec(1)));
    assert_eq!(runtime.compilations(), 1);
    let next = swapped(offer(&catalogue, "configured", &spec(2)));
    assert_eq!(Plugin::new(next).reply("?"), r#"{"limit":2}"#);
    assert!(matches!(offer(&catalogue, "configured", &spec(2)), Change::Unchanged));
    // A config that does not fit is refused, and what served serves on.
    assert!(matches!(offer(&catalogue, "configured", &spec(0)), Change::Refused(Refusal::Config(_))));
    assert_eq!(catalogue.serving("a").unwrap().number(), 2);
    assert_eq!(runtime.compilations(), 1);
}

#[test]
fn one_file_serves_many_bindings_and_is_compiled_once() {
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let catalogue = Catalogue::new(runtime.clone(), Probation::default());
    let specs = [spec("a"), spec("b"), BindingSpec { grants: Grants::NONE, ..spec("c") }];
    let outcomes = catalogue.offer("capabilities.wasm", &guest("capabilities"), &specs);
    let changes: Vec<_> = outcomes.iter().map(|outcome| &outcome.change).collect();
    assert!(matches!(
        changes[..],
        [Change::Swapped(_), Change::Swapped(_), Change::Refused(Refusal::NotGranted { .. })]
    ));
    assert_eq!(runtime.compilations(), 1);
    assert!(catalogue.link("c").is_none());
}

#[test]
fn keys_and_metrics_survive_a_reload() {
    let catalogue = catalogue();
    let spec = spec("a");
    let mut before = Plugin::new(swapped(offer(&catalogue, "capabilities", &spec)));
    before.reply("kv.set seen 1\ncount hits 5");
    swapped(offer(&catalogue, "passthrough", &spec));
    let mut after = Plugin::new(swapped(offer(&catalogue, "capabilities", &spec)));
    assert_eq!(after.reply("kv.get seen\ncount hits 1"), "1\nok");
    let metrics = catalogue.metrics();
    assert_eq!(&*metrics[0].0, "a");
    assert_eq!(metrics[0].1[0].value, weir_plugin::Value::Count(6));
    // The instance of the old generation is still good for the call that is under way.
    assert_eq!(before.reply("kv.get seen"), "1");
    assert!(catalogue.forget("a"));
    assert!(catalogue.store("a").is_none());
}

#[test]
fn a_key_that_expires_is_swept() {
    let catalogue = catalogue();
    let mut plugin = Plugin::new(swapped(offer(&catalogue, "capabilities", &spec("a"))));
    plugin.reply("kv.set short 1 1\nkv.set long 1 100000");
    let deadline = Instant::now() + Duration::from_secs(5);
    while catalogue.status()[0].kv_keys > 1 && Instant::now() < deadline {
        catalogue.sweep();
        std::thread::yield_now();
    }
    assert_eq!(plugin.reply("kv.get short\nkv.get long"), "-\n1");
    assert_eq!(catalogue.status()[0].kv_keys, 1);
}

#[test]
fn a_removed_file_leaves_its_last_generation() {
    let catalogue = catalogue();
    let spec = spec("a");
    swapped(offer(&catalogue, "passthrough", &spec));
    assert!(matches!(catalogue.removed("a.wasm")[..], [ref one] if matches!(one.change, Change::Missing)));
    assert!(catalogue.removed("a.wasm").is_empty());
    assert!(catalogue.removed("other.wasm").is_empty());
    assert_eq!(state(&catalogue, "a"), BindingState::Missing);
    assert!(catalogue.link("a").is_some());
    swapped(offer(&catalogue, "passthrough", &spec));
    assert_eq!(state(&catalogue, "a"), BindingState::Active);
}

/// Counts so many calls, some of them failed, as a worker would.
fn count(generation: &Generation, calls: u64, failures: u64) {
    let stats = &generation.stats()[0];
    stats.calls.add(calls);
    stats.failure(FailureCause::Trap).add(failures);
}

#[test]
fn a_generation_that_fails_under_traffic_is_taken_back() {
    let catalogue = catalogue();
    let spec = spec("a");
    let good = swapped(offer(&catalogue, "passthrough", &spec));
    count(&good, 10_000, 10);
    let bad = swapped(offer(&catalogue, "passthrough_renamed", &spec));
    count(&bad, 100, 4);
    assert!(catalogue.watch(Instant::now()).is_empty(), "few failures are no reason");
    assert!(catalogue.status()[0].probation);
    count(&bad, 100, 96);
    let outcomes = catalogue.watch(Instant::now());
    let [ref outcome] = outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(swapped(outcome.change.clone()).number(), 1);
    let BindingState::Refused { reason } = state(&catalogue, "a") else { panic!() };
    assert!(reason.contains("100 of its first 200 calls"), "{reason}");
    assert_eq!(catalogue.link("a").unwrap().generation, 1);
    // The same bytes are not tried again.
    assert!(matches!(offer(&catalogue, "passthrough_renamed", &spec), Change::Unchanged));
    assert!(catalogue.watch(Instant::now()).is_empty());
    // What it counted stays in the binding's sums when it is gone.
    drop((bad, outcomes));
    let store = catalogue.store("a").unwrap();
    let (generations, past) = store.generations();
    assert_eq!(
        generations.iter().map(|(number, totals)| (*number, totals.calls)).collect::<Vec<_>>(),
        [(1, 10_000)]
    );
    assert_eq!((past.calls, past.failed(), store.totals().calls), (200, 100, 10_200));
}

#[test]
fn failures_that_were_usual_before_are_no_reason() {
    let catalogue = catalogue();
    let spec = spec("a");
    let first = swapped(offer(&catalogue, "passthrough", &spec));
    count(&first, 100, 50);
    let second = swapped(offer(&catalogue, "passthrough_renamed", &spec));
    count(&second, 100, 60);
    assert!(catalogue.watch(Instant::now()).is_empty());
    // After its first minute it has stood its trial.
    assert!(catalogue.watch(Instant::now() + Duration::from_secs(61)).is_empty());
    assert!(!catalogue.status()[0].probation);
    count(&second, 100, 100);
    assert!(catalogue.watch(Instant::now()).is_empty());
}

#[test]
fn status_is_json() {
    let catalogue = catalogue();
    swapped(offer(&catalogue, "capabilities", &spec("a")));
    let shown = serde_json::to_value(catalogue.status()).unwrap();
    assert_eq!(shown[0]["state"], "active");
    assert_eq!(shown[0]["file"], "a.wasm");
    assert_eq!(shown[0]["serving"]["generation"], 1);
    assert_eq!(shown[0]["serving"]["manifest"]["name"], "capabilities");
    assert_eq!(shown[0]["grants"][0], "random");
    assert_eq!(shown[0]["offered"].as_str().unwrap().len(), 64);
}

#[test]
fn a_thousand_reloads_leave_nothing_behind() {
    let catalogue = catalogue();
    let mut last = None;
    for round in 0..1000 {
        let name = ["passthrough", "passthrough_renamed"][round % 2];
        last = Some(swapped(offer(&catalogue, name, &spec("a"))));
    }
    let last = last.unwrap();
    assert_eq!(last.number(), 1000);
    // The catalogue and we; what was replaced is gone, but for the one that is kept for going back to.
    assert_eq!(Arc::strong_count(&last), 2);
}
