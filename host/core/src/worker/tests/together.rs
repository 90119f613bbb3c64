//! Messages that come together: what becomes of them is what would have become of each alone.

use super::*;
use crate::{CloseReason, DropReason, Target};

#[test]
fn a_plugin_is_asked_once_for_several_messages() {
    let journal = Journal::default();
    let plugin = Plugin::mark("a").both().several(Some(Several::Each)).journal(&journal);
    let link = plugin.link(0);
    let stats = link.stats.clone();
    let mut bench = echo(vec![link]);
    let id = bench.open(0);
    // How long one takes must be known first.
    assert_eq!(bench.say_together(id, &["1", "2"], &[id]), ["1aa 2aa "]);
    assert_eq!(stats[0].batches.value(), 0);
    assert_eq!(bench.say_together(id, &["3", "4", "5"], &[id]), ["3aa 4aa 5aa "]);
    let lines = journal.lock().unwrap()[5..].to_vec();
    assert_eq!(lines, ["a takes 3", "a > 3", "a > 4", "a > 5", "a takes 3", "a < 3a", "a < 4a", "a < 5a"]);
    assert_eq!((stats[0].batches.value(), stats[0].calls.value(), stats[0].changed.value()), (2, 11, 10));
    bench.say_together(id, &["6"], &[id]);
    assert_eq!(stats[0].batches.value(), 2, "one alone is one alone");
}

#[test]
fn behind_a_verdict_that_closes_nothing_is_received() {
    let links = vec![
        Plugin::new("a", |message, _| {
            Ok(match &*message.payload {
                b"end" => Verdict::Close(Rejection::new(4000, "asked for")),
                b"gone" => Verdict::Drop("gone".into()),
                _ => pass(),
            })
        })
        .several(Some(Several::Each))
        .link(0),
    ];
    let stats = links[0].stats.clone();
    let mut bench = echo(links);
    let id = bench.open(0);
    bench.say(id, "1");
    assert_eq!(bench.say_together(id, &["gone", "2", "end", "3", "gone"], &[id]), ["1 2 "]);
    let inbound = &bench.stats.listeners[0].inbound;
    assert_eq!((inbound.received.value(), inbound.dropped.of(DropReason::SessionRejected).value()), (4, 1));
    assert_eq!((stats[0].calls.value(), stats[0].dropped.value(), stats[0].closed.value()), (6, 1, 1));
    bench.worker.peer_ended(id, None);
    assert_eq!(bench.end(id), Some((CloseReason::Plugin, 4000)));
}

#[test]
fn what_is_not_received_yet_is_not_asked_for_again() {
    let journal = Journal::default();
    let plugin = Plugin::pass("a").several(Some(Several::Each)).journal(&journal);
    let mut bench = echo(vec![plugin.link(0)]);
    let id = bench.open(0);
    bench.say(id, "first");
    // The queue of the client has room for a thousand bytes: its reading stops in the midst of them.
    let long: Vec<String> = (0..8).map(|number| format!("{number}{}", "-".repeat(200))).collect();
    let texts: Vec<&str> = long.iter().map(String::as_str).collect();
    let heard = bench.say_together(id, &texts, &[id]);
    assert_eq!(heard[0].split_whitespace().skip(1).collect::<Vec<_>>(), texts);
    let journal = journal.lock().unwrap();
    assert_eq!(journal.iter().filter(|line| line.contains("takes 8")).count(), 1);
    assert_eq!(journal.iter().filter(|line| line.contains('>')).count(), 9, "each was seen once");
}

#[test]
fn receivers_of_a_group_are_asked_for_together() {
    let journal = Journal::default();
    let plugin = Plugin::mark("o").outbound().several(Some(Several::Each)).journal(&journal);
    let mut policy = listener(Transport::Tcp, Route::Group("g".into()), vec![plugin.link(0)]);
    policy.join = vec!["g".into()];
    let mut bench = Bench::new(vec![policy]);
    let ids: Vec<_> = (0..5).map(|_| bench.open(0)).collect();
    for text in ["1", "2"] {
        bench.say(ids[0], text);
        let heard: Vec<_> = ids.iter().map(|id| bench.take(*id)).collect();
        assert_eq!(heard, vec![format!("{text}o"); 5]);
    }
    let journal = journal.lock().unwrap();
    let takes: Vec<_> = journal.iter().filter(|line| line.contains("takes")).collect();
    assert_eq!(takes, ["o takes 4", "o takes 5"]);
}

#[test]
fn a_call_that_fails_has_not_been() {
    let journal = Journal::default();
    let plugin =
        Plugin::new("a", |message, _| if &*message.payload == b"bad" { Err(trap()) } else { Ok(pass()) });
    let link = plugin.several(Some(Several::Each)).journal(&journal).link(0);
    let stats = link.stats.clone();
    let mut bench = echo(vec![link]);
    let id = bench.open(0);
    bench.say(id, "1");
    assert_eq!(bench.say_together(id, &["2", "bad", "3"], &[id]), ["1 2 3 "]);
    let failed = stats[0].failure(FailureCause::Trap).value();
    assert_eq!((failed, stats[0].batches_failed.value(), stats[0].calls.value()), (1, 1, 1 + 4));
    // For a while they go one by one, and then together again.
    bench.say_together(id, &["4", "5"], &[id]);
    assert_eq!(stats[0].batches.value(), 1);
    bench.wait(1_001);
    bench.say_together(id, &["6", "7"], &[id]);
    assert_eq!((stats[0].batches.value(), stats[0].batches_failed.value()), (2, 1));
}

#[test]
fn answers_that_cannot_be_are_an_error_and_cost_no_message() {
    for lie in [Several::TooFew, Several::TooMany, Several::Holds, Several::Asks, Several::Garbles] {
        let link = Plugin::mark("a").several(Some(lie)).link(0);
        let stats = link.stats.clone();
        let mut bench = echo(vec![link]);
        let id = bench.open(0);
        bench.say(id, "1");
        assert_eq!(bench.say_together(id, &["2", "3"], &[id]), ["1a 2a 3a "], "{lie:?}");
        assert_eq!(stats[0].failure(FailureCause::Answer).value(), 1, "{lie:?}");
        assert_eq!(bench.worker.take_notices().len(), 1);
    }
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What a plugin of this name says of a message is in the message alone.
fn moody(name: &'static str, several: Option<Several>, holds: bool) -> Plugin {
    let plugin = Plugin::new(name, move |message, _| {
        let bytes = message.payload.iter().chain(name.as_bytes()).copied();
        let seed = bytes.fold(message.sequence, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let mut dice = Dice(seed ^ message.direction as u64);
        let forward = |route| Ok(Verdict::Forward(Forwarding { payload: None, route: Some(route) }));
        match dice.roll(40) {
            0..4 => Ok(Verdict::Drop("mood".into())),
            4..12 => Ok(change(&[&message.payload, name.as_bytes()].concat())),
            12..14 => forward(Target::Echo),
            14..16 => forward(Target::Group("g".into())),
            16 => forward(Target::Cluster("nowhere".into())),
            17 => Err(trap()),
            18 if dice.roll(4) == 0 => Ok(Verdict::Close(Rejection::new(4001, name))),
            19 if holds => Ok(Verdict::Hold(50)),
            _ => Ok(pass()),
        }
    });
    plugin.both().several(several)
}

/// All that can be seen of a run from outside.
fn run(seed: u64, several: Option<Several>) -> (Vec<String>, u64) {
    let mut dice = Dice(seed);
    let on_failure = [OnFailure::Open, OnFailure::Closed, OnFailure::Close][dice.roll(3) as usize];
    let mut links = Vec::new();
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        // The last one may be one that is asked alone, and holds.
        let alone = at == 2 && dice.roll(2) == 0;
        let mut plugin = moody(name, if alone { None } else { several }, alone).on_failure(on_failure);
        if dice.roll(3) == 0 {
            plugin = plugin.when(When { size: [0, 6 + dice.roll(6) as usize], ..When::default() });
        }
        match dice.roll(4) {
            0 => plugin.directions.inbound = false,
            1 => plugin.directions.outbound = false,
            _ => {}
        }
        links.push(plugin.link(at as u16));
    }
    let calls: Vec<_> = links.iter().map(|link| link.stats.clone()).collect();
    let route = match dice.roll(3) {
        0 => Route::Group("g".into()),
        1 => Route::Cluster(crate::ClusterId(0)),
        _ => Route::Echo,
    };
    let upstreams = matches!(route, Route::Cluster(_));
    let mut policy = listener(Transport::Tcp, route, links);
    policy.join = vec!["g".into()];
    let mut bench = Bench::new(vec![policy]);
    let mut ids: Vec<_> = (0..3).map(|_| bench.open(0)).collect();
    let behind = bench.connect();
    if upstreams {
        assert_eq!(behind.len(), 3);
        ids.extend(behind);
    }
    let mut seen = Vec::new();
    for _ in 0..40 {
        let from = ids[dice.roll(ids.len() as u64) as usize];
        let count = 1 + dice.roll(12);
        let texts: Vec<String> = (0..count)
            .map(|_| {
                let length = if dice.roll(8) == 0 { 150 } else { dice.roll(8) };
                (0..length).map(|_| char::from(b'0' + dice.roll(10) as u8)).collect()
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        seen.extend(bench.say_together(from, &texts, &ids));
        if dice.roll(4) == 0 {
            bench.wait(100 + dice.roll(3_000));
        }
    }
    seen.push(format!("{:?}", bench.stats));
    seen.extend(ids.iter().map(|id| format!("{:?}", bench.worker.status(*id))));
    let mut batches = 0;
    for stats in &calls {
        let stats = &stats[0];
        let of = |counters: &[&crate::Counter]| counters.iter().map(|it| it.value()).collect::<Vec<_>>();
        let verdicts = [&stats.forwarded, &stats.changed, &stats.dropped, &stats.closed, &stats.held];
        seen.push(format!("{:?} {:?}", of(&verdicts), of(&[&stats.calls, &stats.skipped])));
        seen.push(format!("{:?}", stats.failures));
        batches += stats.batches.value() - stats.batches_failed.value();
    }
    (seen, batches)
}

#[test]
fn together_is_as_one_by_one() {
    let mut batches = 0;
    for seed in 0..400 {
        let (alone, none) = run(seed, None);
        let (together, some) = run(seed, Some(Several::Each));
        assert_eq!(none, 0);
        batches += some;
        for (alone, together) in alone.iter().zip(&together) {
            assert_eq!(together, alone, "seed {seed}");
        }
        assert_eq!(alone.len(), together.len());
    }
    assert!(batches > 1_000, "only {batches} calls were for several");
}
