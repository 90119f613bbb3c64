//! Several generations of a binding at once: who meets which, and what becomes of messages that one of them holds.

use super::*;
use crate::{DropReason, Era, Share, Term};

fn at(generation: u64, plugin: Plugin) -> Link {
    Link { generation, ..plugin.link(0) }
}

fn term(link: &Link, since: u32, share: Share) -> Term {
    Term { link: link.clone(), since: Era(since), share }
}

fn serve(bench: &mut Bench, era: u32, link: &Link, terms: &[Term]) {
    let link = Link { terms: terms.into(), ..link.clone() };
    bench.reload(|snapshot| {
        snapshot.era = Era(era);
        snapshot.listeners[0].chain = Chain::new(vec![link]);
    });
}

/// Holds what begins with `h`, for a second, and marks the rest.
fn holder(name: &'static str) -> Plugin {
    Plugin::new(name, move |message, _| match &*message.payload {
        [b'h', ..] => Ok(Verdict::Hold(1000)),
        payload => Ok(change(&[payload, name.as_bytes()].concat())),
    })
}

#[test]
fn a_canary_meets_its_share_of_the_sessions_and_its_calls_are_its_own() {
    let (old, new) = (at(1, Plugin::mark("1")), at(2, Plugin::mark("2")));
    let mut bench = echo(vec![old.clone()]);
    let ids: Vec<_> = (0..200).map(|_| bench.open(0)).collect();
    let share = Share::new(0.2);
    serve(&mut bench, 1, &old, &[term(&new, 0, share)]);
    let mut tried = 0;
    for _ in 0..3 {
        for id in &ids {
            bench.say(*id, "x");
            let expected = if share.has(*id, 2) { "x2" } else { "x1" };
            assert_eq!(bench.take(*id), expected);
            tried += u64::from(share.has(*id, 2));
        }
    }
    assert!((3..600).contains(&tried), "{tried}");
    assert_eq!((new.stats[0].calls.value(), new.stats[0].changed.value()), (tried, tried));
    // The old one was told of all sessions.
    assert_eq!(old.stats[0].calls.value(), 200 + 600 - tried);
    // Then it is everybody's.
    serve(&mut bench, 2, &new, &[]);
    for id in &ids {
        bench.say(*id, "x");
        assert_eq!(bench.take(*id), "x2");
    }
}

#[test]
fn a_canary_that_traps_costs_no_other_session_a_message() {
    let old = at(1, Plugin::mark("1"));
    let new = at(2, Plugin::new("trap", |_, _| Err(trap())));
    let mut bench = echo(vec![old.clone()]);
    let ids: Vec<_> = (0..100).map(|_| bench.open(0)).collect();
    let share = Share::new(0.3);
    serve(&mut bench, 1, &old, &[term(&new, 0, share)]);
    for round in 0..5 {
        for id in &ids {
            bench.say(*id, "x");
            let tried = share.has(*id, 2) && round < 4;
            assert_eq!(bench.take(*id), if tried { "" } else { "x1" });
        }
        if round == 3 {
            serve(&mut bench, 2, &old, &[]);
        }
    }
    let lost = bench.stats.listeners[0].inbound.dropped.of(DropReason::PluginFailed).value();
    assert_eq!(lost, 4 * ids.iter().filter(|id| share.has(**id, 2)).count() as u64);
}

#[test]
fn a_pinned_session_stays_with_the_generation_that_it_began_with() {
    let (old, new) = (at(1, Plugin::mark("1")), at(2, Plugin::mark("2")));
    let mut bench = echo(vec![old.clone()]);
    let before = bench.open(0);
    let terms = [term(&new, 5, Share::ALL), term(&old, 0, Share::ALL)];
    serve(&mut bench, 5, &new, &terms);
    let after = bench.open(0);
    for (id, expected) in [(before, "x1"), (after, "x2")] {
        bench.say(id, "x");
        assert_eq!(bench.take(id), expected);
    }
    // The time of the old one is over.
    serve(&mut bench, 6, &new, &terms[..1]);
    bench.say(before, "x");
    assert_eq!(bench.take(before), "x2");
}

#[test]
fn held_messages_are_offered_to_the_generation_that_comes_in_order() {
    let mut bench = echo(vec![at(1, holder("1")), Plugin::mark("!").link(1)]);
    let id = bench.open(0);
    for text in ["h1", "a", "h2", "b"] {
        bench.say(id, text);
    }
    assert_eq!(bench.take(id), "");
    let next = Plugin::new("2", |message, _| match &*message.payload {
        b"h2" => Ok(Verdict::Hold(1000)),
        payload => Ok(change(&[payload, b"2"].concat())),
    });
    bench.reload(|snapshot| {
        snapshot.listeners[0].chain = Chain::new(vec![at(2, next), Plugin::mark("!").link(1)]);
    });
    bench.wait(0);
    // The second is held anew, by the new generation and for its own time; nothing overtakes it.
    assert_eq!(bench.take(id), "h12! a2!");
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 2);
    bench.wait(999);
    assert_eq!(bench.take(id), "");
    bench.wait(1);
    assert_eq!(bench.take(id), "b2!");
    assert_eq!(bench.stats.listeners[0].inbound.dropped.of(DropReason::HoldExpired).value(), 1);
}

#[test]
fn a_held_message_that_the_new_generation_fails_on_has_the_fate_of_its_on_failure() {
    for (on_failure, expected) in [(OnFailure::Open, "h x"), (OnFailure::Closed, "")] {
        let mut bench = echo(vec![at(1, holder("1"))]);
        let id = bench.open(0);
        bench.say(id, "h");
        bench.say(id, "x");
        let broken = Plugin::new("2", |_, _| Err(trap())).on_failure(on_failure);
        serve(&mut bench, 1, &at(2, broken), &[]);
        bench.wait(0);
        assert_eq!(bench.take(id), expected);
        assert_eq!(bench.stats.listeners[0].inbound.held.value(), 0);
    }
}

#[test]
fn only_held_messages_of_sessions_that_change_are_offered_again() {
    let journal = Journal::default();
    let (old, new) = (at(1, holder("1")), at(2, Plugin::mark("2").journal(&journal)));
    let mut bench = echo(vec![old.clone()]);
    let ids: Vec<_> = (0..40).map(|_| bench.open(0)).collect();
    for id in &ids {
        bench.say(*id, "h");
    }
    let share = Share::new(0.3);
    serve(&mut bench, 1, &old, &[term(&new, 0, share)]);
    bench.wait(0);
    let tried: Vec<_> = ids.iter().filter(|id| share.has(**id, 2)).collect();
    assert!(!tried.is_empty() && tried.len() < 40);
    assert_eq!(journal.lock().unwrap().len(), tried.len());
    for id in &tried {
        assert_eq!(bench.take(**id), "h2");
    }
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 40 - tried.len() as u64);
    // Back again: the first generation has those of the others still, and they are not asked about twice.
    serve(&mut bench, 2, &old, &[]);
    bench.wait(0);
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 40 - tried.len() as u64);
    serve(&mut bench, 3, &at(3, Plugin::pass("3")), &[]);
    bench.wait(0);
    for id in &ids {
        assert_eq!(bench.take(*id), if share.has(*id, 2) { "" } else { "h" });
    }
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 0);
}

#[test]
fn what_a_plugin_holds_that_the_chain_has_no_more_goes_on_in_order() {
    let mut bench = echo(vec![Plugin::mark("?").link(2), at(1, holder("1")), Plugin::mark("!").link(1)]);
    let id = bench.open(0);
    for text in ["h1", "a", "h2"] {
        bench.say(id, text);
    }
    assert_eq!(bench.take(id), "");
    bench.reload(|snapshot| {
        snapshot.listeners[0].chain = Chain::new(vec![Plugin::mark("?").link(2), Plugin::mark("!").link(1)]);
    });
    bench.wait(0);
    // The first goes on behind what it had passed; those behind it meet the chain as it is now.
    assert_eq!(bench.take(id), "h1?! a?! h2?!");
    assert_eq!(bench.stats.listeners[0].inbound.held.value(), 0);
    assert_eq!(bench.stats.listeners[0].inbound.dropped.of(DropReason::HoldExpired).value(), 0);
}

/// Takes several messages at once, and tells of it.
fn asked(name: &'static str, journal: &Journal) -> Plugin {
    Plugin::mark(name).several(Some(Several::Each)).journal(journal)
}

#[test]
fn messages_that_come_together_are_asked_of_the_generation_that_their_session_meets() {
    let (first, second) = (Journal::default(), Journal::default());
    let old = at(1, asked("1", &first).both());
    let new = at(2, asked("2", &second).both());
    let mut bench = echo(vec![old.clone()]);
    let ids: Vec<_> = (0..40).map(|_| bench.open(0)).collect();
    let share = Share::new(0.5);
    serve(&mut bench, 1, &old, &[term(&new, 0, share)]);
    for round in 0..4 {
        for id in &ids {
            let expected = if share.has(*id, 2) { "a22 b22 c22 " } else { "a11 b11 c11 " };
            assert_eq!(bench.say_together(*id, &["a", "b", "c"], &[*id]), [expected], "round {round}");
        }
    }
    for (journal, mine) in [(&first, false), (&second, true)] {
        let sessions = ids.iter().filter(|id| share.has(**id, 2) == mine).count();
        let takes = journal.lock().unwrap().iter().filter(|line| line.contains("takes 3")).count();
        // Both ways; only the first read of all is asked about one by one.
        assert!(sessions > 5 && takes >= 2 * (4 * sessions - 1), "{takes} of {sessions} sessions");
    }
}

#[test]
fn receivers_of_a_group_are_asked_of_their_own_generations() {
    let (first, second) = (Journal::default(), Journal::default());
    let old = at(1, asked("1", &first).outbound());
    // Of the third nothing can be known before its turn.
    let (new, alone) = (at(2, asked("2", &second).outbound()), at(3, Plugin::mark("3").outbound()));
    let mut policy = listener(Transport::Tcp, Route::Group("g".into()), vec![old.clone()]);
    policy.join = vec!["g".into()];
    let mut bench = Bench::new(vec![policy]);
    let ids: Vec<_> = (0..40).map(|_| bench.open(0)).collect();
    let share = Share::new(0.3);
    serve(&mut bench, 1, &old, &[term(&new, 0, share), term(&alone, 0, share)]);
    let met = |id: ConnId| match (share.has(id, 2), share.has(id, 3)) {
        (true, _) => "2",
        (false, true) => "3",
        (false, false) => "1",
    };
    for text in ["a", "b", "c"] {
        bench.say(ids[0], text);
        for id in &ids {
            assert_eq!(bench.take(*id), format!("{text}{}", met(*id)));
        }
    }
    for (journal, name) in [(&first, "1"), (&second, "2")] {
        let members = ids.iter().filter(|id| met(**id) == name).count();
        let lines = journal.lock().unwrap();
        let takes: Vec<_> = lines.iter().filter(|line| line.contains("takes")).collect();
        assert!(members > 3 && takes.len() >= 2, "{takes:?} of {members}");
        assert_eq!(takes.last().unwrap().as_str(), format!("{name} takes {members}"));
        assert_eq!(lines.iter().filter(|line| line.contains('<')).count(), 3 * members, "each is seen once");
    }
    for (link, name) in [(&old, "1"), (&new, "2"), (&alone, "3")] {
        let members = ids.iter().filter(|id| met(**id) == name).count();
        assert_eq!(link.stats[0].changed.value(), 3 * members as u64);
    }
}

#[test]
fn what_was_said_ahead_by_a_generation_in_quarantine_is_not_used() {
    let journal = Journal::default();
    let link = at(1, asked("1", &journal).on_failure(OnFailure::Closed));
    let quarantine = link.quarantine.clone();
    let mut bench = echo(vec![link.clone()]);
    let id = bench.open(0);
    bench.say(id, "x");
    bench.take(id);
    let mut together = bench.worker.together();
    for text in ["a", "b"] {
        assert!(together.push(Kind::Text, text.as_bytes()));
    }
    bench.worker.foresee(id, &mut together);
    assert_eq!(link.stats[0].batches.value(), 1);
    // Another worker has had enough of it.
    assert!(quarantine.begins(8));
    while let Some((kind, payload)) = together.pop() {
        bench.worker.received(id, Lane::ONLY, kind, Payload::Borrowed(payload));
    }
    assert_eq!(bench.take(id), "");
    assert_eq!(link.stats[0].failure(FailureCause::Quarantined).value(), 2);
    assert!(together.push(Kind::Text, b"c") && together.push(Kind::Text, b"d"));
    bench.worker.foresee(id, &mut together);
    assert_eq!(link.stats[0].batches.value(), 1, "it is asked no more");
}
