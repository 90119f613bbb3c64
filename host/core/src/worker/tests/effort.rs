//! What a turn cost, and work that does not fit one.

use super::*;
use crate::{CloseReason, Work};

#[test]
fn what_is_due_all_at_once_is_done_in_parts() {
    let mut bench = Bench::new(vec![listener(Transport::Tcp, Route::Drop, Vec::new())]);
    let ids: Vec<_> = (0..1_200).map(|_| bench.open(0)).collect();
    let closed = |bench: &Bench| ids.iter().filter(|id| !bench.is_read(**id)).count();
    bench.wait(75_000);
    // 512, but for what moving them down the wheel cost: 16 moves are as dear as one that is looked at.
    assert_eq!(closed(&bench), 512 - 1_200 / 16);
    assert!(bench.worker.next_deadline().is_some_and(|due| due <= bench.now()), "more is due");
    bench.wait(1);
    bench.wait(1);
    assert_eq!(closed(&bench), 1_200);
    bench.wait(10_000);
    while bench.worker.next_deadline().is_some() {
        bench.wait(2_000);
    }
    assert!(ids.iter().all(|id| bench.end(*id) == Some((CloseReason::IdleTimeout, 1001))));
    let (delays, _) = bench.stats.turns.delay.read();
    assert!(delays.iter().sum::<u64>() >= 3);
}

#[test]
fn letters_are_taken_in_as_far_as_their_deliveries_fit() {
    let mut room = listener(Transport::Tcp, Route::Drop, Vec::new());
    room.join.push("room".into());
    let mut bench = Bench::new(vec![room]);
    let ids: Vec<_> = (0..10).map(|_| bench.open(0)).collect();
    let letter = |at: usize| {
        crate::Mail(crate::mail::Letter::Publish {
            group: "room".into(),
            kind: Kind::Text,
            payload: at.to_string().into(),
            hops: 0,
        })
    };
    let mut letters = (0..5).map(letter).collect::<Vec<_>>().into_iter();
    assert!(!bench.worker.deliver_some(&mut letters, 25));
    assert_eq!((letters.len(), bench.worker.effort()), (2, 30));
    assert!(bench.worker.deliver_some(&mut letters, 20));
    assert!(bench.worker.deliver_some(&mut letters, 20), "nothing is left");
    assert!(ids.iter().all(|id| bench.take(*id) == "0 1 2 3 4"));
    // One that costs more than there may be is taken all the same.
    let mut letters = (0..2).map(letter).collect::<Vec<_>>().into_iter();
    assert!(!bench.worker.deliver_some(&mut letters, 1) && bench.worker.deliver_some(&mut letters, 1));
}

#[test]
fn what_plugins_take_is_told_apart() {
    let plugin = Plugin::new("slow", |_, call| {
        call.nanoseconds = 40_000;
        Ok(pass())
    });
    let mut bench = echo(vec![plugin.link(0)]);
    let id = bench.open(0);
    bench.say(id, "x");
    bench.say(id, "y");
    bench.worker.took(Work::Sockets, 100_000);
    bench.wait(1);
    bench.worker.took(Work::Timers, 5_000);
    bench.wait(1);
    let turns = &bench.stats.turns;
    let sums = [&turns.sockets, &turns.plugins, &turns.timers].map(|histogram| histogram.read().1);
    assert_eq!(sums, [20_000, 80_000, 5_000]);
}
