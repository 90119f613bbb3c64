//! Order, failures, refusals and reloads.

use super::*;
use crate::{CloseReason, DropReason};

#[test]
fn a_chain_is_met_in_order_and_outbound_in_reverse() {
    let links = vec![
        Plugin::mark("a").both().link(0),
        Plugin::mark("b").link(1),
        Plugin::mark("c").outbound().link(2),
        Plugin::mark("d").both().link(3),
    ];
    let mut bench = echo(links);
    let id = bench.open(0);
    bench.say(id, "-");
    assert_eq!(bench.take(id), "-abd|dca".replace('|', ""));
}

#[test]
fn a_failure_drops_passes_or_closes() {
    for (on_failure, received, ended, dropped) in [
        (OnFailure::Closed, "", None, Some(DropReason::PluginFailed)),
        (OnFailure::Open, "x", None, None),
        (OnFailure::Close, "", Some((CloseReason::PluginFailed, 1011)), Some(DropReason::SessionRejected)),
    ] {
        for direction in 0..2 {
            let plugin = Plugin::new("bad", |_, call| {
                call.effects.push(send(crate::Target::Echo, "an effect of a call that failed"));
                Err(trap())
            });
            let plugin = if direction == 0 { plugin } else { plugin.outbound() };
            let mut bench = echo(vec![plugin.on_failure(on_failure).link(0)]);
            let id = bench.open(0);
            bench.say(id, "x");
            assert_eq!(bench.take(id), received);
            bench.worker.peer_ended(id, None);
            assert_eq!(bench.end(id), ended.or(Some((CloseReason::Client, 1000))));
            let stats = &bench.stats.listeners[0];
            let reasons = [&stats.inbound.dropped, &stats.outbound.dropped][direction];
            assert_eq!(reasons.total(), u64::from(dropped.is_some()));
            if let Some(reason) = dropped {
                assert_eq!(reasons.of(reason).value(), 1);
            }
        }
    }
}

#[test]
fn a_client_that_is_refused_is_told_why_and_those_that_knew_it_learn_its_end() {
    let journal = Journal::default();
    let mut doorman = Plugin::pass("doorman").journal(&journal);
    doorman.open = Box::new(|_, _| Ok(Err(Rejection::new(4001, "not today"))));
    let links = vec![
        Plugin::pass("first").journal(&journal).link(0),
        doorman.link(1),
        Plugin::pass("last").journal(&journal).link(2),
    ];
    let mut bench =
        Bench::new(vec![listener(Transport::WebSocket, Route::Cluster(crate::ClusterId(0)), links)]);
    let id = bench.open(0);
    assert_eq!(bench.take(id), r"\x88\x0b\x0f\xa1not today");
    assert_eq!(bench.worker.status(id), Status::Lingering);
    assert!(!bench.worker.has_connects(), "nobody needs the upstream");
    assert_eq!(
        *journal.lock().unwrap(),
        ["first open", "doorman open", "first close 4001", "doorman close 4001"]
    );
}

#[test]
fn what_a_plugin_says_to_a_client_that_it_refuses_goes_out_first() {
    let mut doorman = Plugin::pass("doorman");
    doorman.open = Box::new(|_, call| {
        call.effects.push(send(crate::Target::Echo, "come back later"));
        Ok(Err(Rejection::new(4001, "")))
    });
    let mut bench = echo(vec![doorman.link(0)]);
    let id = bench.open(0);
    assert_eq!(bench.take(id), "come back later");
    assert_eq!(bench.worker.status(id), Status::Lingering);
}

#[test]
fn a_plugin_that_keeps_clients_out_keeps_them_out_while_it_is_broken() {
    for (on_failure, open) in [(OnFailure::Closed, false), (OnFailure::Close, false), (OnFailure::Open, true)]
    {
        let mut plugin = Plugin::pass("doorman").on_failure(on_failure);
        plugin.fails_to_start = true;
        let mut bench = echo(vec![plugin.link(0)]);
        let id = bench.open(0);
        assert_eq!(bench.is_read(id), open);
        if !open {
            assert_eq!(bench.end(id), None, "its end is still to come");
            assert_eq!(bench.worker.status(id), Status::Lingering);
        }
    }
}

#[test]
fn a_session_that_ends_while_it_is_announced_is_not_announced_further() {
    let journal = Journal::default();
    let mut first = Plugin::new("first", |_, _| Ok(Verdict::Close(Rejection::new(4000, ""))));
    first = first.outbound().journal(&journal);
    first.open = Box::new(|_, call| {
        call.effects.push(send(crate::Target::Echo, "hello"));
        Ok(Ok(()))
    });
    let links = vec![first.link(0), Plugin::pass("second").journal(&journal).link(1)];
    let mut bench = echo(links);
    bench.open(0);
    assert_eq!(*journal.lock().unwrap(), ["first open", "first < hello", "first close 4000"]);
}

#[test]
fn those_that_were_told_of_a_beginning_are_told_of_the_end_whatever_the_chain_is_then() {
    let journal = Journal::default();
    let [a, b, c] =
        ["a", "b", "c"].map(|name| Plugin::pass(name).journal(&journal).link(u16::from(name.as_bytes()[0])));
    let other = listener(Transport::Tcp, Route::Echo, vec![a.clone()]);
    let first = listener(Transport::Tcp, Route::Echo, vec![a, b.clone()]);
    let mut bench = Bench::new(vec![first, other]);
    let id = bench.open(0);
    // `c` is new, `b` moves, `a` is in the other listener's chain only.
    bench.reload(|snapshot| snapshot.listeners[0].chain = Chain::new(vec![c, b]));
    bench.worker.lost(id);
    assert_eq!(*journal.lock().unwrap(), ["a open", "b open", "a close 1006", "b close 1006"]);
}

#[test]
fn the_next_message_of_an_open_session_meets_the_new_generation() {
    let mut bench = echo(vec![Plugin::mark("1").link(0)]);
    let id = bench.open(0);
    bench.say(id, "x");
    bench.reload(|snapshot| {
        let link = Link { generation: 2, ..Plugin::mark("2").link(0) };
        snapshot.listeners[0].chain = Chain::new(vec![link]);
    });
    bench.say(id, "x");
    bench.reload(|snapshot| snapshot.listeners[0].chain = Chain::default());
    bench.say(id, "x");
    assert_eq!(bench.take(id), "x1 x2 x");
}

#[test]
fn text_stays_utf8_whatever_a_plugin_says() {
    for (on_failure, received) in [(OnFailure::Open, "x"), (OnFailure::Closed, "")] {
        let link = Plugin::new("bad", |_, _| Ok(change(b"\xff"))).on_failure(on_failure).link(0);
        let stats = link.stats.clone();
        let mut bench = echo(vec![link]);
        let id = bench.open(0);
        bench.say(id, "x");
        assert_eq!(bench.take(id), received);
        assert_eq!(stats[0].failure(FailureCause::Answer).value(), 1);
    }
}
