//! Several messages in one call: the same as one by one, or an error of the plugin.

use crate::rig::{Plugin, RUNTIME, SESSION, instance, logs, message, prepare, spec, store};
use std::path::Path;
use weir_core::{Failure, FailureCause, Kind, Message, Program as _, Verdict};
use weir_plugin::PluginLimits;

impl Plugin {
    /// Text messages, numbered from 1, in one call.
    fn together(&mut self, texts: &[&str]) -> Result<Vec<Verdict>, Failure> {
        let messages: Vec<_> = (1..).zip(texts).map(|(sequence, text)| numbered(sequence, text)).collect();
        let mut verdicts = Vec::new();
        self.instance.messages(&messages, &mut self.call, &mut verdicts)?;
        Ok(verdicts)
    }

    /// The same, one by one.
    fn alone(&mut self, texts: &[&str]) -> Result<Vec<Verdict>, Failure> {
        (1..)
            .zip(texts)
            .map(|(sequence, text)| {
                self.call.session = Some((SESSION, std::sync::Arc::default()));
                self.instance.message(&numbered(sequence, text), &mut self.call)
            })
            .collect()
    }
}

fn numbered(sequence: u64, text: &str) -> Message<'_> {
    Message { sequence, ..message(Kind::Text, text.as_bytes()) }
}

fn batch() -> Plugin {
    instance("batch", PluginLimits::default())
}

#[test]
fn several_are_answered_as_one_by_one() {
    let words = [
        "pass",
        "",
        "reply",
        "reply new payload",
        "number",
        "drop spam",
        "drop",
        "close no more",
        "close",
        "cluster alpha",
        "group room",
        "session",
        "echo",
        "count things",
        "pass ünïcödé",
    ];
    let (mut alone, mut together) = (batch(), batch());
    let mut seed = 7_usize;
    for round in 0..300 {
        let texts: Vec<&str> = (0..=round % 64)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                words[(seed >> 33) % words.len()]
            })
            .collect();
        assert_eq!(together.together(&texts), alone.alone(&texts), "{texts:?}");
        assert!(together.call.effects.is_empty());
    }
}

#[test]
fn an_answer_that_waits_somewhere_keeps_only_itself() {
    for verdict in batch().together(&["reply one", "reply two", "cluster alpha"]).unwrap() {
        let Verdict::Forward(forwarding) = verdict else { panic!("{verdict:?}") };
        assert!(forwarding.payload.is_none_or(|payload| payload.is_unique()));
    }
}

#[test]
fn a_drop_is_counted_when_it_is_needed() {
    let mut plugin = batch();
    let verdicts = plugin.together(&["drop spam", "drop spam", "drop eel"]).unwrap();
    let read = |plugin: &Plugin| plugin.generation.store().drop_reasons().read();
    assert!(read(&plugin).is_empty());
    let Verdict::Drop(reason) = &verdicts[0] else { panic!("{verdicts:?}") };
    plugin.instance.dropped(reason);
    assert_eq!(read(&plugin), [("spam".into(), 1)]);
}

#[test]
fn lies_are_errors_of_the_plugin() {
    for lie in
        ["lie-short", "lie-long", "lie-tag", "lie-target", "lie-length", "lie-utf8", "lie-name", "garbage"]
    {
        for texts in [&[lie, "pass"][..], &["pass", lie], &["reply x", lie, "drop y"]] {
            let mut plugin = batch();
            let failure = plugin.together(texts).unwrap_err();
            assert_eq!(failure.cause, FailureCause::Answer, "{lie}: {failure:?}");
            assert!(plugin.generation.store().drop_reasons().read().is_empty());
            // The instance is not entered again.
            assert_eq!(plugin.together(&["pass", "pass"]).unwrap_err().cause, FailureCause::Trap);
        }
    }
    // More than one crossing may make the host allocate.
    assert_eq!(batch().together(&["pass", "lie-much"]).unwrap_err().cause, FailureCause::Output);
    // What does not fit is asked for alone, and says so there.
    let long = "x".repeat(200);
    let close = format!("close {long}");
    assert_eq!(batch().together(&["pass", &close]).unwrap_err().cause, FailureCause::Answer);
    assert_eq!(batch().alone(&[&close]).unwrap_err().cause, FailureCause::Answer);
}

#[test]
fn the_deadline_is_that_of_one_call() {
    let failure = batch().together(&["pass", "loop", "pass"]).unwrap_err();
    assert_eq!(failure.cause, FailureCause::Deadline, "{failure:?}");
}

#[test]
fn what_a_call_wrote_and_measured_is_forgotten_when_it_fails() {
    let measured = |plugin: &Plugin| {
        plugin
            .generation
            .store()
            .metrics()
            .read()
            .iter()
            .map(|reading| format!("{reading:?}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let mut plugin = batch();
    let lines = logs(|| {
        let failure = plugin.together(&["log hello", "count things", "trap"]).unwrap_err();
        assert_eq!(failure.cause, FailureCause::Trap);
    });
    assert!(!lines.contains("hello") && measured(&plugin).is_empty(), "{lines}");
    plugin.renew();
    let lines = logs(|| drop(plugin.together(&["log hello", "count things", "log bye"]).unwrap()));
    assert!(lines.find("hello") < lines.find("bye") && lines.contains("bye"), "{lines}");
    assert!(measured(&plugin).contains("things"));
    // Nor may waiting lines take memory without end.
    let lines =
        logs(|| assert_eq!(plugin.together(&["pass", "logs x"]).unwrap_err().cause, FailureCause::Output));
    assert!(lines.is_empty(), "{lines}");
}

#[test]
fn only_plugins_of_which_nothing_can_stay_take_several() {
    assert!(prepare("batch", &spec("batch")).unwrap().takes_several());
    // It does not export it.
    assert!(!prepare("passthrough", &spec("passthrough")).unwrap().takes_several());
    assert!(!prepare("capabilities", &spec("capabilities")).unwrap().takes_several());
}

#[test]
fn a_plugin_of_the_contract_before_serves_on() {
    for name in ["passthrough", "stamp"] {
        let file = format!("../../tests/fixtures/{name}-without-batch.wasm");
        let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("it is kept");
        let seen = RUNTIME.inspect(&bytes).unwrap();
        assert!(!seen.batch && seen.contract == "0.1.0" && seen.manifest.name.ends_with(name), "{seen:?}");
        let generation = RUNTIME.prepare(&bytes, &spec(name), &store()).unwrap();
        assert!(!generation.takes_several());
        assert!(matches!(Plugin::new(generation).say("x"), Ok(Verdict::Forward(_))));
    }
}
