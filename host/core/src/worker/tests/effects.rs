//! What plugins ask for: in order, before the message in hand, bounded.

use super::*;
use crate::{DropReason, MAX_HOPS, Target};

fn room() -> Target {
    Target::Group("room".into())
}

#[test]
fn sends_come_before_the_message_in_hand_in_their_order() {
    let plugin = Plugin::new("herald", |_, call| {
        call.effects.push(send(Target::Echo, "one"));
        call.effects.push(send(Target::Echo, "two"));
        Ok(pass())
    });
    let mut bench = echo(vec![plugin.link(0), Plugin::mark("!").link(1)]);
    let id = bench.open(0);
    bench.say(id, "three");
    assert_eq!(bench.take(id), "one two three!");
}

#[test]
fn who_joins_after_a_send_does_not_receive_it() {
    let plugin = Plugin::new("host", |message, call| {
        let (session, group) = (message.session, "room".into());
        call.effects.push(send(room(), "somebody comes"));
        call.effects.push(Effect::Join { session, group });
        call.effects.push(send(room(), "welcome"));
        Ok(Verdict::Drop("done".into()))
    });
    let mut bench = echo(vec![plugin.link(0)]);
    let [first, second] = [bench.open(0), bench.open(0)];
    bench.say(first, "x");
    bench.say(second, "x");
    assert_eq!(bench.take(first), "welcome somebody comes welcome");
    assert_eq!(bench.take(second), "welcome");
    assert_eq!(bench.stats.sends.dropped.of(DropReason::EmptyGroup).value(), 1);
    bench.worker.lost(first);
    bench.worker.lost(second);
    assert_eq!(bench.directory.group_count(), 0);
}

#[test]
fn plugins_that_answer_plugins_come_to_an_end() {
    let plugin = Plugin::new("parrot", |message, call| {
        call.effects.push(send(Target::Echo, std::str::from_utf8(&message.payload).unwrap()));
        Ok(pass())
    });
    let mut bench = echo(vec![plugin.both().link(0)]);
    let id = bench.open(0);
    bench.say(id, "x");
    // The echo answers itself so often, and so does what was sent inbound; each chain of sends ends at the limit.
    let hops = usize::from(MAX_HOPS);
    assert_eq!(bench.take(id).split(' ').count(), 1 + 2 * hops);
    assert_eq!(bench.stats.sends.dropped.of(DropReason::TooManyHops).value(), 2);
}

#[test]
fn a_plugin_that_answers_each_delivery_to_a_group_with_a_message_to_the_group_is_stopped() {
    let plugin = Plugin::new("parrot", |_, call| {
        call.effects.push(send(room(), "x"));
        Ok(pass())
    });
    let mut policy = listener(Transport::Tcp, Route::Group("room".into()), vec![plugin.outbound().link(0)]);
    policy.join.push("room".into());
    policy.limits.queue = 1 << 30;
    let mut bench = Bench::new(vec![policy]);
    let ids: Vec<_> = (0..100).map(|_| bench.open(0)).collect();
    // 100 to the power of five without a limit.
    bench.say(ids[0], "x");
    let offered = bench.stats.listeners[0].outbound.offered.value();
    assert!((5_000..30_000).contains(&offered), "{offered}");
    assert!(bench.stats.sends.dropped.of(DropReason::TooManyHops).value() > 0);
}

#[test]
fn what_cannot_be_is_refused_and_counted() {
    let plugin = Plugin::new("liar", |message, call| {
        let session = message.session;
        let attribute = |name: &str, value: &str| Effect::SetAttribute {
            session,
            name: name.into(),
            value: Some(value.into()),
        };
        call.effects.push(attribute("weir.peer", "me"));
        call.effects.push(attribute("", "x"));
        call.effects.push(attribute(&"n".repeat(65), "x"));
        call.effects.push(attribute("fits", &"v".repeat(1025)));
        call.effects.push(Effect::Join { session, group: "".into() });
        call.effects.push(Effect::Join { session, group: "g".repeat(257).into() });
        call.effects.push(Effect::Leave { session, group: "never joined".into() });
        let gone = SessionId::from_raw(session.raw() + (1 << 32));
        call.effects.push(Effect::Join { session: gone, group: "room".into() });
        // A worker that there is not.
        let nobody = SessionId::from_raw(200 << 24);
        call.effects.push(Effect::Join { session: nobody, group: "room".into() });
        call.effects.push(Effect::Send { to: Target::Echo, kind: Kind::Text, payload: b"\xff"[..].into() });
        call.effects.push(send(Target::Cluster("gamma".into()), "x"));
        call.effects.push(send(Target::Session(nobody), "x"));
        call.effects.push(send(Target::Session(gone), "x"));
        Ok(pass())
    });
    let link = plugin.link(0);
    let stats = link.stats.clone();
    let mut bench = echo(vec![link]);
    let id = bench.open(0);
    bench.say(id, "x");
    assert_eq!(bench.take(id), "x");
    assert_eq!(stats[0].refused_effects.value(), 9);
    let sends = &bench.stats.sends;
    for reason in [DropReason::Unframeable, DropReason::UnknownCluster, DropReason::UnknownSession] {
        assert_eq!(sends.dropped.of(reason).value(), 1, "{reason:?}");
    }
    assert_eq!(bench.stats.nobody().dropped.of(DropReason::UnknownSession).value(), 1);
}

#[test]
fn attributes_are_in_the_directory_while_the_session_is_open() {
    let plugin = Plugin::new("scribe", |message, call| {
        let (session, name) = (message.session, "user".into());
        let value = (&*message.payload != b"forget").then(|| "ada".into());
        call.effects.push(Effect::SetAttribute { session, name, value });
        Ok(pass())
    });
    let mut policy = listener(Transport::Tcp, Route::Echo, vec![plugin.link(0)]);
    policy.name = "edge".into();
    let plain = listener(Transport::Tcp, Route::Echo, Vec::new());
    let mut bench = Bench::new(vec![policy, plain]);
    let (id, plain) = (bench.open(0), bench.open(1));
    assert_eq!(&*bench.directory.attributes(id).unwrap()["weir.listener"], "edge");
    assert!(bench.directory.attributes(plain).is_none(), "nobody asked");
    bench.say(id, "x");
    assert_eq!(&*bench.directory.attributes(id).unwrap()["user"], "ada");
    bench.say(id, "forget");
    assert!(!bench.directory.attributes(id).unwrap().contains_key("user"));
    bench.worker.lost(id);
    assert!(bench.directory.attributes(id).is_none());
}

#[test]
fn an_ended_session_does_not_come_back_to_the_directory() {
    let plugin = Plugin::new("scribe", |message, call| {
        let words = std::str::from_utf8(&message.payload).unwrap();
        let session = SessionId::from_raw(words.parse().unwrap_or_default());
        call.effects.push(Effect::SetAttribute { session, name: "late".into(), value: Some("x".into()) });
        call.effects.push(Effect::Join { session, group: "room".into() });
        Ok(pass())
    });
    let mut bench = Bench::new(vec![listener(Transport::WebSocket, Route::Drop, vec![plugin.link(0)])]);
    let [id, other] = [bench.open(0), bench.open(0)];
    // Its close frame is not yet written: it is there, and no longer open.
    bench.worker.close(id, crate::CloseReason::IdleTimeout);
    bench.say(other, &id.raw().to_string());
    assert!(bench.directory.attributes(id).is_none());
    assert_eq!(bench.directory.group_count(), 0);
}

#[test]
fn last_words_are_said_in_the_order_of_the_chain() {
    let words = |name: &'static str, text: &str| {
        let mut plugin = Plugin::pass(name);
        plugin.last_words = vec![send(room(), text), send(room(), "and")];
        plugin
    };
    let mut bench = echo(vec![words("a", "one").link(0), words("b", "two").link(1)]);
    let id = bench.open(0);
    bench.reload(|snapshot| snapshot.listeners[0].join.push("room".into()));
    let witness = bench.open(0);
    bench.worker.lost(id);
    bench.worker.check_invariants();
    assert_eq!(bench.take(witness), "one and two and");
}

#[test]
fn an_empty_group_is_counted() {
    let mut bench = Bench::new(vec![listener(Transport::Tcp, Route::Group("nobody".into()), Vec::new())]);
    let id = bench.open(0);
    bench.say(id, "x");
    assert_eq!(bench.stats.listeners[0].inbound.dropped.of(DropReason::EmptyGroup).value(), 1);
}

#[test]
fn echo_and_cluster_mean_nothing_where_no_session_is_in_hand() {
    let mut plugin = Plugin::pass("clock");
    plugin.every = 10;
    plugin.timer = Box::new(|call| {
        call.effects.push(send(Target::Echo, "x"));
        call.effects.push(send(Target::Cluster("alpha".into()), "x"));
        Ok(())
    });
    let mut bench = echo(vec![plugin.link(0)]);
    bench.wait(10);
    assert_eq!(bench.stats.sends.dropped.of(DropReason::NoSession).value(), 2);
}
