//! Which generation serves, through reloads, refusals, removals and failures.

use crate::guests::guest;
use crate::rig::{Plugin, RUNTIME, spec};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_core::FailureCause;
use weir_plugin::{
    BindingSpec, BindingState, CanaryPolicy, Catalogue, Change, Generation, Grants, Refusal, RolloutPolicy,
    Runtime, RuntimeOptions, StateStore,
};

fn catalogue() -> Catalogue {
    Catalogue::new(RUNTIME.clone(), StateStore::in_memory())
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
    let catalogue = Catalogue::new(runtime.clone(), StateStore::in_memory());
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
    let catalogue = Catalogue::new(runtime.clone(), StateStore::in_memory());
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
    assert!(catalogue.watch(Instant::now()).is_empty(), "one look is not enough");
    let outcomes = catalogue.watch(Instant::now());
    let [ref outcome] = outcomes[..] else { panic!("{outcomes:?}") };
    let Change::TakenBack { bad: taken, serving, .. } = &outcome.change else { panic!("{outcomes:?}") };
    assert_eq!((taken.number(), serving.number()), (2, 1));
    let BindingState::Refused { reason } = state(&catalogue, "a") else { panic!() };
    assert!(reason.contains("96 of its last 100 calls"), "{reason}");
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
    (0..3).for_each(|_| assert!(catalogue.watch(Instant::now()).is_empty()));
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

/// Answers that took a few microseconds, so many of them drops.
fn answer(generation: &Generation, answers: u64, drops: u64) {
    let stats = &generation.stats()[0];
    (0..answers).for_each(|_| stats.latency.record(5_000));
    stats.calls.add(answers);
    stats.dropped.add(drops);
}

fn on_trial(name: &str) -> BindingSpec {
    let canary = Some(CanaryPolicy { share: 0.25, window: Duration::from_secs(30) });
    BindingSpec { rollout: RolloutPolicy { canary, ..RolloutPolicy::default() }, ..spec(name) }
}

#[test]
fn a_canary_serves_its_share_until_its_time_is_over() {
    let catalogue = catalogue();
    let spec = on_trial("a");
    let first = swapped(offer(&catalogue, "passthrough", &spec));
    let Change::Trying { generation, share, .. } = offer(&catalogue, "stamp", &spec) else { panic!() };
    assert_eq!((generation.number(), share), (2, 0.25));
    assert_eq!(state(&catalogue, "a"), BindingState::Trying);
    let link = catalogue.link("a").unwrap();
    let generations: Vec<_> = link.terms.iter().map(|term| term.link.generation).collect();
    assert_eq!((link.generation, generations), (1, vec![2, 1]));
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Unchanged));
    answer(&first, 500, 0);
    answer(&generation, 100, 10);
    assert!(catalogue.watch(Instant::now()).is_empty());
    let shown = serde_json::to_value(catalogue.status()).unwrap();
    let rollout = &shown[0]["rollout"];
    assert_eq!((&shown[0]["state"], &rollout["share"]), (&json!("trying"), &json!(0.25)));
    assert_eq!((&rollout["generation"], &rollout["band"]), (&json!(2), &json!("within")));
    let outcomes = catalogue.watch(Instant::now() + Duration::from_secs(31));
    assert!(matches!(&outcomes[..], [one] if matches!(&one.change, Change::Promoted(_))), "{outcomes:?}");
    assert_eq!(state(&catalogue, "a"), BindingState::Active);
    let link = catalogue.link("a").unwrap();
    assert!(link.generation == 2 && link.terms.is_empty());
    assert!(catalogue.status()[0].probation, "it is watched with all sessions too");
}

#[test]
fn a_canary_that_drops_what_passed_before_is_taken_back_and_remembered_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Catalogue::new(RUNTIME.clone(), StateStore::open(dir.path()).unwrap());
    let catalogue = open();
    let spec = on_trial("a");
    let first = swapped(offer(&catalogue, "passthrough", &spec));
    let Change::Trying { generation, .. } = offer(&catalogue, "stamp", &spec) else { panic!() };
    answer(&first, 500, 0);
    answer(&generation, 100, 100);
    assert!(catalogue.watch(Instant::now()).is_empty());
    let outcomes = catalogue.watch(Instant::now());
    assert!(
        matches!(&outcomes[..], [one] if matches!(&one.change, Change::TakenBack { .. })),
        "{outcomes:?}"
    );
    let link = catalogue.link("a").unwrap();
    assert!(link.generation == 1 && link.terms.is_empty());
    let BindingState::Refused { reason } = state(&catalogue, "a") else { panic!() };
    assert!(reason.contains("it dropped 100.0 % of 100 messages, where 0.0 % were usual"), "{reason}");
    assert_eq!(catalogue.status()[0].refused.len(), 1);
    // With another file in between it stays refused; with other settings it is another generation.
    swapped(offer(
        &catalogue,
        "passthrough",
        &BindingSpec { rollout: RolloutPolicy::default(), ..spec.clone() },
    ));
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Refused(Refusal::TakenBackBefore(_))));
    let other = BindingSpec { on_failure: weir_core::OnFailure::Open, ..spec.clone() };
    assert!(matches!(offer(&catalogue, "stamp", &other), Change::Trying { .. }));
    // After a restart only the refused file is there: what served before serves again.
    drop(catalogue);
    let catalogue = open();
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Refused(Refusal::TakenBackBefore(_))));
    assert_eq!(catalogue.serving("a").unwrap().digest(), first.digest());
    assert!(catalogue.accept("a"));
    assert_eq!(catalogue.take_wanted().into_iter().collect::<Vec<_>>(), ["a.wasm".into()]);
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Trying { .. }));
    assert!(!catalogue.accept("a") && !catalogue.accept("b"), "there is nothing more to accept");
}

#[test]
fn a_change_of_how_it_is_rolled_out_makes_no_generation() {
    let catalogue = catalogue();
    swapped(offer(&catalogue, "passthrough", &spec("a")));
    assert!(matches!(offer(&catalogue, "passthrough", &on_trial("a")), Change::Unchanged));
    assert!(matches!(offer(&catalogue, "stamp", &on_trial("a")), Change::Trying { .. }));
}

#[test]
fn a_canary_whose_file_is_gone_is_called_off() {
    let catalogue = catalogue();
    let spec = on_trial("a");
    swapped(offer(&catalogue, "passthrough", &spec));
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Trying { .. }));
    assert_eq!(catalogue.removed("a.wasm").len(), 1);
    assert!(catalogue.link("a").unwrap().terms.is_empty());
    assert_eq!(state(&catalogue, "a"), BindingState::Missing);
}

#[test]
fn sessions_that_stay_are_of_the_era_before() {
    let catalogue = catalogue();
    let pin = Some(Duration::from_mins(10));
    let spec = BindingSpec { rollout: RolloutPolicy { pin, ..RolloutPolicy::default() }, ..spec("a") };
    swapped(offer(&catalogue, "passthrough", &spec));
    let before = catalogue.era();
    swapped(offer(&catalogue, "stamp", &spec));
    let link = catalogue.link("a").unwrap();
    let terms: Vec<_> = link.terms.iter().map(|term| (term.link.generation, term.since)).collect();
    assert_eq!((link.generation, terms), (2, vec![(2, catalogue.era()), (1, before)]));
    assert_eq!(catalogue.status()[0].pinned[0].generation, 1);
    let drained = catalogue.watch(Instant::now() + Duration::from_mins(11));
    assert!(matches!(&drained[..], [one] if matches!(&one.change, Change::Drained(_))), "{drained:?}");
    assert!(catalogue.link("a").unwrap().terms.is_empty());
}

/// The table at the head of the catalogue, row by row: (event, what the state says before and after, what serves all after).
#[test]
fn the_table_of_states() {
    let catalogue = catalogue();
    let say = |binding: &str| match state(&catalogue, binding) {
        BindingState::New => "new",
        BindingState::Active => "active",
        BindingState::Trying => "trying",
        BindingState::Refused { .. } => "refused",
        BindingState::Missing => "missing",
        other => panic!("{other:?}"),
    };
    let serves = || catalogue.serving("a").map(|generation| generation.number());
    let (all, canary) = (spec("a"), on_trial("a"));
    let mut walked = Vec::new();
    let mut row = |event: &str| walked.push((event.to_owned(), say("a"), serves()));
    // Two looks are enough of what fails on everything.
    let fail = |generation: &Generation| {
        count(generation, 100, 100);
        (0..2).for_each(|_| drop(catalogue.watch(Instant::now())));
    };
    let trying = |change| match change {
        Change::Trying { generation, .. } => generation,
        other => panic!("{other:?}"),
    };
    offer(&catalogue, "future", &all);
    row("refused, nothing serves");
    swapped(offer(&catalogue, "passthrough", &canary));
    row("accepted with a canary, nothing serves");
    offer(&catalogue, "passthrough", &canary);
    row("the same again");
    offer(&catalogue, "future", &canary);
    row("refused");
    let stamp = trying(offer(&catalogue, "stamp", &canary));
    row("accepted with a canary");
    fail(&stamp);
    row("the canary left the band");
    offer(&catalogue, "future", &canary);
    offer(&catalogue, "stamp", &canary);
    row("what was taken back before");
    catalogue.accept("a");
    row("accepted by hand");
    trying(offer(&catalogue, "stamp", &canary));
    catalogue.watch(Instant::now() + Duration::from_secs(31));
    row("the canary stood its time");
    let renamed = swapped(offer(&catalogue, "passthrough_renamed", &all));
    row("accepted for all");
    // What it would go back to has not stood its own trial: so it goes further back.
    fail(&renamed);
    row("what is for all left the band");
    let configured = swapped(offer(&catalogue, "capabilities", &all));
    trying(offer(&catalogue, "remote", &canary));
    fail(&configured);
    row("the same, and a canary is under way");
    catalogue.removed("a.wasm");
    row("the file is removed");
    swapped(offer(&catalogue, "remote", &all));
    row("and is there again");
    catalogue.forget("a");
    let expected = [
        ("refused, nothing serves", "refused", None),
        ("accepted with a canary, nothing serves", "active", Some(1)),
        ("the same again", "active", Some(1)),
        ("refused", "refused", Some(1)),
        ("accepted with a canary", "trying", Some(1)),
        ("the canary left the band", "refused", Some(1)),
        ("what was taken back before", "refused", Some(1)),
        ("accepted by hand", "new", Some(1)),
        ("the canary stood its time", "active", Some(3)),
        ("accepted for all", "active", Some(4)),
        ("what is for all left the band", "refused", Some(1)),
        ("the same, and a canary is under way", "trying", Some(1)),
        ("the file is removed", "missing", Some(1)),
        ("and is there again", "active", Some(7)),
    ];
    let expected: Vec<_> = expected.map(|(event, state, serves)| (event.to_owned(), state, serves)).into();
    assert_eq!(walked, expected);
    assert!(catalogue.link("a").is_none());
}
