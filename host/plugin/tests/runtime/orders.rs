//! What operators order of a catalogue, and what is left of it after a restart.

use crate::catalogue::{count, offer, on_trial, state, swapped};
use crate::rig::{RUNTIME, spec};
use std::path::Path;
use std::time::{Duration, Instant};
use weir_plugin::{
    BindingSpec, BindingState, BindingStatus, Catalogue, Change, OrderError, Outcome, Refusal, RolloutPolicy,
    StateStore,
};

/// As after each start with the same state.
fn open(dir: &Path) -> Catalogue {
    Catalogue::new(RUNTIME.clone(), StateStore::open(dir).unwrap())
}

fn in_memory() -> Catalogue {
    Catalogue::new(RUNTIME.clone(), StateStore::in_memory())
}

fn status(catalogue: &Catalogue) -> BindingStatus {
    catalogue.status().remove(0)
}

fn serves(catalogue: &Catalogue) -> String {
    catalogue.serving("a").map_or("nothing".into(), |generation| generation.digest().to_string())
}

fn digest(name: &str) -> String {
    weir_plugin::Digest::of(&crate::guests::guest(name)).to_string()
}

/// What was taken back, and what serves in its place.
fn rolled_back(outcome: Outcome) -> (u64, u64) {
    match outcome.change {
        Change::RolledBack { bad, serving } => (bad.number(), serving.number()),
        other => panic!("{other:?}"),
    }
}

fn error(done: Result<Outcome, OrderError>) -> OrderError {
    done.unwrap_err()
}

#[test]
fn what_is_disabled_is_in_no_chain_and_tries_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(dir.path());
    let spec = spec("a");
    assert_eq!(error(catalogue.disable("a")), OrderError::Unknown);
    let before = swapped(offer(&catalogue, "passthrough", &spec));
    let era = catalogue.era();
    let outcome = catalogue.disable("a").unwrap();
    assert!(matches!(outcome.change, Change::Disabled));
    assert_eq!(outcome.before.map(|was| was.generation), Some(before.number()));
    assert!(catalogue.era() > era, "links that were given before are old");
    assert_eq!(error(catalogue.disable("a")), OrderError::AlreadyDisabled);
    assert!(catalogue.link("a").is_none() && catalogue.is_disabled("a") && catalogue.is_kept());
    assert!(status(&catalogue).disabled_ms.is_some());
    // Refused is refused, and taken is taken; neither serves anybody.
    assert!(matches!(offer(&catalogue, "future", &spec), Change::Refused(_)));
    swapped(offer(&catalogue, "stamp", &spec));
    assert!(catalogue.link("a").is_none());
    drop(catalogue);
    let catalogue = open(dir.path());
    swapped(offer(&catalogue, "stamp", &spec));
    assert!(catalogue.link("a").is_none(), "it is so after a restart");
    assert!(matches!(catalogue.enable("a").unwrap().change, Change::Enabled));
    assert_eq!(catalogue.link("a").unwrap().generation, 1);
    assert_eq!(error(catalogue.enable("a")), OrderError::NotDisabled);
    assert_eq!(status(&catalogue).disabled_ms, None);
}

#[test]
fn what_nobody_meets_is_not_on_trial_meanwhile() {
    let catalogue = in_memory();
    swapped(offer(&catalogue, "passthrough", &on_trial("a")));
    catalogue.disable("a").unwrap();
    assert!(!catalogue.is_kept(), "it ends with the process");
    assert!(matches!(offer(&catalogue, "stamp", &on_trial("a")), Change::Trying { .. }));
    let later = Instant::now() + Duration::from_mins(10);
    assert!(!catalogue.is_watching() && catalogue.watch(later).is_empty());
    catalogue.enable("a").unwrap();
    // It has met nobody so far: its whole time is before it.
    assert!(catalogue.is_watching() && catalogue.watch(Instant::now()).is_empty());
    assert!(status(&catalogue).rollout.unwrap().left_ms > 20_000);
}

#[test]
fn what_cannot_serve_cannot_be_enabled() {
    let catalogue = in_memory();
    assert!(matches!(offer(&catalogue, "future", &spec("a")), Change::Refused(_)));
    catalogue.disable("a").unwrap();
    assert_eq!(error(catalogue.enable("a")), OrderError::NothingServes);
    assert!(catalogue.is_disabled("a"));
    assert_eq!(error(catalogue.pin("a")), OrderError::NothingServes);
    assert_eq!(error(catalogue.roll_back("a", "x")), OrderError::NothingServes);
}

#[test]
fn a_canary_is_called_off_by_hand() {
    let catalogue = in_memory();
    let spec = on_trial("a");
    swapped(offer(&catalogue, "passthrough", &spec));
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Trying { .. }));
    assert_eq!(rolled_back(catalogue.roll_back("a", "an operator ordered it: too loud").unwrap()), (2, 1));
    assert!(catalogue.link("a").unwrap().terms.is_empty());
    let BindingState::Refused { reason } = state(&catalogue, "a") else { panic!() };
    assert!(reason.contains("an operator ordered it: too loud"), "{reason}");
    assert_eq!(status(&catalogue).refused.len(), 1);
    assert_eq!(error(catalogue.roll_back("a", "x")), OrderError::NothingBefore, "the first is all there is");
    // Another file may come; that one is not tried again until it is accepted.
    swapped(offer(
        &catalogue,
        "capabilities",
        &BindingSpec { rollout: RolloutPolicy::default(), ..spec.clone() },
    ));
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Refused(Refusal::TakenBackBefore(_))));
    assert!(matches!(catalogue.accept("a").unwrap().change, Change::Accepted(1)));
    assert_eq!(catalogue.take_wanted().len(), 1);
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Trying { .. }));
}

#[test]
fn what_served_before_serves_again_long_after_and_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(dir.path());
    let spec = spec("a");
    swapped(offer(&catalogue, "passthrough", &spec));
    assert_eq!(status(&catalogue).previous.map(|before| before.generation), None);
    let second = swapped(offer(&catalogue, "stamp", &spec));
    catalogue.watch(Instant::now() + Duration::from_mins(10));
    assert!(!catalogue.is_watching(), "its probation is over");
    assert_eq!(status(&catalogue).previous.unwrap().generation, Some(1));
    // A change of a budget is no version to go back to.
    let more = BindingSpec { on_failure: weir_core::OnFailure::Open, ..spec.clone() };
    swapped(offer(&catalogue, "stamp", &more));
    assert_eq!(status(&catalogue).previous.unwrap().generation, Some(1));
    drop((catalogue, second));

    // Of the process before, only the file of what serves now lies in the directory.
    let catalogue = open(dir.path());
    swapped(offer(&catalogue, "stamp", &more));
    let before = status(&catalogue).previous.unwrap();
    assert_eq!((before.generation, &*before.digest), (None, &*digest("passthrough")));
    assert_eq!(rolled_back(catalogue.roll_back("a", "an operator ordered it").unwrap()), (1, 2));
    assert_eq!(serves(&catalogue), digest("passthrough"));
    assert!(matches!(state(&catalogue, "a"), BindingState::Refused { .. }));
    assert_eq!(error(catalogue.roll_back("a", "x")), OrderError::NothingBefore);
    drop(catalogue);

    let catalogue = open(dir.path());
    let outcomes = catalogue.offer("a.wasm", &crate::guests::guest("stamp"), std::slice::from_ref(&more));
    assert!(
        matches!(&outcomes[..], [one, two] if matches!(&one.change, Change::Refused(Refusal::TakenBackBefore(_)))
            && matches!(&two.change, Change::Restored(_))),
        "{outcomes:?}"
    );
    assert_eq!(serves(&catalogue), digest("passthrough"));
    catalogue.accept("a").unwrap();
    swapped(offer(&catalogue, "stamp", &more));
    // What was gone back to is what served before again.
    assert_eq!(status(&catalogue).previous.unwrap().generation, Some(1));
}

#[test]
fn a_file_that_was_replaced_while_nothing_ran_is_gone_back_from_too() {
    let dir = tempfile::tempdir().unwrap();
    swapped(offer(&open(dir.path()), "passthrough", &spec("a")));
    let catalogue = open(dir.path());
    swapped(offer(&catalogue, "stamp", &spec("a")));
    catalogue.roll_back("a", "x").unwrap();
    assert_eq!(serves(&catalogue), digest("passthrough"));
    // Somebody has tidied up.
    std::fs::remove_dir_all(dir.path().join("modules")).unwrap();
    drop(catalogue);
    swapped(offer(&open(dir.path()), "capabilities", &spec("a")));
    let catalogue = open(dir.path());
    swapped(offer(&catalogue, "stamp", &BindingSpec { on_failure: weir_core::OnFailure::Open, ..spec("a") }));
    std::fs::remove_dir_all(dir.path().join("modules")).unwrap();
    assert_eq!(
        error(catalogue.roll_back("a", "x")),
        OrderError::Gone(digest("capabilities").into()),
        "nothing has changed"
    );
    assert_eq!(serves(&catalogue), digest("stamp"));
}

#[test]
fn what_is_pinned_serves_whatever_comes() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(dir.path());
    let spec = spec("a");
    swapped(offer(&catalogue, "passthrough", &spec));
    let Change::Pinned { serving, called_off: None } = catalogue.pin("a").unwrap().change else { panic!() };
    assert_eq!(serving.number(), 1);
    assert_eq!(error(catalogue.pin("a")), OrderError::AlreadyPinned);
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Refused(Refusal::Pinned { .. })));
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Unchanged));
    let BindingState::Waiting { reason } = state(&catalogue, "a") else { panic!() };
    assert!(reason.contains("weir plugin unpin"), "{reason}");
    let shown = status(&catalogue);
    assert_eq!(shown.offered.map(|offered| offered.to_string()), Some(digest("stamp")));
    assert_eq!(*shown.pin.unwrap().digest, *digest("passthrough"));
    assert_eq!(error(catalogue.accept("a")), OrderError::NothingRefused, "it waits, it was not refused");
    drop((catalogue, serving));
    // After a restart what is pinned is there, though its file is not.
    let catalogue = open(dir.path());
    assert!(matches!(offer(&catalogue, "stamp", &spec), Change::Refused(Refusal::Pinned { .. })));
    assert_eq!(serves(&catalogue), digest("passthrough"));
    // Its own file again is welcome, and other limits are.
    let more = BindingSpec { on_failure: weir_core::OnFailure::Open, ..spec.clone() };
    swapped(offer(&catalogue, "passthrough", &more));
    offer(&catalogue, "stamp", &more);
    assert!(matches!(catalogue.unpin("a").unwrap().change, Change::Unpinned));
    assert_eq!(error(catalogue.unpin("a")), OrderError::NotPinned);
    assert_eq!(catalogue.take_wanted().into_iter().collect::<Vec<_>>(), ["a.wasm".into()]);
    swapped(offer(&catalogue, "stamp", &more));
}

#[test]
fn what_is_pinned_is_not_watched_and_goes_back_by_hand_alone() {
    let catalogue = in_memory();
    swapped(offer(&catalogue, "passthrough", &spec("a")));
    let new = swapped(offer(&catalogue, "stamp", &spec("a")));
    assert!(matches!(offer(&catalogue, "remote", &on_trial("a")), Change::Trying { .. }));
    let Change::Pinned { serving, called_off: Some(canary) } = catalogue.pin("a").unwrap().change else {
        panic!()
    };
    assert_eq!((serving.number(), canary.number()), (2, 3));
    assert!(matches!(state(&catalogue, "a"), BindingState::Waiting { .. }));
    count(&new, 100, 100);
    assert!(!catalogue.is_watching());
    assert_eq!(rolled_back(catalogue.roll_back("a", "x").unwrap()), (2, 1));
    assert_eq!(*status(&catalogue).pin.unwrap().digest, *digest("passthrough"), "the pin goes with it");
    assert!(matches!(offer(&catalogue, "stamp", &spec("a")), Change::Refused(Refusal::Pinned { .. })));
    catalogue.unpin("a").unwrap();
    assert!(matches!(offer(&catalogue, "stamp", &spec("a")), Change::Refused(Refusal::TakenBackBefore(_))));
}

#[test]
fn orders_outlive_the_binding_and_what_serves_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(dir.path());
    swapped(offer(&catalogue, "passthrough", &spec("a")));
    swapped(offer(&catalogue, "stamp", &spec("a")));
    catalogue.disable("a").unwrap();
    assert!(matches!(catalogue.forget("a").unwrap().change, Change::Forgotten));
    assert!(catalogue.is_disabled("a"));
    assert_eq!(error(catalogue.enable("a")), OrderError::NothingServes, "it is known by what is remembered");
    swapped(offer(&catalogue, "stamp", &spec("a")));
    assert!(status(&catalogue).previous.is_none());
    assert!(catalogue.link("a").is_none());
}
