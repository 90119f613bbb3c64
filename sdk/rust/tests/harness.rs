//! The mock host keeps what the contract says about effects, time and what outlives an instance.

use std::panic::{AssertUnwindSafe, catch_unwind};
use weir_sdk::{
    Direction, Kind, Message, MessageId, Plugin, Registered, Rejection, Session, SessionId, Target, Verdict,
    attributes, clock, groups, kv, log, messaging, metrics, plugin, random,
    test::{Effect, Harness, session},
    timers,
};

/// Does what the text of a message says.
struct Puppet {
    closed: Vec<(SessionId, u16)>,
}

#[plugin(name = "puppet", version = "7", description = "Obeys", directions = [outbound, inbound])]
impl Plugin for Puppet {
    fn new((): ()) -> Result<Self, String> {
        timers::every(1_000);
        Ok(Self { closed: Vec::new() })
    }

    fn on_open(&mut self, session: &Session) -> Result<(), Rejection> {
        if session.header("X-Token") == Some("bad") {
            return Err(Rejection::new(4001, "token"));
        }
        groups::join(session.id, "all");
        Ok(())
    }

    fn on_message(&mut self, message: &Message) -> Verdict {
        let id = message.session;
        match message.text().unwrap_or_default() {
            "set" => {
                attributes::set(id, "colour", "red");
                assert_eq!(attributes::get(id, "colour").as_deref(), Some("red"), "the same call sees it");
                attributes::remove(id, "colour");
                assert_eq!(attributes::get(id, "colour"), None);
                attributes::set(id, "colour", "blue");
                Verdict::forward()
            }
            "send" => {
                messaging::send_text(Target::Echo, "one");
                messaging::send_binary(id, [2]);
                messaging::send_text(Target::group("all"), "three");
                Verdict::drop("sent")
            }
            "panic" => {
                groups::leave(id, "all");
                kv::set("before", "panic");
                panic!("as told");
            }
            "reserved" => {
                attributes::set(id, "weir.peer", "me");
                Verdict::forward()
            }
            "hold" => Verdict::hold(50),
            "hold for ever" => Verdict::hold(u32::MAX),
            "release" => {
                let first = MessageId { session: id, direction: Direction::Inbound, sequence: 1 };
                messaging::release(first, &Verdict::forward());
                Verdict::forward()
            }
            "hold on" => {
                let first = MessageId { session: id, direction: Direction::Inbound, sequence: 1 };
                messaging::release(first, &Verdict::hold(50));
                Verdict::forward()
            }
            "close" => Verdict::close(4000, "x".repeat(124)),
            "random" => {
                Verdict::forward_with([random::bytes(3), random::u64().to_le_bytes().to_vec()].concat())
            }
            "count" => Verdict::forward_with(kv::increment("n", 1).to_string()),
            _ => Verdict::forward(),
        }
    }

    fn on_close(&mut self, session: SessionId, end: &Rejection) {
        self.closed.push((session, end.code));
    }

    fn on_timer(&mut self) {
        log::warn!("tick at {}", clock::monotonic());
        metrics::count("ticks", 1);
        if clock::monotonic() > 3_000 {
            timers::stop();
        }
    }
}

fn puppet() -> Harness<Puppet> {
    Harness::new("")
}

#[test]
fn the_manifest_says_what_the_attribute_says() {
    let manifest = Puppet::manifest();
    assert_eq!((&*manifest.name, &*manifest.version, &*manifest.description), ("puppet", "7", "Obeys"));
    assert_eq!(manifest.directions, [Direction::Outbound, Direction::Inbound]);
    assert_eq!(manifest.config_schema, "");
}

#[test]
fn attributes_are_seen_at_once_and_set_afterwards() {
    let mut harness = puppet();
    let outcome = harness.message("set");
    assert_eq!(outcome.effects.len(), 3);
    assert_eq!(harness.host().attribute(1, "colour").as_deref(), Some("blue"));
    assert_eq!(harness.host().attribute(1, "weir.listener").as_deref(), Some("test"));
}

#[test]
fn effects_come_in_their_order() {
    let outcome = puppet().message("send");
    assert_eq!(outcome.effects[0].sent_text(), Some("one"));
    let second = Effect::Send { to: Target::Session(1), kind: Kind::Binary, payload: vec![2] };
    assert_eq!(outcome.effects[1], second);
    assert_eq!(outcome.effects[2].sent_text(), Some("three"));
}

#[test]
fn a_panic_discards_effects_but_not_what_acted_at_once() {
    let mut harness = puppet();
    assert!(harness.open(session(1)).accepted());
    assert!(catch_unwind(AssertUnwindSafe(|| harness.message("panic"))).is_err());
    assert_eq!(harness.host().members("all"), [1]);
    assert_eq!(harness.host().kv("before").as_deref(), Some(&b"panic"[..]));
    assert!(harness.message("after").effects.is_empty());
}

#[test]
fn a_rejected_session_is_gone() {
    let mut harness = puppet();
    let bad = Session { request: vec![("x-token".into(), "bad".into())], ..session(5) };
    assert_eq!(harness.open(&bad).returned, Err(Rejection::new(4001, "token")));
    assert!(harness.host().members("all").is_empty());
    assert!(harness.open(session(5)).accepted());
}

#[test]
fn a_closed_session_leaves_its_groups() {
    let mut harness = puppet();
    assert!(harness.open(session(5)).accepted());
    let _ = harness.close(5, 1000, "bye");
    assert!(harness.host().members("all").is_empty());
    assert_eq!(harness.plugin().closed, [(5, 1000)]);
}

#[test]
fn held_messages_are_released_or_expire() {
    let mut harness = puppet();
    assert_eq!(*harness.message("hold").verdict(), Verdict::hold(50));
    assert_eq!(harness.host().held().len(), 1);
    let _ = harness.message("release");
    assert!(harness.host().held().is_empty());
    let _ = harness.message("hold");
    harness.advance(49);
    assert_eq!(harness.host().held()[0].sequence, 3);
    harness.advance(1);
    assert!(harness.host().held().is_empty());
}

#[test]
fn a_release_can_hold_anew_and_an_hour_is_the_most() {
    let mut harness = puppet();
    let _ = harness.message("hold");
    harness.advance(40);
    let _ = harness.message("hold on");
    harness.advance(49);
    assert_eq!(harness.host().held().len(), 1);
    harness.advance(1);
    assert!(harness.host().held().is_empty());
    let _ = harness.message("hold for ever");
    harness.advance(3_599_999);
    assert_eq!(harness.host().held().len(), 1);
    harness.advance(1);
    assert!(harness.host().held().is_empty());
}

#[test]
fn the_timer_runs_on_the_clock_of_the_test() {
    let mut harness = puppet();
    let began = harness.host().now();
    assert_eq!(harness.host().timer(), Some(1_000));
    let ticks = harness.advance(10_000);
    assert_eq!(ticks.len(), 3, "the third one stops it");
    assert_eq!(ticks[0].logs[0].text, "tick at 1001");
    assert!((harness.host().counted("ticks") - 3.0).abs() < f64::EPSILON);
    assert_eq!(harness.host().now(), began + 10_000);
}

#[test]
fn a_reload_keeps_what_is_not_in_the_instance() {
    let mut harness = puppet();
    let _ = harness.message("set");
    assert_eq!(harness.message("count").new_text(), Some("1"));
    let _ = harness.close(1, 1000, "");
    harness.reload("").unwrap();
    assert!(harness.plugin().closed.is_empty());
    assert_eq!(harness.message("count").new_text(), Some("2"));
    let mut second = Harness::<Puppet>::with_host(harness.host().clone(), "").unwrap();
    assert_eq!(second.message("count").new_text(), Some("3"));
}

#[test]
fn randomness_repeats_with_its_seed() {
    let mut harness = puppet();
    let mut draw = |seed| {
        harness.host().seed_random(seed);
        harness.message("random").new_payload().unwrap().to_vec()
    };
    let (first, second, third) = (draw(1), draw(1), draw(2));
    assert_eq!(first.len(), 11);
    assert_eq!(first, second);
    assert_ne!(first, third);
}

#[test]
#[should_panic(expected = "the gateway's own")]
fn the_gateways_attributes_are_read_only() {
    let _ = puppet().message("reserved");
}

#[test]
#[should_panic(expected = "at most 123 bytes")]
fn a_reason_that_is_too_long_is_found() {
    let _ = puppet().message("close");
}

/// Asks for what only a call for a message or a session may.
struct Eager;

#[plugin]
impl Plugin for Eager {
    fn new((): ()) -> Result<Self, String> {
        groups::join(1, "all");
        Ok(Self)
    }

    fn on_message(&mut self, _: &Message) -> Verdict {
        Verdict::forward()
    }
}

#[test]
#[should_panic(expected = "timers::every is the only effect")]
fn an_effect_while_it_is_configured_is_found() {
    let _ = Harness::<Eager>::new("");
}

#[test]
#[should_panic(expected = "kv::get was called outside of a plugin's call")]
fn without_a_harness_there_is_no_host() {
    kv::get("key");
}
