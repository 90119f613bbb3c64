//! Clients that read slowly, and what their listener does about it.

use super::*;
use crate::{Counter, DropReason, Key, KeyOf, SlowConsumer};

/// What stands before the colon is what a message is about.
#[derive(Debug)]
struct BeforeColon;

impl KeyOf for BeforeColon {
    fn key(&self, payload: &[u8]) -> Option<Key> {
        let at = payload.iter().position(|byte| *byte == b':')?;
        Some(Key::new(payload[..at].iter().fold(7, |hash, byte| hash * 31 + u64::from(*byte))))
    }
}

/// A room, a client that does not read, and one that speaks.
fn room(transport: Transport, policy: SlowConsumer) -> (Bench, ConnId, ConnId) {
    let mut room = listener(transport, Route::Group("room".into()), Vec::new());
    room.join.push("room".into());
    room.limits.slow_consumer = policy;
    room.limits.idle_timeout = Duration::ZERO;
    room.conflate = Some(Arc::new(BeforeColon));
    let mut bench = Bench::new(vec![room]);
    let [slow, other] = [bench.open(0), bench.open(0)];
    (bench, slow, other)
}

fn dropped(bench: &Bench, reason: DropReason) -> u64 {
    let counter: &Counter = bench.stats.listeners[0].outbound.dropped.of(reason);
    counter.value()
}

#[test]
fn the_oldest_make_room_for_the_newest() {
    let (mut bench, slow, other) = room(Transport::Tcp, SlowConsumer::DropOldest);
    let line = |at: usize| format!("{at:094}");
    for at in 0..20 {
        bench.say(other, &line(at));
        bench.take(other);
    }
    assert_eq!(dropped(&bench, DropReason::QueueOldest), 11);
    assert_eq!(dropped(&bench, DropReason::QueueFull), 0);
    let expected: Vec<_> = (11..20).map(line).collect();
    assert_eq!(bench.take(slow), expected.join(" "));
    bench.wait(60_000);
    assert!(bench.is_read(slow), "the session stays");
}

#[test]
fn what_is_partly_written_or_in_hand_goes_out() {
    let (mut bench, slow, other) = room(Transport::Tcp, SlowConsumer::DropOldest);
    let line = |at: usize| format!("{at:094}");
    for at in 0..5 {
        bench.say(other, &line(at));
        bench.take(other);
    }
    bench.worker.written(slow, Lane::ONLY, 10);
    bench.worker.in_hand(slow, Lane::ONLY, 100);
    for at in 5..20 {
        bench.say(other, &line(at));
        bench.take(other);
    }
    let got = bench.take(slow);
    assert!(got.starts_with(&format!("{} {} ", &line(0)[10..], line(1))), "{got}");
    assert!(got.ends_with(&line(19)));
    let stats = &bench.stats.listeners[0].outbound;
    // What the other one read too.
    assert_eq!(stats.delivered.value() - 20 + dropped(&bench, DropReason::QueueOldest), 20);
}

#[test]
fn a_message_that_does_not_fit_throws_nothing_away() {
    let (mut bench, slow, other) = room(Transport::Tcp, SlowConsumer::DropOldest);
    bench.say(other, "first");
    bench.say(other, &"x".repeat(5_000));
    assert_eq!(dropped(&bench, DropReason::QueueFull), 2, "it waits for neither");
    assert_eq!(bench.take(slow), "first");
    bench.say(other, &"x".repeat(5_000));
    assert_eq!(bench.take(slow).len(), 5_000, "when nothing else waits, it does");
}

#[test]
fn what_cannot_be_framed_after_all_leaves_nobody_waiting() {
    // A client that is not read because of its echoes, and a message that throws them out and is no line.
    let plugin = Plugin::new("break", |message, _| {
        Ok(if message.payload.starts_with(b"break") {
            change(&[b"y".repeat(990), b"\n".to_vec()].concat())
        } else {
            pass()
        })
    });
    let mut room = listener(Transport::Tcp, Route::Echo, vec![plugin.outbound().link(0)]);
    room.join.push("room".into());
    room.limits.slow_consumer = SlowConsumer::DropOldest;
    let speak = Plugin::new("speak", |_, call| {
        call.effects.push(send(crate::Target::Group("room".into()), "break"));
        Ok(pass())
    });
    let second = listener(Transport::Tcp, Route::Drop, vec![speak.link(1)]);
    let mut bench = Bench::new(vec![room, second]);
    let (slow, other) = (bench.open(0), bench.open(1));
    while bench.say(slow, &"x".repeat(99)) == Flow::Continue {}
    bench.say(other, "go");
    assert_eq!(dropped(&bench, DropReason::Unframeable), 1);
    assert!(bench.is_read(slow));
}

#[test]
fn the_newest_about_a_thing_takes_the_place_of_the_older() {
    for transport in [Transport::Tcp, Transport::WebSocket] {
        let (mut bench, slow, other) = room(transport, SlowConsumer::Conflate);
        for text in ["a:1", "b:1", "plain", "a:22", "plain", "b:333", "c:1", "a:4"] {
            bench.say(other, text);
        }
        assert_eq!(dropped(&bench, DropReason::Conflated), 2 * 3);
        let got = bench.take(slow);
        let order: Vec<_> = ["a:4", "b:333", "plain", "plain", "c:1"].map(|text| got.find(text)).into();
        assert!(order.iter().all(Option::is_some) && order[0] < order[1] && order[1] < order[2], "{got}");
        assert!(order[3] < order[4], "{got}");
        bench.take(other);
        bench.say(other, "a:5");
        assert!(bench.take(slow).contains("a:5"), "what was written is not replaced");
        assert_eq!(dropped(&bench, DropReason::Conflated), 2 * 3);
    }
}

#[test]
fn a_queue_that_conflates_is_bounded_too() {
    let (mut bench, slow, other) = room(Transport::Tcp, SlowConsumer::Conflate);
    for at in 0..2_000 {
        bench.say(other, &format!("{}:{}", at % 300, "x".repeat(at % 60)));
        bench.take(other);
        assert!(bench.worker.queue(slow).unwrap().bytes() <= 1_000);
    }
    assert!(dropped(&bench, DropReason::QueueFull) > 0 && dropped(&bench, DropReason::Conflated) > 0);
    bench.wait(60_000);
    assert!(bench.is_read(slow));
}

#[test]
fn an_upstream_that_repeats_itself_is_conflated_before_it_is_held_back() {
    let mut feed = listener(Transport::Tcp, Route::Cluster(crate::ClusterId(0)), Vec::new());
    feed.limits.slow_consumer = SlowConsumer::Conflate;
    feed.conflate = Some(Arc::new(BeforeColon));
    let mut bench = Bench::new(vec![feed]);
    let id = bench.open(0);
    let [upstream] = bench.connect()[..] else { panic!("one upstream") };
    for at in 0..1_000 {
        assert_eq!(bench.say(upstream, &format!("price:{at}")), Flow::Continue);
    }
    assert_eq!(bench.take(id), "price:999");
    // About so many things that the queue fills: then it is held back, and nothing is lost.
    let mut said = 0;
    while bench.say(upstream, &format!("{said}:{}", "x".repeat(50))) == Flow::Continue {
        said += 1;
    }
    assert!(!bench.is_read(upstream));
    assert_eq!(dropped(&bench, DropReason::QueueFull), 0);
}

#[test]
fn pause_holds_back_who_can_be_and_nobody_else() {
    let (mut bench, slow, other) = room(Transport::Tcp, SlowConsumer::Pause);
    for _ in 0..20 {
        assert_eq!(bench.say(other, &"x".repeat(94)), Flow::Continue);
        bench.take(other);
    }
    assert_eq!(dropped(&bench, DropReason::QueueFull), 11);
    bench.wait(600_000);
    assert!(bench.is_read(slow) && bench.is_read(other));
}

#[test]
fn a_reload_from_conflating_to_another_policy_finds_its_way_in_the_same_queue() {
    let (mut bench, slow, other) = room(Transport::Tcp, SlowConsumer::Conflate);
    let say = |bench: &mut Bench, text: &str| {
        bench.say(other, text);
        bench.take(other);
    };
    for at in 0..8 {
        say(&mut bench, &format!("{at}:{}", "x".repeat(92)));
    }
    bench.reload(|snapshot| snapshot.listeners[0].limits.slow_consumer = SlowConsumer::DropOldest);
    for at in 0..4 {
        say(&mut bench, &format!("{at}:{}", "y".repeat(92)));
    }
    bench.reload(|snapshot| snapshot.listeners[0].limits.slow_consumer = SlowConsumer::Conflate);
    say(&mut bench, "7:new");
    say(&mut bench, "7:newer");
    let got = bench.take(slow);
    // What came in between was not compared with it: it does not overtake that.
    assert!(got.contains("7:xxx") && got.ends_with("7:newer") && !got.contains("7:new "), "{got}");
    assert_eq!((dropped(&bench, DropReason::QueueOldest), dropped(&bench, DropReason::Conflated)), (3, 1));
}
