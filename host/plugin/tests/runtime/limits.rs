//! Plugins that attack are stopped at their limits.

use crate::guests::guest;
use crate::rig::{Plugin, instance, logs, spec, store};
use cpu_time::ThreadTime;
use std::time::{Duration, Instant};
use weir_core::{Effect, FailureCause, Kind, SessionInfo, Transport, Verdict, Worn};
use weir_plugin::{BindingSpec, Budget, PluginLimits, Runtime, RuntimeOptions};

fn limits() -> PluginLimits {
    PluginLimits::default()
}

#[test]
fn an_endless_loop_ends_soon_after_its_deadline() {
    let mut plugin = instance("endless", limits());
    let mut rounds: Vec<_> = (0..21)
        .map(|_| {
            let (begun, clock) = (Instant::now(), ThreadTime::now());
            let failure = plugin.say("x").unwrap_err();
            let (used, passed) = (clock.elapsed(), begun.elapsed());
            assert_eq!(failure.cause, FailureCause::Deadline, "{failure:?}");
            assert!(passed + Duration::from_millis(1) > limits().deadline, "{passed:?}");
            plugin.renew();
            (used, passed)
        })
        .collect();
    rounds.sort();
    let ((median, _), (worst, passed)) = (rounds[10], rounds[20]);
    println!("deadline {:?}; loop stopped after {median:?} of the processor", limits().deadline);
    println!("at worst after {worst:?}, {passed:?} on the wall");
    // The median, because beside other tests the ticker itself may have to wait for a processor, and the loop runs on meanwhile.
    assert!(median < limits().deadline + Duration::from_millis(3), "{median:?}");
}

#[test]
fn every_kind_of_call_has_the_deadline() {
    // It looks at the clock all the time.
    let mut plugin = instance("endless", PluginLimits { host_calls: u32::MAX, ..limits() });
    let info = |path: &str| SessionInfo {
        id: crate::rig::SESSION,
        listener: "test".into(),
        transport: Transport::WebSocket,
        peer: "203.0.113.9:40112".into(),
        tls: None,
        request: vec![(":path".into(), path.into())],
    };
    // Slow, but in time.
    assert_eq!(plugin.instance.open(&info("2"), &mut plugin.call), Ok(Ok(())));
    let failure = plugin.instance.open(&info("1000"), &mut plugin.call).unwrap_err();
    assert_eq!(failure.cause, FailureCause::Deadline);
}

#[test]
fn a_memory_bomb_fails_a_thousand_times_and_nothing_grows() {
    let mut plugin = instance("memory_bomb", PluginLimits { deadline: Duration::from_secs(2), ..limits() });
    let mut first = 0;
    for round in 0..1000 {
        let failure = plugin.say("all").unwrap_err();
        assert_eq!(failure.cause, FailureCause::Memory, "{failure:?}");
        plugin.renew();
        if round == 50 {
            first = resident();
        }
    }
    let grown = resident().saturating_sub(first);
    println!("resident memory after 1,000 memory bombs: {} KiB more than after 50", grown / 1024);
    // Other tests run beside this one; leaking a single instance a round would be 16 GiB.
    assert!(grown < 256 << 20, "{grown} bytes");
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn an_instance_that_has_grown_is_worn() {
    let mut plugin = instance("memory_bomb", PluginLimits { deadline: Duration::from_secs(2), ..limits() });
    assert_eq!(plugin.instance.worn(), None);
    plugin.say("1000000").unwrap();
    assert_eq!(plugin.instance.worn(), None);
    plugin.say("11000000").unwrap();
    assert_eq!(plugin.instance.worn(), Some(Worn::Memory));
}

#[test]
fn recursion_ends_at_the_stack() {
    let mut plugin = instance("recursion", PluginLimits { deadline: Duration::from_secs(2), ..limits() });
    for _ in 0..100 {
        let failure = plugin.say("x").unwrap_err();
        // Either stack may end first: the engine's, or the guest's own in its memory.
        assert!(matches!(failure.cause, FailureCause::Stack | FailureCause::Trap), "{failure:?}");
        plugin.renew();
    }
    println!("recursion: {:?}", plugin.say("x").unwrap_err());
}

#[test]
fn a_panic_is_a_trap_whose_text_is_in_the_log_and_effects_are_void() {
    let mut plugin = instance("panic", limits());
    let mut failure = None;
    let log = logs(|| failure = Some(plugin.say("the sky is falling").unwrap_err()));
    let failure = failure.unwrap();
    assert_eq!(failure.cause, FailureCause::Trap);
    assert!(failure.detail.contains("unreachable"), "{failure:?}");
    let (_, frames) = failure.detail.split_once(" in ").expect("names of frames");
    // Its own function first, in plain words; the machinery of a panic is left out.
    assert!(
        !["core::", "std::", "__rust", "_ZN", "_R"].iter().any(|start| frames.starts_with(start)),
        "{frames}"
    );
    assert!(!frames.contains("_ZN"), "{frames}");
    assert!(log.contains("the sky is falling"), "{log}");
    assert!(log.contains("panic.rs"), "{log}");
    assert!(log.contains("weir::plugin"), "{log}");
    assert!(plugin.call.effects.is_empty());
    // The same instance is not entered again.
    assert_eq!(plugin.say("x").unwrap_err().cause, FailureCause::Trap);
}

#[test]
fn effects_before_a_trap_are_void() {
    let mut plugin = instance("capabilities", limits());
    assert_eq!(plugin.say("join room\npanic now").unwrap_err().cause, FailureCause::Trap);
    assert!(plugin.call.effects.is_empty());
}

fn lie(text: &str) -> Result<Verdict, FailureCause> {
    let mut plugin = instance(
        "liar",
        PluginLimits { deadline: Duration::from_secs(2), host_calls: 1_000_000, ..limits() },
    );
    plugin.say(text).map_err(|failure| {
        println!("{text}: {failure:?}");
        failure.cause
    })
}

#[test]
fn too_much_output_is_stopped() {
    let most = limits().max_output;
    assert!(lie(&format!("payload {most}")).is_ok());
    assert_eq!(lie(&format!("payload {}", most + 1)), Err(FailureCause::Output));
    assert_eq!(lie(&format!("send {}", most + 1)), Err(FailureCause::Output));
    assert_eq!(lie("payload 4000000"), Err(FailureCause::Output));
    assert_eq!(lie(&format!("random {}", most + 1)), Err(FailureCause::Output));
    assert!(lie("sends 64").is_ok());
    assert_eq!(lie("sends 65"), Err(FailureCause::Output));
    assert_eq!(lie("sends 1000000"), Err(FailureCause::Output));
}

#[test]
fn lengths_that_are_lies_cost_nothing() {
    let before = resident();
    for claim in ["claim 2000000000", "claim-send 2000000000", "claim-send 2147483647"] {
        let cause = lie(claim).unwrap_err();
        assert!(
            matches!(cause, FailureCause::Output | FailureCause::Trap | FailureCause::Answer),
            "{cause:?}"
        );
    }
    // Within the memory, beyond the output.
    assert!(lie("claim 700000").is_err());
    assert!(resident().saturating_sub(before) < 1 << 30);
}

#[test]
fn text_that_is_none_is_the_plugins_fault() {
    assert_eq!(lie("bad-utf8 3"), Err(FailureCause::Answer));
    assert_eq!(lie("bad-name 3"), Err(FailureCause::Answer));
    assert_eq!(lie("bad-log 3"), Err(FailureCause::Answer));
    // In a binary message it is not text.
    let mut plugin = instance("liar", limits());
    assert!(plugin.send(Kind::Binary, b"bad-utf8 3").is_ok());
}

#[test]
fn names_and_reasons_are_bounded() {
    assert!(lie("close 123").is_ok());
    assert_eq!(lie("close 124"), Err(FailureCause::Answer));
    assert_eq!(lie("target 257"), Err(FailureCause::Answer));
    assert_eq!(lie("target 0"), Err(FailureCause::Answer));
    let Ok(Verdict::Drop(reason)) = lie("drop 1000") else { panic!() };
    assert_eq!(reason.len(), 64);
    let Ok(Verdict::Drop(reason)) = lie("drop 0") else { panic!() };
    assert_eq!(&*reason, "unnamed");
    // A code that may not be sent becomes one that may.
    let Ok(Verdict::Close(end)) = lie("code 1006") else { panic!() };
    assert_eq!(end.code, 1008);
}

#[test]
fn effects_that_cannot_be_are_refused_and_counted_and_told_once() {
    for (text, count) in [
        ("reserved 1", 1),
        ("attribute 65", 1),
        ("value 1025", 1),
        ("group 257", 1),
        ("group 0", 1),
        ("timer 9", 1),
    ] {
        let mut plugin = instance("liar", limits());
        let log = logs(|| {
            plugin.say(text).unwrap();
            assert!(plugin.call.effects.is_empty(), "{text}");
            plugin.say(text).unwrap();
        });
        let refused = plugin.generation.stats()[0].refused_effects.value();
        assert_eq!(refused, 2 * count, "{text}");
        assert_eq!(log.lines().count(), 1, "{text}: {log}");
    }
    let mut plugin = instance("liar", limits());
    for fine in ["attribute 64", "value 1024", "group 256", "timer 10", "timer 0"] {
        plugin.say(fine).unwrap();
        assert_eq!(plugin.call.effects.len(), 1, "{fine}");
    }
    assert_eq!(plugin.call.effects, [Effect::Every { milliseconds: 0 }]);
}

#[test]
fn a_flood_of_lines_is_cut() {
    let limits = PluginLimits { deadline: Duration::from_secs(5), host_calls: 20_000, ..limits() };
    let mut plugin = instance("liar", limits);
    let log = logs(|| {
        plugin.say("logs 20000").unwrap();
    });
    let lines = log.lines().count();
    println!("of 20,000 lines {lines} were written");
    // A second may pass while it writes.
    assert!((100..=800).contains(&lines), "{lines}");
    assert!(plugin.generation.store().dropped_log_lines() >= 19_000);
}

#[test]
fn a_long_line_is_cut() {
    let mut plugin = instance("liar", limits());
    let log = logs(|| {
        plugin.say("log 100000").unwrap();
    });
    assert_eq!(log.matches('x').count(), 4096);
}

#[test]
fn lines_that_nobody_listens_to_cost_nothing() {
    let mut plugin = instance("liar", limits());
    plugin.say("logs 1000").unwrap();
    assert_eq!(plugin.generation.store().dropped_log_lines(), 0);
}

#[test]
fn calls_of_the_host_are_counted_and_bounded() {
    let mut plugin = instance("liar", PluginLimits { host_calls: 100, ..limits() });
    // One more than the calls of the lie: the plugin's own hook of panics is no call.
    plugin.say("metrics 100").unwrap();
    let failure = plugin.say("metrics 101").unwrap_err();
    assert_eq!(failure.cause, FailureCause::HostCalls);
    assert!(failure.detail.contains("max_host_calls raises"), "{failure:?}");
    assert_eq!(plugin.generation.store().budget_hits(Budget::HostCalls), 1);
    plugin.renew();
    plugin.say("metrics 100").unwrap();
}

#[test]
fn each_budget_that_is_met_is_counted_as_itself() {
    let met = |guest: &str, text: &str, limits: PluginLimits| {
        let mut plugin = instance(guest, PluginLimits { deadline: Duration::from_secs(2), ..limits });
        let _ = plugin.say(text);
        let hits = |budget: Budget| plugin.generation.store().budget_hits(budget);
        Budget::ALL.into_iter().filter(|budget| hits(*budget) > 0).collect::<Vec<_>>()
    };
    assert_eq!(met("memory_bomb", "x", limits()), [Budget::Memory]);
    assert_eq!(met("liar", "payload 300000", limits()), [Budget::Output]);
    assert_eq!(met("liar", "sends 65", limits()), [Budget::Effects]);
    assert_eq!(met("liar", "kv-fill 100", PluginLimits { kv_keys: 10, ..limits() }), [Budget::Kv]);
    assert_eq!(met("liar", "metrics 1", limits()), []);
}

#[test]
fn each_binding_has_its_own_stack() {
    // How deep a call got before it ended cannot be asked; that one stack is used up and another is not, can.
    let deep = |stack| {
        let mut plugin =
            instance("recursion", PluginLimits { stack, deadline: Duration::from_secs(2), ..limits() });
        plugin.say("x").unwrap_err().cause
    };
    assert_eq!(deep(64 << 10), FailureCause::Stack);
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let mut all = Vec::new();
    for stack in [64 << 10, 512 << 10, 1 << 20] {
        let spec = BindingSpec { limits: PluginLimits { stack, ..limits() }, ..spec("x") };
        let mut plugin = Plugin::new(runtime.prepare(&guest("passthrough"), &spec, &store()).unwrap());
        plugin.say("x").unwrap();
        all.push(plugin);
    }
    assert_eq!(runtime.compilations(), 1, "the code is the same");
}

#[test]
fn an_instance_is_renewed_after_so_many_calls() {
    let mut plugin = instance("passthrough", PluginLimits { renew_calls: 3, ..limits() });
    for _ in 0..2 {
        plugin.say("x").unwrap();
        assert_eq!(plugin.instance.worn(), None);
    }
    plugin.say("x").unwrap();
    assert_eq!(plugin.instance.worn(), Some(Worn::Calls));
}

#[test]
fn kv_is_bounded() {
    assert_eq!(lie("key 1025"), Err(FailureCause::Trap));
    assert!(lie("key 1024").is_ok());
    assert_eq!(lie("kv-value 65537"), Err(FailureCause::Trap));
    assert!(lie("kv-value 65536").is_ok());
    assert_eq!(lie("kv-fill 100000"), Err(FailureCause::Kv));
}

#[test]
fn metrics_are_bounded_and_a_wrong_one_fails_nothing() {
    let mut plugin = instance("liar", limits());
    let log = logs(|| {
        plugin.say("metrics 100").unwrap();
        plugin.say("metric 65").unwrap();
    });
    assert_eq!(plugin.generation.store().metrics().read().len(), 64);
    assert_eq!(plugin.generation.store().metrics().refused(), 37);
    assert_eq!(log.lines().count(), 1, "{log}");
}
