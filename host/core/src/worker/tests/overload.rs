//! Sessions that go because of overload: in order, at a pace, with a hint.

use super::*;
use crate::{Shed, Shedding};

const SECOND: u64 = 1_000;

fn plan(whom: Shed, share: f64) -> Shedding {
    Shedding { whom, share, retry: Duration::from_secs(10) }
}

/// A session a second, each without a deadline of its own.
fn bench(sessions: usize) -> (Bench, Vec<ConnId>) {
    bench_of(Transport::WebSocket, sessions)
}

fn bench_of(transport: Transport, sessions: usize) -> (Bench, Vec<ConnId>) {
    let mut policy = listener(transport, Route::Drop, Vec::new());
    policy.limits.ping_interval = Duration::ZERO;
    policy.limits.idle_timeout = Duration::ZERO;
    let mut bench = Bench::new(vec![policy]);
    let mut ids = Vec::new();
    for _ in 0..sessions {
        ids.push(bench.open(0));
        bench.wait(SECOND);
    }
    (bench, ids)
}

/// Those that are read no more, by number; time goes on in small steps, as timers do.
fn told(bench: &mut Bench, ids: &[ConnId], milliseconds: u64) -> Vec<usize> {
    for _ in 0..milliseconds / 10 {
        bench.wait(10);
    }
    (0..ids.len()).filter(|at| !bench.is_read(ids[*at])).collect()
}

#[test]
fn the_longest_silent_go_first_one_by_one_and_are_told_when_to_come_back() {
    let (mut bench, ids) = bench(10);
    // The first has had a message meanwhile.
    bench.say(ids[0], "x");
    bench.worker.shed(Some(plan(Shed::Idle(Duration::from_secs(5)), 0.01)));
    assert_eq!(told(&mut bench, &ids, 900), []);
    assert_eq!(told(&mut bench, &ids, 200), [1]);
    assert_eq!(told(&mut bench, &ids, 2_000), [1, 2, 3]);
    let text = bench.take(ids[1]);
    let (said, wait) = text.split_once("; retry-after-ms=").expect("a hint");
    assert!(said.ends_with(r"\x03\xf5gateway is overloaded, try again later"), "{text}");
    assert!(wait.parse::<u64>().expect("a number") < 10_000);
    assert_eq!(bench.stats.overload.idle.value(), 3);
    // One that says something in time is not idle any more, though it was next.
    bench.say(ids[4], "x");
    assert_eq!(told(&mut bench, &ids, 1_100), [1, 2, 3, 5]);
    bench.worker.shed(None);
    assert_eq!(told(&mut bench, &ids, 20_000), [1, 2, 3, 5]);
    assert_eq!(bench.worker.next_deadline(), None, "nothing is left to do");
}

#[test]
fn who_is_not_idle_stays_however_long_idle_ones_are_looked_for() {
    let (mut bench, ids) = bench(3);
    bench.worker.shed(Some(plan(Shed::Idle(Duration::from_secs(5)), 1.0)));
    for _ in 0..10 {
        for id in &ids {
            bench.say(*id, "x");
        }
        assert_eq!(told(&mut bench, &ids, 3_000), []);
    }
    let gone = told(&mut bench, &ids, 10_000);
    assert_eq!((gone.len(), bench.stats.overload.idle.value()), (3, 3));
}

#[test]
fn heartbeats_are_no_messages_and_those_for_it_are() {
    let mut policy = listener(Transport::WebSocket, Route::Group("room".into()), Vec::new());
    policy.join.push("room".into());
    let mut lonely = listener(Transport::WebSocket, Route::Drop, Vec::new());
    lonely.limits.ping_interval = Duration::from_secs(5);
    let mut bench = Bench::new(vec![policy, lonely]);
    let [speaker, hearer, silent] = [bench.open(0), bench.open(0), bench.open(1)];
    bench.worker.shed(Some(plan(Shed::Idle(Duration::from_secs(10)), 1.0)));
    for _ in 0..20 {
        bench.say(speaker, "x");
        bench.worker.heard(silent);
        bench.worker.ping(silent, b"here");
        bench.wait(SECOND);
        for id in [speaker, hearer, silent] {
            bench.take(id);
        }
    }
    assert!(bench.is_read(speaker) && bench.is_read(hearer) && !bench.is_read(silent));
}

#[test]
fn a_drain_takes_those_that_are_reached_badly_first_and_keeps_the_pace() {
    let (mut bench, ids) = bench_of(Transport::Tcp, 200);
    for (round_trip, sent, lost) in [(20_000, 100, 0), (4_000_000, 200, 50), (4_000_000, 300, 100)] {
        bench.worker.path(ids[150], crate::Path { round_trip, sent, lost });
    }
    assert_eq!(bench.stats.listeners[0].heartbeats.degraded.value(), 1);
    bench.worker.shed(Some(plan(Shed::Any, 0.05)));
    assert_eq!(told(&mut bench, &ids, 130), [150]);
    let gone = told(&mut bench, &ids, 1_000);
    assert!((10..=12).contains(&gone.len()), "5 % of 200 a second: {gone:?}");
    assert_eq!(gone[..9], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bench.stats.overload.drained.value(), gone.len() as u64);
    // A worker that was late does not make up for all of it at once.
    bench.wait(60_000);
    let after = told(&mut bench, &ids, 0).len();
    assert!(after <= gone.len() + 64, "{after}");
    assert!(told(&mut bench, &ids, 100).len() <= after + 12);
}

#[test]
fn it_ends_with_the_last_session_and_waits_for_others() {
    let (mut bench, ids) = bench(5);
    bench.worker.shed(Some(plan(Shed::Any, 1.0)));
    assert_eq!(told(&mut bench, &ids, 10_000).len(), 5);
    for id in &ids {
        bench.worker.release(*id);
    }
    assert_eq!(told(&mut bench, &[], 10_000).len(), 0);
    let mut looks = std::collections::HashSet::new();
    for _ in 0..300 {
        looks.insert(bench.worker.next_deadline().expect("it looks again"));
        bench.wait(10);
    }
    assert!(looks.len() <= 5, "not often: {looks:?}");
    let late = bench.open(0);
    assert_eq!(told(&mut bench, &[late], 3_000), [0]);
}
