//! A plugin's own cases, run as a gateway does.

use crate::guests::{component, guest};
use crate::rig::{RUNTIME, spec, store};
use std::time::Duration;
use weir_plugin::{Cases, Refusal, embed_cases};

const TIME: Duration = Duration::from_mins(1);

fn outcomes(name: &str, cases: &str) -> Vec<(String, Option<String>)> {
    let outcomes = RUNTIME.test(&guest(name), &Cases::parse(cases).unwrap(), TIME).unwrap();
    outcomes.into_iter().map(|outcome| (outcome.name.into(), outcome.failed)).collect()
}

fn why(name: &str, cases: &str) -> String {
    let mut all = outcomes(name, cases);
    assert_eq!(all.len(), 1);
    all.remove(0).1.expect("it fails")
}

#[test]
fn what_is_expected_passes() {
    let all = outcomes(
        "stamp",
        "case marks\nconfig {\"mark\": \"m\", \"show\": \"color\"}\n= ok\nattribute color red\nopen\n= accept\n\
         > hello\n= forward hello<m0[red]\n< back\n= forward back>m0\n> hex:ff\n= forward hex:ff3c6d305b7265645d\nend 1000\n= done\n\
         case is refused\nconfig {\"mark\": \"refused\"}\n= refused: this mark\n\
         case says nothing of the answer\n> x\n",
    );
    assert_eq!(all.iter().filter_map(|(_, failed)| failed.clone()).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(all.len(), 3);
    let all = outcomes("endless", "case loops\n> x\n= fails deadline\n");
    assert_eq!(all[0].1, None);
}

#[test]
fn what_is_not_expected_is_told_with_both() {
    let told = why("stamp", "case a\n> hello\n= drop too-long\n");
    assert_eq!(told, "line 2, `> hello`: expected `drop too-long`, got `forward hello<0`");
    let told = why("capabilities", "case a\n> attr.set color red\n= forward ok\n");
    assert!(told.contains("expected `forward ok`, got `"), "{told}");
    assert!(why("panic", "case a\n> hello\n").contains("fails trap"));
    let told = why("stamp", "case a\nconfig {\"mark\": 5}\n> x\n");
    assert!(told.starts_with("its config: refused"), "{told}");
    let told = why("stamp", "case a\nconfig {\"mark\": \"refused\"}\n= ok\n");
    assert!(told.contains("expected `ok`, got `refused: this mark is not for use`"), "{told}");
}

#[test]
fn a_file_whose_own_case_fails_gets_no_traffic() {
    let with = |file: &[u8], cases: &str| embed_cases(file, cases).unwrap();
    for file in [guest("stamp"), component("stamp")] {
        assert!(RUNTIME.prepare(&with(&file, "case a\n> x\n= forward x<0\n"), &spec("a"), &store()).is_ok());
        let bad = with(&file, "case good\n> x\n= forward x<0\ncase bad\n> x\n= forward\n");
        let Err(Refusal::Cases(told)) = RUNTIME.prepare(&bad, &spec("a"), &store()) else { panic!() };
        assert_eq!(told, "case \"bad\", line 5, `> x`: expected `forward`, got `forward x<0`");
        let Err(Refusal::Cases(told)) = RUNTIME.prepare(&with(&file, "> x"), &spec("a"), &store()) else {
            panic!()
        };
        assert!(told.contains("begins with its name"), "{told}");
        assert_eq!(RUNTIME.inspect(&with(&file, "case a\ncase b\n")).unwrap().cases, 2);
    }
}

#[test]
fn what_a_case_leaves_behind_is_nobody_elses() {
    let file = embed_cases(
        &guest("capabilities"),
        "case sets\n> kv.set seen 1\ncase finds nothing\n> kv.get seen\n= forward -\n",
    )
    .unwrap();
    let store = store();
    RUNTIME.prepare(&file, &spec("a"), &store).unwrap();
    assert_eq!((store.kv().keys(), store.totals().calls), (0, 0));
}

#[test]
fn cases_that_take_too_long_end() {
    let text = format!("case long\n{}", "> x\n= fails deadline\n".repeat(1000));
    let cases = Cases::parse(&text).unwrap();
    let outcomes = RUNTIME.test(&guest("stamp"), &cases, Duration::ZERO).unwrap();
    assert!(outcomes[0].failed.as_ref().unwrap().contains("took too long"), "{outcomes:?}");
}
