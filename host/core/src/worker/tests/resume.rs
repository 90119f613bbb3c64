//! Clients that lose their connections and come back.

use super::{Bench, Journal, Plugin, line, listener};
use crate::{
    CloseReason, ConnId, DropReason, Effect, Hello, Kind, Lane, Limits, ListenerId, ListenerPolicy, Opening,
    Payload, Resumption, Route, SessionId, Status, Target, Time, TlsInfo, Tokens, Transport,
};
use std::sync::Arc;
use std::time::Duration;
use weir_codec::websocket::Role;
use weir_codec::{Framing, Prefix, Wire};

#[derive(Debug)]
struct Plain;

impl Tokens for Plain {
    fn issue(&self, session: SessionId, expires: Time) -> String {
        format!("{session}-{}", expires.0 / 1_000_000)
    }
}

pub(super) fn resumable(mut policy: ListenerPolicy, scope: &str) -> ListenerPolicy {
    policy.resume = Some(Arc::new(Resumption {
        window: Duration::from_mins(1),
        buffer: 400,
        away: 2,
        scope: scope.into(),
        lifetime: Duration::from_hours(1),
        tokens: Arc::new(Plain),
    }));
    policy
}

fn group(transport: Transport) -> ListenerPolicy {
    let mut policy = listener(transport, Route::Group("room".into()), Vec::new());
    policy.join = vec!["room".into()];
    policy
}

pub(super) fn opening(listener: u16, wire: Wire) -> Opening {
    Opening {
        listener: ListenerId(listener),
        peer: "192.0.2.7:7".into(),
        tls: None,
        request: Vec::new(),
        wire,
        hello: Some(Hello::New),
    }
}

impl Bench {
    fn open_resumable(&mut self, listener: u16) -> ConnId {
        let id = self.worker.open(opening(listener, line())).unwrap();
        self.worker.check_invariants();
        id
    }

    fn lose(&mut self, id: ConnId) {
        self.worker.lost(id);
        self.worker.check_invariants();
    }

    /// What the client is told first, without its token.
    fn resume(&mut self, id: ConnId, received: u64) -> bool {
        let resumed = self.worker.resume(id, received, opening(0, line())).is_ok();
        self.worker.check_invariants();
        resumed
    }

    fn away(&self) -> u64 {
        self.stats.listeners[0].resume.away.value()
    }
}

fn is_parted(bench: &Bench, id: ConnId) -> bool {
    matches!(bench.worker.status(id), Status::Parted(_))
}

/// One client whose session can be resumed, welcomed, and a plain one that speaks to it.
fn two() -> (Bench, ConnId, ConnId) {
    let mut bench = Bench::new(vec![resumable(group(Transport::Tcp), "a")]);
    let id = bench.open_resumable(0);
    let other = bench.open(0);
    bench.take(id);
    (bench, id, other)
}

#[test]
fn a_client_that_says_hello_is_welcomed_before_anything_else() {
    let journal = Journal::default();
    let mut plugin = Plugin::pass("p").journal(&journal);
    plugin.open = Box::new(|_, call| {
        call.effects.push(super::send(Target::Echo, "hi"));
        Ok(Ok(()))
    });
    let policy = resumable(listener(Transport::Tcp, Route::Echo, vec![plugin.link(1)]), "a");
    let mut bench = Bench::new(vec![policy]);
    let id = bench.open_resumable(0);
    let raw = id.raw();
    assert_eq!(
        bench.take(id),
        format!(
            "\\x00WSN welcome 1 session={raw:x} token={id}-3600 expires=3600 window=60 buffer=400 idle=75 received=0 sent=0 \
             resumed=false hi"
        )
    );
    let late = Opening { hello: Some(Hello::Unknown), ..opening(0, line()) };
    let late = bench.worker.open(late).unwrap();
    assert!(bench.take(late).contains("resumed=false reason=unknown hi"));
}

#[test]
fn what_is_said_while_it_is_away_follows_when_it_is_back() {
    let (mut bench, id, other) = two();
    bench.say(other, "one");
    assert_eq!(bench.take(id), "one");
    bench.say(other, "two");
    bench.lose(id);
    assert!(is_parted(&bench, id));
    assert_eq!((bench.away(), bench.directory.members("room")), (1, 2));
    bench.say(other, "three");
    bench.wait(59_000);
    assert!(bench.resume(id, 1));
    let said = bench.take(id);
    assert!(said.ends_with("received=0 sent=1 resumed=true two three"), "{said}");
    bench.say(other, "four");
    assert_eq!(bench.take(id), "four");
    let stats = bench.stats.clone();
    let stats = &stats.listeners[0];
    assert_eq!((stats.resume.resumed.value(), stats.resume.again.value(), bench.away()), (1, 2, 0));
    // To each of the two: four messages.
    bench.take(other);
    assert_eq!(stats.outbound.delivered.value(), 8);
}

#[test]
fn what_was_on_its_way_when_the_connection_broke_is_written_again() {
    let (mut bench, id, other) = two();
    for text in ["one", "two", "three"] {
        bench.say(other, text);
    }
    assert_eq!(bench.take(id), "one two three");
    bench.lose(id);
    assert!(bench.resume(id, 1));
    assert!(bench.take(id).ends_with("sent=1 resumed=true two three"));
    bench.take(other);
    assert_eq!(bench.stats.listeners[0].outbound.delivered.value(), 6, "each is counted once");
}

#[test]
fn what_is_confirmed_is_not_kept() {
    let (mut bench, id, other) = two();
    for number in 0..40 {
        bench.say(other, &format!("message {number:03}"));
        assert_eq!(bench.take(id), format!("message {number:03}"));
        bench.say(id, &format!("\0WSN ack {}", number + 1));
    }
    bench.lose(id);
    assert!(bench.resume(id, 40));
    assert!(bench.take(id).ends_with("received=0 sent=40 resumed=true"), "acks are no messages");
    bench.say(id, "\0WSN ack 41");
    assert_eq!(bench.end(id), None);
    bench.take(id);
    bench.worker.peer_ended(id, None);
    assert_eq!(bench.end(id), Some((CloseReason::Protocol, 1002)));
}

#[test]
fn what_does_not_fit_is_told() {
    let (mut bench, id, other) = two();
    bench.lose(id);
    for number in 0..10 {
        bench.say(other, &format!("{number} {}", "x".repeat(40)));
    }
    assert!(bench.resume(id, 0));
    let said = bench.take(id);
    let missed: u64 = said.split("missed=").last().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((1..10).contains(&missed) && said.contains("resumed=false reason=missed"), "{said}");
    assert!(said.contains(&format!("sent={missed} ")), "{said}");
    assert!(
        said.contains(&format!(" {missed} xxx")) && !said.contains(&format!(" {} xxx", missed - 1)),
        "{said}"
    );
    let dropped = &bench.stats.listeners[0].outbound.dropped;
    assert_eq!(dropped.of(DropReason::AwayFull).value(), missed);
}

#[test]
fn nobody_comes_back_after_the_window_or_as_somebody_else() {
    let (mut bench, id, other) = two();
    bench.lose(id);
    bench.say(other, "for nobody");
    bench.wait(59_990);
    assert!(is_parted(&bench, id) && !bench.worker.has_lapsed());
    bench.wait(20);
    assert_eq!(bench.worker.take_lapsed(), [id]);
    assert!(!bench.resume(id, 0));
    let farewell = bench.worker.release(id).unwrap();
    assert_eq!(farewell.end.reason, CloseReason::ClientReset);
    assert_eq!((bench.away(), bench.directory.members("room")), (0, 1));
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::SessionEnded).value(), 1);

    let plain = bench.open(0);
    assert!(!bench.resume(plain, 0), "it never said hello");
    let mine = bench.open_resumable(0);
    assert!(!bench.resume(mine, 1), "there were not so many messages");
    let tls = TlsInfo { client_subject: Some("CN=eve".into()), ..TlsInfo::default() };
    let eve = Opening { tls: Some(tls), ..opening(0, line()) };
    assert!(bench.worker.resume(mine, 0, eve).is_err());
    assert!(bench.resume(mine, 0));
}

#[test]
fn a_client_is_faster_than_the_news_of_its_loss() {
    let (mut bench, id, other) = two();
    bench.say(other, "one");
    assert_eq!(bench.worker.transport_of(id), Some(0));
    assert!(bench.resume(id, 0));
    assert_eq!(bench.worker.transport_of(id), Some(1));
    assert!(bench.take(id).ends_with("sent=0 resumed=true one"));
    assert_eq!(bench.away(), 0);
}

#[test]
fn only_so_many_wait() {
    let mut bench = Bench::new(vec![resumable(group(Transport::Tcp), "a")]);
    let ids: Vec<_> = (0..3).map(|_| bench.open_resumable(0)).collect();
    for id in &ids {
        bench.lose(*id);
    }
    assert_eq!((bench.away(), bench.end(ids[2])), (2, Some((CloseReason::ClientReset, 1006))));
    assert_eq!(bench.stats.listeners[0].resume.crowded.value(), 1);
}

#[test]
fn an_end_in_order_is_the_end() {
    let (mut bench, id, _) = two();
    bench.say(id, "\0WSN bye");
    bench.worker.peer_ended(id, None);
    assert_eq!(bench.away(), 0);
    let cut = bench.open_resumable(0);
    bench.worker.peer_ended(cut, None);
    assert!(is_parted(&bench, cut), "it did not say goodbye");
    let told = bench.open_resumable(0);
    bench.worker.close(told, CloseReason::Shutdown);
    assert!(!is_parted(&bench, told));
    // Who waits is told to go like everybody.
    bench.worker.drain(Duration::ZERO, Duration::ZERO);
    assert_eq!(bench.worker.take_lapsed(), [cut]);
}

#[test]
fn a_page_that_is_loaded_anew_has_its_session_again() {
    let mut bench = Bench::new(vec![resumable(group(Transport::WebSocket), "a")]);
    for (code, waits) in [(1001, true), (1000, false)] {
        let wire = Wire::WebSocket { role: Role::Server };
        let id = bench.worker.open(opening(0, wire)).unwrap();
        bench.worker.peer_ended(id, Some(Some((code, "".into()))));
        bench.worker.check_invariants();
        assert_eq!(is_parted(&bench, id), waits, "{code}");
    }
}

#[test]
fn words_of_the_gateway_are_its_own() {
    let (mut bench, id, other) = two();
    bench.say(other, "\0WSN welcome 1 token=evil");
    assert_eq!(bench.take(id), "");
    assert_eq!(bench.take(other), "\\x00WSN welcome 1 token=evil", "to a plain client they mean nothing");
    assert_eq!(bench.stats.listeners[0].outbound.dropped.of(DropReason::Reserved).value(), 1);
    bench.say(id, "\0WSN ping 12");
    assert_eq!(bench.take(id), "\\x00WSN pong 12");
    for _ in 0..20 {
        bench.say(id, "\0WSN ping 12");
    }
    bench.take(id);
    bench.worker.peer_ended(id, None);
    assert_eq!(bench.end(id), Some((CloseReason::PingFlood, 1008)));
}

#[test]
fn upstreams_are_held_back_while_as_much_waits_as_may() {
    let route = Route::Cluster(crate::ClusterId(0));
    let mut bench = Bench::new(vec![resumable(listener(Transport::Tcp, route, Vec::new()), "a")]);
    let id = bench.open_resumable(0);
    let upstream = bench.connect()[0];
    bench.take(id);
    bench.lose(id);
    while bench.is_read(upstream) {
        bench.say(upstream, &"y".repeat(60));
    }
    assert_eq!(bench.stats.listeners[0].outbound.dropped.total(), 0);
    assert!(bench.resume(id, 0));
    assert!(bench.take(id).contains("resumed=true yyy"));
    assert!(bench.is_read(upstream));
}

#[test]
fn a_session_moves_to_another_listener_with_all_that_it_has() {
    let journal = Journal::default();
    let chain = |names: &[(&'static str, u16)]| {
        names.iter().map(|(name, at)| Plugin::pass(name).journal(&journal).link(*at)).collect::<Vec<_>>()
    };
    let mut first = group(Transport::Tcp);
    first.chain = crate::Chain::new(chain(&[("a", 1), ("b", 2)]));
    let mut second = group(Transport::Quic);
    second.chain = crate::Chain::new(chain(&[("c", 3), ("b", 2)]));
    second.join.push("quick".into());
    let other_scope = resumable(group(Transport::Tcp), "other");
    let mut bench = Bench::new(vec![resumable(first, "s"), resumable(second, "s"), other_scope]);
    let id = bench.open_resumable(0);
    let other = bench.open(0);
    bench.take(id);
    bench.say(other, "one");
    bench.lose(id);
    assert!(bench.worker.resume(id, 0, opening(2, line())).is_err(), "another scope");
    journal.lock().unwrap().clear();
    let wire = Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U8, max: 255 }));
    assert!(bench.worker.resume(id, 0, opening(1, wire)).is_ok());
    bench.worker.lane_opened(id, Lane(4));
    bench.worker.check_invariants();
    assert_eq!(*journal.lock().unwrap(), ["a close 1000", "c open"]);
    assert!(bench.take_on(id, Lane(4)).ends_with("resumed=true\\x03one"));
    assert_eq!(bench.directory.members("quick"), 1);
    let sessions = |at: usize| bench.stats.listeners[at].sessions.value();
    assert_eq!((sessions(0), sessions(1)), (1, 1));
    let stats = &bench.stats.listeners;
    assert_eq!(stats[0].outbound.dropped.of(DropReason::Moved).value(), 1);
    assert_eq!(stats[1].outbound.delivered.value(), 1);
    assert_eq!(&*bench.directory.attributes(id).unwrap()["weir.listener"], "test");
    bench.worker.close(id, CloseReason::Shutdown);
    let ended = journal.lock().unwrap().split_off(2);
    assert_eq!(ended, ["b close 1001", "c close 1001"]);
}

#[test]
fn the_end_of_its_stream_is_the_loss_of_the_connection() {
    let mut bench = Bench::new(vec![resumable(group(Transport::Quic), "s")]);
    let wire = Wire::Framed(Arc::new(Framing::Length { prefix: Prefix::U8, max: 255 }));
    let id = bench.worker.open(opening(0, wire)).unwrap();
    bench.worker.lane_opened(id, Lane(0));
    bench.worker.lane_opened(id, Lane(4));
    bench.take_on(id, Lane(0));
    bench.say_on(id, Lane(4), "one");
    assert_eq!(bench.take_on(id, Lane(0)), "\\x03one", "whichever stream it came on");
    bench.worker.lane_ended(id, Lane(4));
    assert!(!is_parted(&bench, id));
    bench.worker.lane_ended(id, Lane(0));
    assert!(is_parted(&bench, id));
}

#[test]
fn a_held_message_waits_with_its_session() {
    let plugin = Plugin::new("h", |message, _| {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        Ok(if text == "wait" { crate::Verdict::Hold(5_000) } else { super::pass() })
    });
    let policy = resumable(
        listener(Transport::Tcp, Route::Echo, vec![plugin.on_failure(crate::OnFailure::Open).link(1)]),
        "a",
    );
    let mut bench = Bench::new(vec![policy]);
    let id = bench.open_resumable(0);
    bench.take(id);
    bench.say(id, "wait");
    bench.lose(id);
    bench.wait(6_000);
    assert!(bench.resume(id, 0));
    assert!(bench.take(id).ends_with("received=1 sent=0 resumed=true wait"));
}

#[test]
fn a_silent_client_is_lost_not_ended_and_a_first_message_is_not_asked_for() {
    let mut policy = resumable(group(Transport::WebSocket), "a");
    policy.limits =
        Limits { first_message_timeout: Duration::from_secs(5), queue: 1000, ..Limits::default() };
    let mut bench = Bench::new(vec![policy]);
    let wire = Wire::WebSocket { role: Role::Server };
    let id = bench.worker.open(opening(0, wire)).unwrap();
    let plain = bench.open(0);
    bench.wait(6_000);
    assert_eq!((bench.end(id), is_parted(&bench, id)), (None, false));
    bench.take(plain);
    bench.worker.received(id, Lane::ONLY, Kind::Text, Payload::Borrowed(b"\0WSN ping 1"));
    bench.take(id);
    for _ in 0..10 {
        bench.wait(10_000);
        bench.take(id);
    }
    assert!(is_parted(&bench, id));
    assert_eq!(bench.stats.listeners[0].closed.total(), 0, "nobody has been released");
}

#[test]
fn two_times_that_are_over_at_once_are_one_loss() {
    let mut policy = resumable(group(Transport::Tcp), "a");
    // A link that stands still both ways: neither is the message complete, nor is anything taken.
    policy.limits.frame_timeout = Duration::from_secs(20);
    policy.limits.write_timeout = Duration::from_secs(20);
    policy.limits.idle_timeout = Duration::from_secs(20);
    let mut bench = Bench::new(vec![policy]);
    let id = bench.open_resumable(0);
    bench.worker.mid_frame(id, Some(true));
    bench.worker.blocked(id);
    bench.wait(20_000);
    assert!(is_parted(&bench, id), "{:?}", bench.end(id));
    assert!(bench.resume(id, 0));
}

#[test]
fn an_end_that_is_told_twice_is_one_loss() {
    let (mut bench, id, _) = two();
    bench.lose(id);
    bench.worker.peer_ended(id, None);
    bench.worker.peer_ended(id, Some(Some((1001, "".into()))));
    bench.lose(id);
    assert!(is_parted(&bench, id), "{:?}", bench.end(id));
}

#[test]
fn attributes_and_groups_are_as_they_were() {
    let plugin = Plugin::new("p", |message, call| {
        call.effects.push(Effect::SetAttribute {
            session: message.session,
            name: "user".into(),
            value: Some("ada".into()),
        });
        call.effects.push(Effect::Join { session: message.session, group: "vip".into() });
        Ok(super::pass())
    });
    let policy = resumable(listener(Transport::Tcp, Route::Echo, vec![plugin.link(1)]), "a");
    let mut bench = Bench::new(vec![policy]);
    let id = bench.open_resumable(0);
    bench.say(id, "hi");
    bench.take(id);
    bench.lose(id);
    assert!(bench.resume(id, 1));
    let attributes = bench.directory.attributes(id).unwrap();
    assert_eq!((&*attributes["user"], &*attributes["weir.peer"]), ("ada", "192.0.2.7:7"));
    assert_eq!(bench.directory.members("vip"), 1);
}
