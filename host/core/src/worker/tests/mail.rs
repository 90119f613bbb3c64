//! Letters between workers.

use super::*;
use crate::mail::Outbox;
use crate::{DropReason, Target};

/// A worker beside the bench's, with the same snapshot and directory.
fn neighbour(bench: &Bench) -> (Worker, Arc<WorkerStats>) {
    let stats = Arc::new(WorkerStats::new(bench.snapshot.listeners.len(), 2));
    let mut worker =
        Worker::new(WorkerId(1), bench.source.clone(), bench.directory.clone(), stats.clone(), 2, 2);
    worker.turn(bench.now());
    (worker, stats)
}

fn open(worker: &mut Worker) -> ConnId {
    let listener = ListenerId(0);
    let opening = Opening {
        listener,
        peer: "192.0.2.2:2".into(),
        tls: None,
        request: Vec::new(),
        wire: line(),
        hello: None,
    };
    worker.open(opening).unwrap()
}

fn carry(from: &mut Worker, to: &mut Worker, number: u8) -> usize {
    let Some(post) = from.mail(WorkerId(number)) else { return 0 };
    let letters = post.letters.len();
    from.posted(post.to, letters);
    to.deliver(post.letters);
    to.check_invariants();
    letters
}

fn room() -> Bench {
    let mut policy = listener(Transport::Tcp, Route::Group("room".into()), Vec::new());
    policy.join.push("room".into());
    Bench::new(vec![policy])
}

#[test]
fn a_group_and_a_session_are_reached_in_order_on_another_worker() {
    let plugin = Plugin::new("router", |message, _| {
        let words = std::str::from_utf8(&message.payload).unwrap();
        let to = words.strip_prefix("to ").and_then(|id| id.parse().ok());
        let route = to.map(|id| Target::Session(SessionId::from_raw(id)));
        Ok(Verdict::Forward(Forwarding { payload: None, route }))
    });
    let mut bench = room();
    bench.reload(|snapshot| snapshot.listeners[0].chain = Chain::new(vec![plugin.link(0)]));
    let (mut other, stats) = neighbour(&bench);
    let there = open(&mut other);
    let id = bench.open(0);
    bench.say(id, "one");
    let two = format!("to {}", there.raw());
    bench.say(id, &two);
    bench.say(id, "three");
    assert_eq!(carry(&mut bench.worker, &mut other, 1), 3);
    let mut slices = [IoSlice::new(&[]); 4];
    let count = other.queue(there).unwrap().slices(Lane::ONLY, &mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
    assert_eq!(bytes, format!("one\n{two}\nthree\n").into_bytes());
    // One that is gone when the letters arrive is counted there, and so is a group that has nobody left there.
    bench.say(id, &two);
    bench.say(id, "four");
    other.lost(there);
    other.release(there);
    assert_eq!(carry(&mut bench.worker, &mut other, 1), 2);
    assert_eq!(stats.nobody().dropped.of(DropReason::UnknownSession).value(), 1);
    assert_eq!(stats.nobody().dropped.of(DropReason::EmptyGroup).value(), 1);
    assert_eq!(bench.take(id), "one three four");
}

#[test]
fn wishes_reach_the_owner_of_the_session() {
    let plugin = Plugin::new("host", |message, call| {
        let words = std::str::from_utf8(&message.payload).unwrap();
        let session = SessionId::from_raw(words.parse().unwrap());
        call.effects.push(Effect::Join { session, group: "elsewhere".into() });
        call.effects.push(Effect::SetAttribute { session, name: "k".into(), value: Some("v".into()) });
        call.effects.push(Effect::Release {
            session,
            direction: Direction::Inbound,
            sequence: 1,
            verdict: pass(),
        });
        Ok(pass())
    });
    let link = plugin.link(0);
    let stats = link.stats.clone();
    let mut bench = echo(vec![link]);
    let (mut other, _) = neighbour(&bench);
    let there = open(&mut other);
    let id = bench.open(0);
    bench.say(id, &there.raw().to_string());
    carry(&mut bench.worker, &mut other, 1);
    assert_eq!(bench.directory.members("elsewhere"), 1);
    assert_eq!(&*bench.directory.attributes(there).unwrap()["k"], "v");
    assert_eq!(stats[1].refused_effects.value(), 1, "it holds no such message");
}

#[test]
fn whoever_fills_a_mailbox_is_not_read_until_there_is_room() {
    let mut bench = room();
    let (mut other, _) = neighbour(&bench);
    open(&mut other);
    let [id, another] = [bench.open(0), bench.open(0)];
    let mut said = 0;
    while bench.worker.received(id, Lane::ONLY, Kind::Text, Payload::Borrowed(b"x")) == Flow::Continue {
        said += 1;
    }
    assert_eq!(said + 1, Outbox::FULL);
    assert!(bench.is_read(another), "it has not filled it");
    assert_eq!(bench.say(another, "x"), Flow::Pause);
    let post = bench.worker.mail(WorkerId(1)).unwrap();
    assert_eq!(bench.say(another, "x"), Flow::Pause, "in hand is not in the mailbox");
    bench.worker.posted(WorkerId(1), 1000);
    assert!(!bench.is_read(id));
    bench.worker.posted(WorkerId(1), post.letters.len() - 1000);
    assert!(bench.is_read(id) && bench.is_read(another));
    bench.worker.check_invariants();
}

#[test]
fn a_mailbox_is_bounded_in_bytes_too() {
    let mut bench = room();
    let (mut other, _) = neighbour(&bench);
    open(&mut other);
    let id = bench.open(0);
    let long = vec![b'x'; 90_000];
    let mut said = 1;
    while bench.worker.received(id, Lane::ONLY, Kind::Binary, Payload::Borrowed(&long)) == Flow::Continue {
        said += 1;
    }
    assert!((90..100).contains(&said), "{said} messages of 90,000 bytes in 8 MiB");
}

#[test]
fn what_a_full_mailbox_does_not_take_is_counted() {
    let plugin = Plugin::new("flood", |_, call| {
        call.effects.extend((0..10_000).map(|_| send(Target::Group("room".into()), "x")));
        Ok(Verdict::Drop("no".into()))
    });
    let mut bench = echo(vec![plugin.link(0)]);
    let (mut other, _) = neighbour(&bench);
    let there = open(&mut other);
    let id = bench.open(0);
    let join = Effect::Join { session: there, group: "room".into() };
    let by = crate::GenerationId { binding: BindingId(0), generation: 1 };
    other.deliver(vec![crate::Mail(crate::mail::Letter::Effect { by, effect: join })]);
    for _ in 0..4 {
        bench.say(id, "x");
    }
    let lost = 40_000 - Outbox::BURST as u64;
    assert_eq!(bench.stats.sends.dropped.of(DropReason::MailboxFull).value(), lost);
    // With a member here the message has arrived, though not there; that is counted beside.
    bench.reload(|snapshot| snapshot.listeners[0].join.push("room".into()));
    bench.open(0);
    bench.say(id, "x");
    assert_eq!(bench.stats.nobody().dropped.of(DropReason::MailboxFull).value(), 10_000);
    bench.worker.check_invariants();
}
