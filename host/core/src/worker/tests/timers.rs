//! Silence, pings, slow readers, plugin timers.

use super::*;
use crate::{CloseReason, SlowConsumer};

/// Whether a heartbeat, and nothing else, was written; its answer.
fn heartbeat(bench: &mut Bench, id: ConnId) -> Option<Vec<u8>> {
    let frame = raw(bench, id);
    let carried = frame.strip_prefix(&[0x89, 8])?;
    assert_eq!(carried.len(), 8, "one, and nothing else");
    Some(carried.to_vec())
}

fn raw(bench: &mut Bench, id: ConnId) -> Vec<u8> {
    let mut slices = [std::io::IoSlice::new(&[])];
    let Some(queue) = bench.worker.queue(id) else { return Vec::new() };
    queue.slices(Lane::ONLY, &mut slices);
    let bytes = slices[0].to_vec();
    bench.worker.written(id, Lane::ONLY, bytes.len());
    bytes
}

fn websocket(route: Route, links: Vec<Link>) -> Bench {
    Bench::new(vec![listener(Transport::WebSocket, route, links)])
}

#[test]
fn a_client_is_asked_every_interval_and_let_go_when_it_does_not_answer() {
    let mut bench = websocket(Route::Echo, Vec::new());
    let id = bench.open(0);
    bench.wait(29_990);
    assert_eq!(bench.take(id), "");
    bench.wait(10);
    let carried = heartbeat(&mut bench, id).expect("asked after the interval");
    bench.wait(100);
    bench.worker.heard(id);
    assert_eq!(bench.worker.pong(id, &carried), Flow::Continue);
    bench.wait(29_890);
    assert_eq!(bench.take(id), "");
    // The answer came in 100 ms: the patience is now the floor.
    for _ in 0..3 {
        bench.wait(10);
        assert!(heartbeat(&mut bench, id).is_some());
        bench.wait(1_990);
        assert_eq!(bench.take(id), "");
        assert!(bench.is_read(id));
    }
    bench.wait(10);
    assert!(bench.take(id).contains(r"\x03\xe9heartbeats were not answered"));
    bench.wait(2_000);
    assert_eq!(bench.end(id), Some((CloseReason::HeartbeatTimeout, 1001)));
    let beats = &bench.stats.listeners[0].heartbeats;
    let counts = [&beats.sent, &beats.answered, &beats.missed, &beats.degraded].map(crate::Counter::value);
    assert_eq!(counts, [4, 1, 3, 1]);
    bench.worker.release(id);
    assert_eq!(bench.stats.listeners[0].heartbeats.degraded.value(), 0);
}

#[test]
fn half_open_is_noticed_well_before_the_idle_timeout() {
    let mut bench = websocket(Route::Echo, Vec::new());
    let id = bench.open(0);
    for _ in 0..54 {
        assert!(bench.is_read(id));
        bench.wait(1_000);
        bench.take(id);
    }
    bench.wait(2_100);
    assert_eq!(bench.end(id), Some((CloseReason::HeartbeatTimeout, 1001)));
}

#[test]
fn half_open_is_gone_before_75_seconds() {
    for (transport, asked) in [(Transport::WebSocket, Some(30)), (Transport::Tcp, None)] {
        let mut bench = Bench::new(vec![listener(transport, Route::Echo, Vec::new())]);
        let id = bench.open(0);
        let (mut second, mut first_ping) = (0, None);
        while bench.is_read(id) {
            bench.wait(1_000);
            second += 1;
            if !bench.take(id).is_empty() {
                first_ping = first_ping.or(Some(second));
            }
        }
        assert_eq!(first_ping, asked, "{transport:?}");
        assert!(second <= 75, "{transport:?}: {second} seconds");
    }
}

#[test]
fn silence_ends_a_session_whose_heartbeats_are_far_apart() {
    let mut bench = websocket(Route::Echo, Vec::new());
    bench.reload(|snapshot| snapshot.listeners[0].limits.ping_interval = Duration::from_secs(70));
    let id = bench.open(0);
    bench.wait(74_990);
    assert!(bench.is_read(id));
    bench.wait(10);
    assert!(bench.take(id).contains(r"\x03\xe9nothing heard"));
}

#[test]
fn a_client_that_says_anything_is_there() {
    let mut bench = websocket(Route::Drop, Vec::new());
    let id = bench.open(0);
    for _ in 0..100 {
        bench.say(id, "x");
        bench.wait(5_000);
        bench.take(id);
    }
    assert!(bench.is_read(id));
    assert_eq!(bench.stats.listeners[0].heartbeats.missed.value(), 0);
}

#[test]
fn framed_clients_ask_and_are_asked_with_messages_of_their_own() {
    use weir_codec::heartbeat::{Heartbeat, Stage, parse};
    let mut policy = listener(Transport::Quic, Route::Echo, Vec::new());
    policy.transport = Transport::Tcp;
    policy.limits.heartbeat = true;
    let mut bench = Bench::new(vec![policy]);
    let wire = Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U8, max: 255 }));
    let opening = Opening {
        listener: ListenerId(0),
        peer: "p".into(),
        tls: None,
        request: Vec::new(),
        wire,
        hello: None,
    };
    let id = bench.worker.open(opening).unwrap();
    let say = |bench: &mut Bench, beat: Heartbeat<'_>| {
        bench.worker.heard(id);
        bench.worker.received(id, Lane::ONLY, Kind::Binary, Payload::Borrowed(&beat.payload()))
    };
    let request = Heartbeat { stage: Stage::Request, milliseconds: 77, filler: b"fill" };
    assert_eq!(say(&mut bench, request), Flow::Continue);
    let frame = raw(&mut bench, id);
    assert_eq!(parse(&frame[1..]), Some(Heartbeat { stage: Stage::Response, ..request }));
    bench.wait(30_000);
    let frame = raw(&mut bench, id);
    let asked = parse(&frame[1..]).unwrap();
    assert_eq!((asked.stage, asked.filler), (Stage::Request, &b""[..]));
    say(&mut bench, Heartbeat { stage: Stage::Response, ..asked });
    let stats = &bench.stats.listeners[0];
    assert_eq!((stats.heartbeats.sent.value(), stats.heartbeats.answered.value()), (1, 1));
    assert_eq!(
        (stats.inbound.received.value(), stats.outbound.offered.value()),
        (0, 0),
        "they are no messages"
    );
    for _ in 0..20 {
        say(&mut bench, request);
    }
    assert_eq!(say(&mut bench, request), Flow::Stop, "a flood of them is one of pings");
}

#[test]
fn a_degraded_session_is_counted_shown_to_plugins_and_may_be_sent_elsewhere() {
    for policy in [crate::Degraded::Keep, crate::Degraded::Reconnect] {
        let mut bench = websocket(Route::Echo, Vec::new());
        bench.reload(|snapshot| snapshot.listeners[0].limits.degraded = policy);
        let id = bench.open(0);
        for (sent, lost) in [(100, 30), (200, 60)] {
            bench.wait(30_000);
            let carried = heartbeat(&mut bench, id).unwrap();
            assert!(bench.worker.takes_path(id) && !bench.worker.takes_path(id));
            // The first answer comes at once; the second as late as it may.
            bench.wait(if sent == 100 { 10 } else { 1_900 });
            bench.worker.heard(id);
            bench.worker.pong(id, &carried);
            bench.worker.path(id, crate::Path { round_trip: 0, sent, lost });
        }
        let beats = &bench.stats.listeners[0].heartbeats;
        assert_eq!((beats.degraded.value(), beats.degraded_ever.value()), (1, 1));
        if policy == crate::Degraded::Reconnect {
            assert!(bench.take(id).contains(r"\x03\xf4connection is bad"));
            continue;
        }
        assert_eq!(&*bench.directory.attributes(id).unwrap()["weir.health"], "degraded");
        for sent in (300..2_000).step_by(100) {
            bench.wait(30_000);
            if let Some(carried) = heartbeat(&mut bench, id) {
                bench.worker.heard(id);
                bench.worker.pong(id, &carried);
            }
            bench.worker.path(id, crate::Path { round_trip: 0, sent, lost: 60 });
        }
        let attributes = bench.directory.attributes(id).unwrap();
        assert_eq!(&*attributes["weir.health"], "healthy");
        assert_eq!(bench.stats.listeners[0].heartbeats.degraded.value(), 0);
    }
}

#[test]
fn each_phase_has_its_deadline() {
    let limited = |change: &dyn Fn(&mut Limits)| {
        let mut policy = listener(Transport::WebSocket, Route::Echo, Vec::new());
        policy.limits.ping_interval = Duration::ZERO;
        policy.limits.idle_timeout = Duration::ZERO;
        change(&mut policy.limits);
        let mut bench = Bench::new(vec![policy]);
        let id = bench.open(0);
        (bench, id)
    };
    let five = Duration::from_secs(5);
    // The first message.
    let (mut bench, id) = limited(&|limits| limits.first_message_timeout = five);
    bench.wait(4_990);
    assert!(bench.is_read(id));
    bench.wait(10);
    assert!(bench.take(id).contains("no first message"));
    let (mut bench, id) = limited(&|limits| limits.first_message_timeout = five);
    bench.say(id, "x");
    bench.take(id);
    bench.wait(60_000);
    assert!(bench.is_read(id));
    // A frame: bytes of it that go on coming make it no faster; the next one has a time of its own.
    let (mut bench, id) = limited(&|limits| limits.frame_timeout = five);
    for _ in 0..3 {
        bench.worker.mid_frame(id, Some(true));
        bench.wait(4_000);
        assert!(bench.is_read(id), "the next one has a time of its own");
    }
    bench.worker.mid_frame(id, Some(false));
    bench.wait(900);
    bench.worker.mid_frame(id, None);
    bench.wait(60_000);
    assert!(bench.is_read(id), "it was complete in time");
    bench.worker.mid_frame(id, Some(true));
    bench.wait(4_000);
    bench.worker.mid_frame(id, Some(false));
    bench.wait(1_000);
    assert!(bench.take(id).contains("frame took too long"));
    // A write.
    let (mut bench, id) = limited(&|limits| limits.write_timeout = five);
    bench.say(id, "0123456789");
    bench.worker.blocked(id);
    bench.wait(4_000);
    bench.worker.written(id, Lane::ONLY, 1);
    bench.worker.blocked(id);
    bench.wait(4_000);
    assert!(bench.is_read(id), "it took something");
    bench.wait(1_010);
    assert_eq!(bench.end(id), Some((CloseReason::WriteTimeout, 1008)));
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
    assert!(heartbeat(&mut bench, id).is_some());
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
    assert_eq!(
        bench.worker.queue(id).unwrap().bytes(),
        20 * 127 + 10,
        "those of the last turn, and a heartbeat"
    );
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
    assert_eq!(raw(&mut bench, id).len(), 2 + 8, "one ping");
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

#[test]
fn an_upstream_that_takes_nothing_is_given_up_and_its_session_is_told() {
    let mut policy = listener(Transport::WebSocket, Route::Cluster(crate::ClusterId(0)), Vec::new());
    policy.limits.idle_timeout = Duration::from_secs(75);
    policy.limits.ping_interval = Duration::ZERO;
    let mut bench = Bench::new(vec![policy]);
    let [id, other] = [bench.open(0), bench.open(0)];
    let upstreams = bench.connect();
    while bench.say(id, &"x".repeat(99)) == Flow::Continue {}
    let queued = bench.worker.queue(upstreams[0]).unwrap().bytes();
    bench.worker.blocked(upstreams[0]);
    bench.wait(29_000);
    // A little is enough for another thirty seconds.
    bench.worker.written(upstreams[0], Lane::ONLY, 1);
    bench.worker.blocked(upstreams[0]);
    bench.wait(29_000);
    assert_eq!(bench.end(upstreams[0]), None);
    bench.wait(1_010);
    assert_eq!(bench.end(upstreams[0]), Some((CloseReason::UpstreamTimeout, 1014)));
    assert!(bench.take(id).contains(r"\x03\xf6upstream took nothing for too long"));
    bench.worker.peer_ended(id, Some(None));
    assert_eq!(bench.end(id), Some((CloseReason::UpstreamTimeout, 1014)));
    assert!(bench.is_read(other), "the other one's upstream has nothing to take");
    let dropped = &bench.stats.clusters[0].delivery.dropped;
    assert_eq!(dropped.of(crate::DropReason::UpstreamEnded).value(), queued as u64 / 100);
    bench.worker.release(upstreams[0]);
    assert_eq!(bench.stats.clusters[0].closed.of(CloseReason::UpstreamTimeout).value(), 1);
}

#[test]
fn an_upstream_without_a_write_timeout_may_take_nothing_for_ever() {
    let policy = listener(Transport::Tcp, Route::Cluster(crate::ClusterId(0)), Vec::new());
    let mut bench = Bench::new(vec![policy]);
    bench.reload(|snapshot| snapshot.clusters[0].write_timeout = Duration::ZERO);
    let id = bench.open(0);
    let upstreams = bench.connect();
    while bench.say(id, &"x".repeat(99)) == Flow::Continue {}
    bench.worker.blocked(upstreams[0]);
    bench.wait(1_000_000);
    assert_eq!((bench.end(upstreams[0]), bench.end(id)), (None, None));
}
