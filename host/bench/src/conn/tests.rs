//! A client, a clock that stands still until it is moved, and a server that answers when it is told to.

use super::*;
use crate::shared::{Shared, Window};
use crate::tally::Tally;
use crate::trial::settings;

const MILLI: Nanos = 1_000_000;
/// When the load begins and is measured.
const START: Nanos = 1_000 * MILLI;
const END: Nanos = 3_000 * MILLI;

/// Clients of one thread, and what they have said that nobody has answered.
struct Load {
    shard: Shard,
    clients: Vec<(Conn, Vec<Vec<u8>>)>,
    now: Nanos,
}

impl Load {
    fn new(words: &[&str]) -> Self {
        let settings =
            Arc::new(settings(&[&["ws://127.0.0.1:1", "--timeout", "500ms"][..], words].concat()).unwrap());
        let shared = Arc::new(Shared::new(&settings));
        let mut shard = Shard::new(&settings, &shared, 0);
        let mut clients = Vec::new();
        for number in 0..settings.connections {
            let mut conn = Conn::new(number, &settings.target, &settings);
            conn.hello(&mut shard, &mut BytesMut::new());
            clients.push((conn, Vec::new()));
        }
        shared.begin(Window { start: START, from: START, to: END });
        shard.look();
        Self { shard, clients, now: START }
    }

    /// Lets one send what it may; gives how many messages that were.
    fn pump(&mut self, at: usize) -> usize {
        let mut out = BytesMut::new();
        let (conn, under_way) = &mut self.clients[at];
        conn.pump(self.now, &mut self.shard, &mut out, MOST_WAITING);
        let before = under_way.len();
        let mut server = Decoder::websocket(Role::Server, Limits { message: LONGEST, fragments: 8 });
        let mut bytes = &mut out[..];
        while !bytes.is_empty() {
            let decoded = server.decode(bytes).unwrap();
            let consumed = decoded.consumed;
            if let Some(Event::Message { payload, .. }) = decoded.event {
                under_way.push(payload.to_vec());
            }
            bytes = &mut bytes[consumed..];
        }
        under_way.len() - before
    }

    /// A message of the server.
    fn say(&mut self, at: usize, payload: &[u8]) {
        let mut frame = BytesMut::new();
        let wire = Wire::WebSocket { role: Role::Server };
        wire.encode(weir_codec::Kind::Binary, payload, [0; 4], &mut frame).unwrap();
        let conn = &mut self.clients[at].0;
        conn.received(&mut frame, self.now, &mut self.shard, &mut BytesMut::new()).unwrap();
    }

    /// Sends back the oldest message that one has under way.
    fn answer(&mut self, at: usize) {
        let oldest = self.clients[at].1.remove(0);
        self.say(at, &oldest);
    }

    /// Sends the oldest message of the first of them to another.
    fn answer_to(&mut self, at: usize) {
        let oldest = self.clients[0].1.remove(0);
        self.say(at, &oldest);
    }

    /// What was counted, when all has ended.
    fn end(mut self) -> Tally {
        for (conn, _) in &mut self.clients {
            conn.finish(&mut self.shard);
        }
        let mut tally = Tally::default();
        tally.add(std::mem::take(&mut self.shard.tally));
        tally
    }
}

fn errors(tally: &Tally) -> Vec<(&str, u64)> {
    tally.errors.iter().map(|(reason, trouble)| (reason.as_str(), trouble.count)).collect()
}

#[test]
fn what_an_open_loop_sent_late_counts_from_when_it_was_due() {
    let mut load = Load::new(&["-c", "1", "--rate", "1000"]);
    assert_eq!(load.pump(0), 1);
    // Nothing is done for a tenth of a second, whoever's fault that is; and the answers take another hundredth.
    load.now += 100 * MILLI;
    assert_eq!(load.pump(0), 100);
    load.now += 10 * MILLI;
    (0..101).for_each(|_| load.answer(0));
    // What was due meanwhile is not forgiven, either.
    load.now = END + 50 * MILLI;
    assert_eq!(load.pump(0), 2_000 - 101);
    (101..2_000).for_each(|_| load.answer(0));
    let tally = load.end();
    assert_eq!((tally.sent, tally.latency.len(), errors(&tally)), (2_000, 2_000, vec![]));
    let near = |value: u64, expected: Nanos| value.abs_diff(expected) <= expected / 500;
    // From when the second message after the stall was due.
    assert!(near(tally.latency.max(), END + 50 * MILLI - (START + 101 * MILLI)), "{}", tally.latency.max());
    assert!(near(tally.latency.min(), 10 * MILLI), "{}", tally.latency.min());
    assert!(near(tally.lateness.max(), END + 50 * MILLI - (START + 101 * MILLI)));
    assert_eq!(tally.received, 101, "in the measured time");
}

#[test]
fn what_was_due_and_never_sent_is_told() {
    let mut load = Load::new(&["-c", "2", "--rate", "1000"]);
    for at in [0, 1] {
        load.pump(at);
    }
    load.now += 100 * MILLI;
    assert_eq!(load.pump(0), 50, "they take turns");
    let tally = load.end();
    assert_eq!(errors(&tally), [("lost", 51), ("not_sent", 2_000 - 51)]);
}

#[test]
fn a_closed_loop_is_as_deep_as_it_says() {
    for size in ["64", "8"] {
        let mut load = Load::new(&["-c", "1", "--in-flight", "4", "--size", size]);
        assert_eq!((load.pump(0), load.pump(0)), (4, 0));
        load.answer(0);
        load.answer(0);
        assert_eq!((load.pump(0), load.pump(0)), (2, 0));
        (0..4).for_each(|_| load.answer(0));
        load.now = END;
        assert_eq!(load.pump(0), 0, "the load is over");
        let tally = load.end();
        assert_eq!((tally.sent, tally.latency.len(), errors(&tally)), (6, 6, vec![]));
    }
}

#[test]
fn what_nobody_answers_is_given_up_so_that_a_closed_loop_goes_on() {
    for size in ["64", "8"] {
        let mut load = Load::new(&["-c", "1", "--in-flight", "2", "--size", size]);
        assert_eq!(load.pump(0), 2);
        load.now += 500 * MILLI;
        assert!(!load.clients[0].0.look_for_losses(load.now, &mut load.shard), "--timeout has not passed");
        load.now += MILLI;
        assert!(load.clients[0].0.look_for_losses(load.now, &mut load.shard));
        // One comes after all.
        load.answer(0);
        assert_eq!(load.pump(0), 2, "{size}");
        let lost = load.clients[0].1.remove(0);
        (0..2).for_each(|_| load.answer(0));
        let tally = load.end();
        let marked = [("late", 1), ("lost", 1)];
        // Without markers it cannot be told which of those that were given up has come.
        let unmarked = [("late", 1), ("lost", 2)];
        assert_eq!(errors(&tally), if size == "64" { marked } else { unmarked }, "{}", lost.len());
    }
}

#[test]
fn a_publisher_waits_for_everybody() {
    // Numbers 0 and 1 publish; 2 and 4 are subscribers of the first's group, 3 and 5 of the second's.
    let mut load = Load::new(&["-c", "6", "--groups", "2"]);
    assert_eq!((load.pump(0), load.pump(0), load.pump(2)), (1, 0, 0));
    let published = load.clients[0].1.remove(0);
    load.say(2, &published);
    assert_eq!(load.pump(0), 0, "one of the group has not got it");
    load.say(4, &published);
    assert_eq!(load.pump(0), 1);
    // Its own message is nothing to a publisher, and an error to another group.
    load.say(0, &published);
    load.say(3, &published);
    let shared = Arc::clone(&load.shard.shared);
    let tally = load.end();
    assert_eq!((tally.sent, tally.received, errors(&tally)), (2, 2, vec![("misdirected", 1)]));
    assert_eq!((shared.due.load(Relaxed), shared.delivered.load(Relaxed)), (4, 2));
}

/// The check of a marker does not see everything: what was never sent is nobody's.
#[test]
fn what_was_never_sent_has_not_come() {
    for words in [&["-c", "1"][..], &["-c", "2", "--groups", "1"]] {
        let mut load = Load::new(words);
        load.pump(0);
        let mut never = [0; crate::marker::LENGTH];
        let run = load.shard.shared.run;
        crate::marker::Marker { run, connection: 0, sequence: 1 << 35, time: START }.write(&mut never);
        let receiver = load.clients.len() - 1;
        load.say(receiver, &never);
        load.answer_to(receiver);
        assert_eq!(load.pump(0), 1, "the closed loop is as it was");
        let tally = load.end();
        assert_eq!((tally.received, tally.errors["damaged"].count), (1, 1), "{words:?}");
    }
}

#[test]
fn messages_of_others_are_told_from_its_own() {
    let mut load = Load::new(&["-c", "2"]);
    load.pump(0);
    load.pump(1);
    let (own, others) = (load.clients[0].1.remove(0), load.clients[1].1.remove(0));
    load.say(0, &others);
    load.say(0, b"welcome");
    load.say(0, &own);
    load.say(0, &own);
    load.say(1, &others);
    let mut foreign = Load::new(&["-c", "1"]);
    // Of 4,096 runs one has the same mark.
    while foreign.shard.shared.run == load.shard.shared.run {
        foreign = Load::new(&["-c", "1"]);
    }
    foreign.pump(0);
    let foreign = foreign.clients[0].1.remove(0);
    load.say(1, &foreign);
    let tally = load.end();
    assert_eq!(errors(&tally), [("doubled", 1), ("foreign", 1), ("misdirected", 1)]);
    assert_eq!((tally.other, tally.received), (1, 2));
}
