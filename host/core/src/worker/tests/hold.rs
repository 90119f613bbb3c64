//! Messages that are held: released, expired, overtaken by nothing.

use super::*;
use crate::{CloseReason, DropReason, Target};

/// Holds what begins with `h`; `r` releases the message whose number follows, `d` drops it, `H` holds it anew.
fn holder() -> Plugin {
    Plugin::new("holder", |message, call| {
        let words = std::str::from_utf8(&message.payload).unwrap();
        let number = words.get(1..).and_then(|number| number.parse().ok());
        let mut release = |direction, sequence, verdict| {
            call.effects.push(Effect::Release { session: message.session, direction, sequence, verdict });
        };
        match (words.as_bytes()[0], number) {
            (b'h', _) => return Ok(Verdict::Hold(1000)),
            (b'r', Some(sequence)) => release(Direction::Outbound, sequence, pass()),
            (b'd', Some(sequence)) => release(Direction::Outbound, sequence, Verdict::Drop("no".into())),
            (b'H', Some(sequence)) => release(Direction::Outbound, sequence, Verdict::Hold(5000)),
            (b'R', Some(sequence)) => {
                release(Direction::Outbound, sequence, pass());
                release(Direction::Outbound, sequence, pass());
            }
            _ => return Ok(pass()),
        }
        Ok(Verdict::Drop("an order".into()))
    })
}

/// A listener whose holder sees what is sent, and the orders of the clients, which go to everybody.
fn group(holder: Plugin) -> Bench {
    let mut policy = listener(Transport::Tcp, Route::Group("room".into()), vec![holder.both().link(0)]);
    policy.join.push("room".into());
    Bench::new(vec![policy])
}

fn say_all(bench: &mut Bench, id: ConnId, words: &[&str]) {
    for word in words {
        bench.say(id, word);
    }
}

#[test]
fn inbound_reading_stands_still_until_the_release() {
    let plugin = Plugin::new("holder", |message, call| {
        let session = SessionId::from_raw(message.session.raw() - 1);
        match &*message.payload {
            b"hold" => return Ok(Verdict::Hold(1000)),
            b"release" => call.effects.push(Effect::Release {
                session,
                direction: Direction::Inbound,
                sequence: 2,
                verdict: change(b"held"),
            }),
            _ => {}
        }
        Ok(pass())
    });
    let mut bench = echo(vec![plugin.link(0), Plugin::mark("!").link(1)]);
    let [id, other] = [bench.open(0), bench.open(0)];
    assert_eq!(bench.say(id, "1"), Flow::Continue);
    assert_eq!(bench.say(id, "hold"), Flow::Pause);
    assert!(!bench.is_read(id));
    // Its driver ought not to, but nothing overtakes.
    bench.say(id, "3");
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 2);
    assert_eq!(bench.take(id), "1!");
    bench.say(other, "release");
    assert_eq!(bench.take(id), "held! 3!");
    assert!(bench.is_read(id));
}

#[test]
fn outbound_what_follows_waits_behind_it_in_order() {
    let mut bench = group(holder());
    let id = bench.open(0);
    say_all(&mut bench, id, &["a"]);
    bench.reload(|snapshot| {
        snapshot.listeners[0].chain = Chain::new(vec![holder().outbound().link(0)]);
    });
    say_all(&mut bench, id, &["h2", "b", "c"]);
    assert_eq!(bench.take(id), "a");
    assert_eq!(bench.stats.listeners[0].outbound_held.value(), 3);
    bench.wait(1000);
    // Its time was over: dropped, as `on_failure` is `closed`. The others go on.
    assert_eq!(bench.take(id), "b c");
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::HoldExpired).value(), 1);
    assert_eq!(bench.stats.listeners[0].outbound_held.value(), 0);
}

/// A session whose outbound messages come from another one, which is not held.
fn pair() -> (Bench, ConnId, ConnId) {
    let held = {
        let mut policy = listener(Transport::Tcp, Route::Drop, vec![holder().both().link(0)]);
        policy.join.push("room".into());
        policy
    };
    let mut bench = Bench::new(vec![held, listener(Transport::Tcp, Route::Group("room".into()), Vec::new())]);
    let (id, sender) = (bench.open(0), bench.open(1));
    (bench, id, sender)
}

#[test]
fn a_release_names_its_message_and_no_other() {
    let (mut bench, id, sender) = pair();
    say_all(&mut bench, sender, &["h1", "h2", "x"]);
    bench.say(id, "r2");
    assert_eq!(bench.take(id), "", "the second was not seen yet");
    // The same twice: the second time it is the next message that stands there.
    bench.say(id, "R1");
    assert_eq!(bench.take(id), "h1");
    bench.say(id, "d2");
    assert_eq!(bench.take(id), "x");
    let link = &bench.snapshot.bindings[0];
    assert_eq!(link.stats[0].refused_effects.value(), 2);
}

#[test]
fn a_message_can_be_held_anew() {
    let (mut bench, id, sender) = pair();
    say_all(&mut bench, sender, &["h1", "x"]);
    bench.say(id, "H1");
    bench.wait(4000);
    assert_eq!(bench.take(id), "");
    bench.say(id, "r1");
    assert_eq!(bench.take(id), "h1 x");
}

#[test]
fn on_failure_says_what_becomes_of_a_message_whose_time_is_over() {
    for (on_failure, received, ended) in [
        (OnFailure::Closed, "b", None),
        (OnFailure::Open, "h! b!", None),
        (OnFailure::Close, "", Some((CloseReason::PluginFailed, 1011))),
    ] {
        for inbound in [true, false] {
            let links = |bind: fn(Plugin) -> Plugin| {
                vec![bind(holder()).on_failure(on_failure).link(0), bind(Plugin::mark("!")).link(1)]
            };
            // Outbound the chain is met in reverse.
            let mut bench = echo(if inbound {
                links(|plugin| plugin)
            } else {
                let mut links = links(Plugin::outbound);
                links.reverse();
                links
            });
            let id = bench.open(0);
            bench.say(id, "h");
            bench.say(id, "b");
            bench.wait(999);
            assert_eq!(bench.take(id), "");
            bench.wait(11);
            let received = if on_failure == OnFailure::Closed { "b!" } else { received };
            assert_eq!(bench.take(id), received, "{on_failure:?}, inbound {inbound}");
            bench.worker.peer_ended(id, None);
            assert_eq!(bench.end(id), ended.or(Some((CloseReason::Client, 1000))));
        }
    }
}

#[test]
fn nothing_that_is_sent_while_a_line_is_worked_off_overtakes_it() {
    // What is released leads to a send to the same session, while others are still in line.
    let herald = Plugin::new("herald", |message, call| {
        if message.payload.starts_with(b"h") {
            call.effects.push(send(Target::Session(message.session), "sent"));
        }
        Ok(pass())
    });
    let (mut bench, id, sender) = pair();
    bench.reload(|snapshot| {
        snapshot.listeners[0].chain = Chain::new(vec![herald.outbound().link(1), holder().both().link(0)]);
    });
    say_all(&mut bench, sender, &["h1", "x", "y"]);
    bench.say(id, "r1");
    assert_eq!(bench.take(id), "h1 x y sent");
}

#[test]
fn a_message_that_was_held_meets_every_link_of_a_changed_chain_once() {
    for (after, received) in [
        (vec!["hold", "a", "b"], "h1ba"),
        (vec!["a", "b"], "h1ba"),
        // The order changed while it was held: `b`, which it has met, now stands behind.
        (vec!["b", "hold", "a"], "h1ba"),
        (vec!["a", "b", "hold", "new"], "h1bnewa"),
        (vec![], "h1b"),
    ] {
        let link = |name: &'static str| match name {
            "hold" => holder().outbound().link(0),
            "a" => Plugin::mark("a").outbound().link(1),
            "b" => Plugin::mark("b").outbound().link(2),
            _ => Plugin::mark("new").outbound().link(3),
        };
        let mut bench = echo(["a", "hold", "b"].map(link).into());
        bench.reload(|snapshot| {
            snapshot.listeners[0].chain = Chain::new(
                ["a", "hold", "b"].map(|name| Link { on_failure: OnFailure::Open, ..link(name) }).into(),
            );
        });
        let id = bench.open(0);
        bench.say(id, "h1");
        assert_eq!(bench.take(id), "", "held");
        bench.reload(|snapshot| {
            snapshot.listeners[0].chain = Chain::new(after.iter().map(|name| link(name)).collect());
        });
        bench.wait(1010);
        assert_eq!(bench.take(id), received, "{after:?}");
    }
}

#[test]
fn two_held_messages_of_one_call_both_stay() {
    // The plugin sends one message, which it then holds, and holds the message in hand too.
    let plugin = Plugin::new("holder", |message, call| {
        if &*message.payload == b"two" {
            call.effects.push(send(Target::Echo, "one"));
        }
        Ok(Verdict::Hold(1000))
    });
    let mut bench = echo(vec![plugin.outbound().on_failure(OnFailure::Open).link(0)]);
    let id = bench.open(0);
    bench.say(id, "two");
    assert_eq!(bench.stats.listeners[0].outbound_held.value(), 2);
    bench.wait(2000);
    bench.wait(2000);
    assert_eq!(bench.take(id), "two one");
}

#[test]
fn what_is_held_is_dropped_and_counted_when_the_session_ends() {
    let mut bench = group(holder().on_failure(OnFailure::Open));
    let id = bench.open(0);
    bench.reload(|snapshot| {
        snapshot.listeners[0].chain = Chain::new(vec![holder().outbound().link(0)]);
    });
    say_all(&mut bench, id, &["h", "x", "y"]);
    bench.worker.lost(id);
    bench.worker.check_invariants();
    let stats = &bench.stats.listeners[0];
    assert_eq!(stats.outbound.dropped.of(DropReason::SessionEnded).value(), 3);
    assert_eq!(stats.outbound_held.value(), 0);
}

#[test]
fn a_line_is_bounded_like_a_queue() {
    let (mut bench, id, sender) = pair();
    bench.say(sender, "h1");
    for _ in 0..2000 {
        bench.say(sender, "");
    }
    let stats = &bench.stats.listeners[0];
    assert!(stats.outbound_held.value() < 20, "messages without bytes are bounded too");
    assert!(stats.outbound.dropped.of(DropReason::QueueFull).value() > 1980);
    bench.worker.lost(id);
}

#[test]
fn a_binding_holds_no_more_than_it_may() {
    for (on_failure, received) in [(OnFailure::Open, "h2"), (OnFailure::Closed, "")] {
        // Two sessions: each is held back by its own message.
        let mut link = holder().on_failure(on_failure).link(0);
        link.max_held = 2 + size_of::<crate::conn::Waiting>();
        let stats = link.stats.clone();
        let mut bench = echo(vec![link]);
        let (first, second) = (bench.open(0), bench.open(0));
        bench.say(first, "h1");
        assert_eq!(bench.stats.listeners[0].inbound.held.value(), 1);
        bench.say(second, "h2");
        assert_eq!(bench.take(second), received);
        assert_eq!(stats[0].failure(FailureCause::Held).value(), 1);
        assert_eq!(bench.stats.listeners[0].inbound.held.value(), 1, "the first is held as before");
        // What it lets go makes room.
        bench.worker.lost(first);
        bench.worker.check_invariants();
        bench.say(second, "h3");
        assert_eq!(bench.stats.listeners[0].inbound.held.value(), 1);
    }
}
