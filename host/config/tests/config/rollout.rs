//! How new versions of plugins take over.

use crate::{errors, good};
use std::time::Duration;
use weir_config::{Cache, Pin, Rollback, Rollout};

#[test]
fn a_binding_says_its_own_and_takes_the_rest_of_the_defaults() {
    let config = good(
        "[plugins]\nstate = \"off\"\n[plugins.defaults]\nrollout = { canary = \"5%\", for = \"30s\" }\npin = \"session\"\n\
         [plugins.defaults.rollback]\nlooks = 7\n\
         [[plugin]]\nmodule = \"a.wasm\"\n\
         [[plugin]]\nmodule = \"b.wasm\"\nrollout = \"all\"\npin = \"off\"\npin_drain = \"1m\"\n\
         rollback = { window = \"0s\", drop_difference = 0.5 }\n",
    );
    assert_eq!(config.plugins.state, Cache::Off);
    let [a, b] = &config.bindings[..] else { panic!() };
    let canary = Rollout::Canary { share: 0.05, window: Duration::from_secs(30) };
    assert_eq!(a.settings.rollout, canary);
    assert_eq!(a.settings.pin, Pin { sessions: true, drain: Duration::from_mins(10) });
    assert_eq!(a.settings.rollback, Rollback { looks: 7, ..Rollback::default() });
    assert_eq!((b.settings.rollout, b.settings.pin.sessions), (Rollout::All, false));
    let expected = Rollback { window: Duration::ZERO, drop_difference: 0.5, looks: 7, ..Rollback::default() };
    assert_eq!((b.settings.rollback, b.settings.pin.drain), (expected, Duration::from_mins(1)));
}

#[test]
fn what_is_no_rollout_is_told() {
    let needs = "`rollout` must be \"all\" or a table such as { canary = \"5%\", for = \"30s\" }";
    let percent = "where `canary` is a percentage above 0% and below 100%, such as \"5%\"";
    for (written, told) in [
        ("\"some\"", ", not \"some\"".to_owned()),
        ("{ canary = \"5%\" }", ", not a table".to_owned()),
        ("{ canary = \"5%\", for = \"1s\", till = 1 }", ", not a table with `till`".to_owned()),
        ("{ canary = \"5\", for = \"1s\" }", format!(", {percent}, not \"5\"")),
        ("{ canary = \"100%\", for = \"1s\" }", format!(", {percent}, not \"100%\"")),
        ("{ canary = \"NaN%\", for = \"1s\" }", format!(", {percent}, not \"NaN%\"")),
        ("{ canary = \"5%\", for = \"0s\" }", ", where `for` is at most a day, not \"0s\"".to_owned()),
    ] {
        let found = errors(&format!("[plugins.defaults]\nrollout = {written}\n"));
        assert_eq!(found, format!("weir.toml:2:11: {needs}{told}"), "{written}");
    }
    let found =
        errors("[plugins.defaults]\npin = \"forever\"\npin_drain = \"1ms\"\nrollback = { looks = 0 }\n");
    assert!(found.contains("`pin` cannot be \"forever\""), "{found}");
    assert!(found.contains("`pin_drain` must be from 1s to 1day, not 1ms"), "{found}");
    assert!(found.contains("`looks` must be from 1 to 1000, not 0"), "{found}");
}
