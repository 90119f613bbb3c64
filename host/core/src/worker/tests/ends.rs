//! Ends: from the client, from the upstream, from the gateway.

use super::*;
use crate::{CloseReason, ClusterId, DropReason, TargetKind};

fn cluster(transport: Transport, links: Vec<Link>) -> Bench {
    Bench::new(vec![listener(transport, Route::Cluster(ClusterId(0)), links)])
}

#[test]
fn the_close_frame_comes_after_what_is_queued_and_there_is_only_one() {
    let mut bench = Bench::new(vec![listener(Transport::WebSocket, Route::Echo, Vec::new())]);
    let id = bench.open(0);
    bench.say(id, "one");
    bench.worker.close(id, CloseReason::Shutdown);
    bench.worker.close(id, CloseReason::IdleTimeout);
    assert_eq!(bench.say(id, "too late"), Flow::Stop);
    assert_eq!(bench.take(id), r"\x81\x03one\x88\x17\x03\xe9gateway is going away");
    assert_eq!(bench.worker.status(id), Status::Lingering);
    bench.worker.peer_ended(id, Some(Some((1001, "".into()))));
    assert_eq!(bench.end(id), Some((CloseReason::Shutdown, 1001)));
    let farewell = bench.worker.release(id).unwrap();
    assert_eq!((farewell.messages, farewell.peer.as_deref()), ([1, 1], Some("192.0.2.1:1")));
    assert!(bench.worker.release(id).is_none());
    bench.worker.check_invariants();
}

#[test]
fn a_client_that_closes_is_answered_with_its_own_code() {
    let mut bench = Bench::new(vec![listener(Transport::WebSocket, Route::Echo, Vec::new())]);
    for (said, answer) in [(Some((4321, "so".into())), r"\x88\x04\x10\xe1so"), (None, r"\x88\x02\x03\xe8")] {
        let id = bench.open(0);
        bench.worker.peer_ended(id, Some(said));
        assert_eq!(bench.take(id), answer);
        assert_eq!(bench.end(id).unwrap().0, CloseReason::Client);
    }
    // A stream that ends without a close frame is broken.
    let id = bench.open(0);
    bench.worker.peer_ended(id, None);
    assert_eq!(bench.end(id), Some((CloseReason::ClientReset, 1006)));
}

#[test]
fn a_broken_protocol_is_answered_with_the_code_for_it() {
    use weir_codec::WireError;
    let too_long = WireError::TooLong { claimed: 1 << 63, limit: 9 };
    for (error, reason, code) in [
        (too_long, CloseReason::MessageTooLong, 1009),
        (WireError::InvalidUtf8, CloseReason::InvalidUtf8, 1007),
        (WireError::WebSocket("x"), CloseReason::Protocol, 1002),
    ] {
        let mut bench = Bench::new(vec![listener(Transport::WebSocket, Route::Echo, Vec::new())]);
        let id = bench.open(0);
        assert_eq!(bench.worker.broken(id, &error), Flow::Stop);
        bench.take(id);
        bench.wait(2_010);
        assert_eq!(bench.end(id), Some((reason, code)));
    }
}

#[test]
fn a_plugin_closes_with_a_code_that_can_be_said() {
    for (code, said) in [(4000, 4000), (1006, 1008), (0, 1008)] {
        let plugin = Plugin::new("judge", move |_, _| {
            Ok(Verdict::Close(Rejection { code, reason: "x".repeat(500).into() }))
        });
        let mut bench = Bench::new(vec![listener(Transport::WebSocket, Route::Echo, vec![plugin.link(0)])]);
        let id = bench.open(0);
        assert_eq!(bench.say(id, "x"), Flow::Stop);
        bench.take(id);
        bench.worker.lost(id);
        let Status::Ended(end) = bench.worker.status(id) else { panic!("it ended") };
        assert_eq!((end.reason, end.said.code, end.said.reason.len()), (CloseReason::Plugin, said, 123));
    }
}

#[test]
fn a_half_closed_client_gets_its_echoes() {
    let mut bench = echo(Vec::new());
    let id = bench.open(0);
    bench.say(id, "one");
    bench.worker.peer_ended(id, None);
    assert!(matches!(bench.worker.status(id), Status::Active { read: false, .. }));
    assert_eq!(bench.take(id), "one");
    assert_eq!(bench.end(id), Some((CloseReason::Client, 1000)));
}

#[test]
fn a_half_closed_client_gets_the_answers_of_its_upstream() {
    let mut bench = cluster(Transport::Tcp, Vec::new());
    let id = bench.open(0);
    bench.say(id, "question");
    bench.worker.peer_ended(id, None);
    let [upstream] = bench.connect()[..] else { panic!("one upstream") };
    assert_eq!(bench.worker.status(upstream), Status::Active { read: true, finish: false });
    assert_eq!(bench.take(upstream), "question");
    assert_eq!(bench.worker.status(upstream), Status::Active { read: true, finish: true });
    bench.say(upstream, "answer");
    bench.worker.peer_ended(upstream, None);
    assert_eq!(bench.take(id), "answer");
    assert_eq!(bench.end(id), Some((CloseReason::Client, 1000)));
}

#[test]
fn a_half_closed_client_gets_what_is_held() {
    let herald = |name| {
        Plugin::new(name, |message, call| {
            call.effects.push(send(crate::Target::Session(message.session), "before"));
            Ok(pass())
        })
    };
    let holder = || {
        let plugin = Plugin::new("holder", |_, _| Ok(Verdict::Hold(100)));
        plugin.on_failure(OnFailure::Open)
    };
    for links in [
        // Held, and a plugin behind it that has effects.
        vec![holder().link(0), herald("herald").link(1)],
        vec![herald("herald").link(1), holder().outbound().link(0)],
    ] {
        let mut bench = echo(links);
        let id = bench.open(0);
        bench.say(id, "held");
        bench.worker.peer_ended(id, None);
        assert!(bench.worker.owes(id));
        bench.wait(110);
        bench.wait(110);
        assert_eq!(bench.take(id), "before held");
        assert_eq!(bench.end(id), Some((CloseReason::Client, 1000)));
    }
}

#[test]
fn an_upstream_that_cannot_be_reached_ends_the_session_and_counts_what_waited() {
    let mut bench = cluster(Transport::WebSocket, Vec::new());
    let id = bench.open(0);
    bench.say(id, "one");
    bench.say(id, "two");
    let connect = bench.worker.take_connects()[0];
    bench.worker.connect_failed(connect.conn);
    assert!(bench.worker.release(connect.conn).is_some());
    bench.worker.check_invariants();
    assert!(bench.take(id).contains(r"\x03\xf5upstream is unreachable"));
    let delivery = &bench.stats.clusters[0].delivery;
    assert_eq!(delivery.dropped.of(DropReason::UpstreamUnreachable).value(), 2);
    assert_eq!(bench.stats.listeners[0].inbound.routed[TargetKind::Cluster as usize].value(), 2);
}

#[test]
fn an_upstreams_own_end_is_passed_on() {
    for (said, code) in [(Some(Some((4321, "because".into()))), 4321), (Some(None), 1000), (None, 1000)] {
        let mut bench = cluster(Transport::WebSocket, Vec::new());
        bench.reload(|snapshot| {
            if said.is_some() {
                snapshot.clusters[0].wire = Wire::WebSocket { role: Role::Client };
            }
        });
        let id = bench.open(0);
        let [upstream] = bench.connect()[..] else { panic!("one upstream") };
        bench.say(upstream, "last");
        bench.worker.peer_ended(upstream, said);
        let written = bench.take(id);
        assert!(written.starts_with(r"\x81\x04last\x88"), "{written}");
        bench.worker.lost(id);
        assert_eq!(bench.end(id), Some((CloseReason::UpstreamClosed, code)));
    }
}

#[test]
fn an_upstream_that_breaks_its_protocol_is_not_the_clients_fault() {
    let mut bench = cluster(Transport::WebSocket, Vec::new());
    bench.reload(|snapshot| snapshot.clusters[0].wire = Wire::WebSocket { role: Role::Client });
    let ids = [bench.open(0), bench.open(0), bench.open(0)];
    let upstreams = bench.connect();
    bench.worker.broken(upstreams[0], &weir_codec::WireError::InvalidUtf8);
    for _ in 0..21 {
        bench.worker.ping(upstreams[1], b"");
    }
    bench.worker.lost(upstreams[2]);
    for id in ids {
        bench.take(id);
        bench.worker.lost(id);
        assert_eq!(bench.end(id), Some((CloseReason::UpstreamFailed, 1014)));
    }
}

#[test]
fn what_a_client_said_last_reaches_its_upstream() {
    let mut bench = cluster(Transport::Tcp, Vec::new());
    let id = bench.open(0);
    bench.say(id, "last words");
    bench.worker.lost(id);
    let connect = bench.worker.take_connects()[0];
    assert!(bench.worker.connected(connect.conn), "it has something to say");
    assert_eq!(bench.take(connect.conn), "last words");
    assert_eq!(bench.worker.status(connect.conn), Status::Lingering);
    // One that nobody needs is not made.
    let id = bench.open(0);
    bench.worker.lost(id);
    let connect = bench.worker.take_connects()[0];
    assert!(!bench.worker.connected(connect.conn));
    assert!(bench.worker.release(connect.conn).is_some());
}

#[test]
fn a_drain_ends_everybody_in_order_and_a_kill_at_once() {
    for (reason, code) in [(CloseReason::Shutdown, 1001), (CloseReason::Killed, 1001)] {
        let mut bench = cluster(Transport::WebSocket, Vec::new());
        let ids = [bench.open(0), bench.open(0)];
        let upstreams = bench.connect();
        bench.say(ids[0], "to the upstream");
        if reason == CloseReason::Shutdown {
            bench.worker.drain(Duration::ZERO, Duration::ZERO);
        } else {
            bench.worker.kill_all();
        }
        bench.worker.check_invariants();
        for id in ids {
            if reason == CloseReason::Shutdown {
                assert!(bench.take(id).starts_with(r"\x88"));
                bench.worker.peer_ended(id, Some(None));
            }
            assert_eq!(bench.end(id), Some((reason, code)));
            bench.worker.release(id);
        }
        for upstream in upstreams {
            bench.take(upstream);
            bench.wait(2_010);
            assert!(bench.end(upstream).is_some());
            bench.worker.release(upstream);
        }
        assert_eq!(bench.worker.connections(), 0);
        assert_eq!(bench.stats.connections.value(), 0);
    }
}

#[test]
fn a_drain_is_spread_over_its_time_and_says_when_to_come_back() {
    let policy = listener(Transport::WebSocket, Route::Echo, Vec::new());
    let mut bench = Bench::new(vec![policy]);
    let ids: Vec<_> = (0..100).map(|_| bench.open(0)).collect();
    bench.worker.drain(Duration::from_secs(10), Duration::from_secs(20));
    let mut waits = Vec::new();
    for tenth in 1..=10 {
        bench.wait(1_000);
        let told: Vec<_> = ids.iter().map(|id| bench.take(*id)).filter(|said| !said.is_empty()).collect();
        assert!((3..=20).contains(&told.len()), "{} in second {tenth}", told.len());
        for said in told {
            let (_, wait) = said.split_once("gateway is going away; retry-after-ms=").expect("a hint");
            waits.push(wait.parse::<u32>().expect("a number"));
        }
    }
    assert_eq!(waits.len(), 100, "everybody was told");
    assert!(waits.iter().all(|wait| *wait < 20_000));
    waits.dedup();
    assert!(waits.len() > 90, "each another time");
}

#[test]
fn a_client_that_does_not_take_its_end_is_let_go() {
    let mut bench = echo(Vec::new());
    let id = bench.open(0);
    bench.say(id, "x");
    bench.worker.close(id, CloseReason::Shutdown);
    bench.wait(4_990);
    assert_eq!(bench.end(id), None);
    bench.wait(20);
    assert_eq!(bench.end(id), Some((CloseReason::Shutdown, 1001)));
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::SessionEnded).value(), 1);
}
