//! Silence, pings, slow readers, plugin timers.

use super::*;
use crate::{CloseReason, SlowConsumer};

const PING: &str = r"\x89\x00";

fn websocket(route: Route, links: Vec<Link>) -> Bench {
    Bench::new(vec![listener(Transport::WebSocket, route, links)])
}

#[test]
fn a_silent_client_is_asked_and_then_let_go() {
    let mut bench = websocket(Route::Echo, Vec::new());
    let id = bench.open(0);
    bench.wait(29_990);
    assert_eq!(bench.take(id), "");
    bench.wait(10);
    assert_eq!(bench.take(id), PING);
    // It answers: it is asked again 30 seconds later, not only when its silence is nearly too long.
    bench.wait(1_000);
    bench.worker.heard(id);
    bench.wait(30_000);
    assert_eq!(bench.take(id), PING);
    bench.wait(44_990);
    assert!(bench.is_read(id), "asked once, and time left");
    bench.wait(10);
    assert_eq!(bench.worker.status(id), Status::Active { read: false, finish: false });
    assert!(bench.take(id).contains(r"\x03\xe9nothing heard"));
    bench.wait(2_000);
    assert_eq!(bench.end(id), Some((CloseReason::IdleTimeout, 1001)));
}

#[test]
fn a_client_that_cannot_be_asked_is_there_while_it_takes_what_is_sent() {
    let mut bench = echo(Vec::new());
    let id = bench.open(0);
    bench.say(id, "x");
    bench.wait(50_000);
    bench.take(id);
    bench.wait(74_000);
    assert!(bench.is_read(id));
    bench.wait(1_010);
    assert!(!bench.is_read(id));
}

#[test]
fn the_silence_of_a_client_that_is_not_read_does_not_count() {
    let plugin = Plugin::new("holder", |_, _| Ok(Verdict::Hold(200_000))).on_failure(OnFailure::Open);
    let mut bench = websocket(Route::Drop, vec![plugin.link(0)]);
    let id = bench.open(0);
    bench.say(id, "x");
    for _ in 0..200 {
        bench.wait(1_000);
    }
    assert!(bench.is_read(id), "the hold is over, and its silence begins anew");
    assert_eq!(bench.take(id), "", "nobody was asked");
    bench.wait(30_010);
    assert_eq!(bench.take(id), PING);
    bench.wait(45_000);
    assert!(!bench.is_read(id));
}

#[test]
fn a_reload_that_sets_a_timeout_reaches_those_who_had_none() {
    let mut bench = websocket(Route::Echo, Vec::new());
    bench.reload(|snapshot| {
        snapshot.listeners[0].limits.idle_timeout = Duration::ZERO;
        snapshot.listeners[0].limits.ping_interval = Duration::ZERO;
    });
    let id = bench.open(0);
    bench.wait(1_000_000);
    assert!(bench.is_read(id));
    assert_eq!(bench.worker.next_deadline(), None);
    bench.reload(|snapshot| snapshot.listeners[0].limits.idle_timeout = Duration::from_secs(75));
    bench.wait(0);
    assert!(!bench.is_read(id));
}

#[test]
fn a_client_that_does_not_read_is_let_go_within_the_grace() {
    for policy in [SlowConsumer::Close, SlowConsumer::DropNewest] {
        let mut room = listener(Transport::Tcp, Route::Group("room".into()), Vec::new());
        room.join.push("room".into());
        room.limits.slow_consumer = policy;
        room.limits.idle_timeout = Duration::ZERO;
        let mut bench = Bench::new(vec![room]);
        let [slow, other] = [bench.open(0), bench.open(0)];
        for _ in 0..20 {
            bench.say(other, &"x".repeat(99));
            assert_eq!(bench.take(other).len(), 99, "the others are not affected");
            assert!(bench.worker.queue(slow).unwrap().bytes() <= 1000);
        }
        bench.wait(9_990);
        assert!(bench.is_read(slow));
        bench.wait(20);
        let end = (policy == SlowConsumer::Close).then_some((CloseReason::SlowConsumer, 1008));
        assert_eq!(bench.end(slow), end);
        assert!(bench.is_read(other));
        let dropped = bench.stats.listeners[0].outbound.dropped.total();
        assert_eq!(dropped, if end.is_some() { 20 } else { 11 });
    }
}

#[test]
fn a_reload_that_spares_slow_clients_spares_those_whose_grace_runs() {
    let mut room = listener(Transport::Tcp, Route::Group("room".into()), Vec::new());
    room.join.push("room".into());
    let mut bench = Bench::new(vec![room]);
    let id = bench.open(0);
    for _ in 0..6 {
        bench.say(id, &"x".repeat(99));
    }
    bench.reload(|snapshot| snapshot.listeners[0].limits.slow_consumer = SlowConsumer::DropNewest);
    bench.wait(20_000);
    assert!(bench.is_read(id));
    // And back: its queue has been over half full all the time.
    bench.reload(|snapshot| snapshot.listeners[0].limits.slow_consumer = SlowConsumer::Close);
    bench.wait(0);
    assert_eq!(bench.end(id), Some((CloseReason::SlowConsumer, 1008)));
}

#[test]
fn the_grace_is_for_a_queue_that_stays_over_half_full() {
    let mut room = listener(Transport::Tcp, Route::Group("room".into()), Vec::new());
    room.join.push("room".into());
    let mut bench = Bench::new(vec![room]);
    let id = bench.open(0);
    for _ in 0..6 {
        bench.say(id, &"x".repeat(99));
    }
    bench.wait(9_000);
    bench.worker.written(id, Lane::ONLY, 200);
    bench.say(id, "more");
    bench.wait(9_000);
    assert!(bench.is_read(id), "it read in time");
}

#[test]
fn pings_are_answered_and_floods_are_not() {
    let mut bench = websocket(Route::Echo, Vec::new());
    let id = bench.open(0);
    assert_eq!(bench.worker.ping(id, b"hi"), Flow::Continue);
    assert_eq!(bench.take(id), r"\x8a\x02hi");
    for _ in 0..19 {
        assert_eq!(bench.worker.ping(id, b""), Flow::Continue);
    }
    assert_eq!(bench.worker.ping(id, b""), Flow::Stop);
    assert!(bench.take(id).ends_with(r"\x88\x10\x03\xf0too many pings"));
}

#[test]
fn pongs_that_nobody_reads_are_bounded() {
    let mut bench = websocket(Route::Echo, Vec::new());
    let id = bench.open(0);
    for _ in 0..60 {
        bench.wait(1_000);
        for _ in 0..20 {
            bench.worker.heard(id);
            assert_eq!(bench.worker.ping(id, &[0; 125]), Flow::Continue);
        }
    }
    assert_eq!(bench.worker.queue(id).unwrap().bytes(), 20 * 127, "those of the last turn");
}

#[test]
fn pings_of_one_turn_are_all_answered_and_of_those_before_that_wait_only_the_newest() {
    let mut bench = websocket(Route::Echo, Vec::new());
    let id = bench.open(0);
    for at in 0..10 {
        bench.worker.ping(id, &[b'0' + at]);
    }
    let ten: Vec<_> = (0..10).map(|at| format!(r"\x8a\x01{at}")).collect();
    assert_eq!(bench.take(id), ten.concat());
    // The peer stops reading in the middle of a pong, and behind it waits an echo.
    for text in [b"a", b"b", b"c"] {
        bench.worker.ping(id, text);
    }
    bench.worker.written(id, Lane::ONLY, 1);
    bench.say(id, "echo");
    for text in [b"d", b"e"] {
        bench.wait(1);
        bench.worker.ping(id, text);
        bench.worker.check_invariants();
    }
    assert_eq!(bench.take(id), r"\x01a\x81\x04echo\x8a\x01e");
}

#[test]
fn a_peer_that_has_not_read_a_ping_is_not_asked_again() {
    let holder = Plugin::new("holder", |_, _| Ok(Verdict::Hold(1_000))).on_failure(OnFailure::Open);
    let mut bench = websocket(Route::Drop, vec![holder.link(0)]);
    let id = bench.open(0);
    for _ in 0..10 {
        // Each hold that is over begins its silence anew.
        bench.wait(30_010);
        bench.say(id, "x");
        bench.wait(1_010);
    }
    assert_eq!(bench.take(id), PING);
}

#[test]
fn a_plugin_timer_keeps_its_rhythm_and_does_not_catch_up() {
    let journal = Journal::default();
    let mut plugin = Plugin::pass("clock").journal(&journal);
    plugin.every = 100;
    let mut bench = echo(vec![plugin.link(0)]);
    let beats = || journal.lock().unwrap().len();
    assert_eq!(bench.worker.next_deadline(), Some(bench.now() + Duration::from_millis(100)));
    bench.wait(99);
    assert_eq!(beats(), 0);
    bench.wait(1);
    assert_eq!(beats(), 1);
    bench.wait(1_000);
    bench.wait(0);
    bench.wait(0);
    bench.wait(0);
    assert!(beats() <= 3, "{} beats", beats());
}

#[test]
fn a_timer_runs_on_one_worker_and_is_set_from_any() {
    let plugin = Plugin::new("clock", |_, call| {
        call.effects.push(Effect::Every { milliseconds: 50 });
        Ok(pass())
    });
    // Binding 1 belongs to the other of the two workers.
    let journal = plugin.journal.clone();
    let mut bench = echo(vec![plugin.link(1)]);
    let id = bench.open(0);
    bench.say(id, "x");
    bench.wait(100);
    assert!(!journal.lock().unwrap().iter().any(|note| note.ends_with("timer")), "not here");
    let post = bench.worker.mail(WorkerId(1)).expect("the owner is told");
    assert_eq!(post.letters.len(), 1);
}

#[test]
fn a_client_that_stops_reading_between_the_marks_is_timed_too() {
    // A little over 500 bytes wait when its reading stops: that is where the grace begins. It is read again at 250.
    for taken in [100, 200] {
        let mut bench = echo(Vec::new());
        let id = bench.open(0);
        while bench.say(id, &"x".repeat(99)) == crate::Flow::Continue {}
        bench.worker.written(id, Lane::ONLY, taken);
        assert!(!bench.is_read(id), "more than a quarter is left");
        bench.wait(10_500);
        assert_eq!(bench.end(id), Some((CloseReason::SlowConsumer, 1008)), "{taken} taken");
    }
}
