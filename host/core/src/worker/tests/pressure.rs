//! Reading stops while what it fills is full, and goes on when it is not.

use super::*;
use crate::{ClusterId, DropReason};

const LONG: usize = 99;

fn long() -> String {
    "x".repeat(LONG)
}

#[test]
fn a_client_that_does_not_take_its_echoes_is_not_read() {
    let mut bench = echo(Vec::new());
    let id = bench.open(0);
    let mut said = 1;
    while bench.say(id, &long()) == Flow::Continue {
        said += 1;
    }
    assert_eq!(said, 5, "until the queue is over half full");
    assert!(!bench.is_read(id));
    bench.worker.written(id, Lane::ONLY, 200);
    assert!(!bench.is_read(id));
    bench.worker.written(id, Lane::ONLY, 100);
    assert!(bench.is_read(id), "a quarter is left");
    assert_eq!(bench.stats.listeners[0].outbound.dropped.total(), 0);
}

#[test]
fn a_client_is_not_read_while_its_upstream_does_not_take_its_messages() {
    let mut bench = Bench::new(vec![listener(Transport::Tcp, Route::Cluster(ClusterId(0)), Vec::new())]);
    let id = bench.open(0);
    let [upstream] = bench.connect()[..] else { panic!("one upstream") };
    let mut said = 1;
    while bench.say(id, &long()) == Flow::Continue {
        said += 1;
    }
    assert_eq!(said, 10);
    bench.worker.written(upstream, Lane::ONLY, 400);
    assert!(!bench.is_read(id));
    bench.worker.written(upstream, Lane::ONLY, 200);
    assert!(bench.is_read(id), "half is left");
    bench.worker.check_invariants();
}

#[test]
fn an_upstream_is_not_read_while_its_client_does_not_take_its_answers() {
    let mut bench = Bench::new(vec![listener(Transport::Tcp, Route::Cluster(ClusterId(0)), Vec::new())]);
    let id = bench.open(0);
    let [upstream] = bench.connect()[..] else { panic!("one upstream") };
    while bench.say(upstream, &long()) == Flow::Continue {}
    assert!(!bench.is_read(upstream) && bench.is_read(id));
    bench.take(id);
    assert!(bench.is_read(upstream));
}

#[test]
fn a_plugin_that_floods_an_upstream_loses_its_own_messages() {
    let plugin = Plugin::new("flood", |_, call| {
        let to = || crate::Target::Cluster("beta".into());
        call.effects.extend((0..100).map(|_| send(to(), &long())));
        Ok(pass())
    });
    let mut bench = echo(vec![plugin.link(0)]);
    let id = bench.open(0);
    assert_eq!(bench.say(id, "x"), Flow::Continue);
    let delivery = &bench.stats.clusters[1].delivery;
    assert_eq!(delivery.offered.value(), 100);
    assert_eq!(delivery.dropped.of(DropReason::QueueFull).value(), 91);
}

#[test]
fn an_empty_queue_takes_any_message() {
    let mut room = listener(Transport::Tcp, Route::Group("room".into()), Vec::new());
    room.join.push("room".into());
    let mut bench = Bench::new(vec![room]);
    let id = bench.open(0);
    bench.say(id, &"x".repeat(50_000));
    bench.say(id, "y");
    assert_eq!(bench.take(id).len(), 50_000);
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::QueueFull).value(), 1);
}
