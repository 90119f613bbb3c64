//! Filters before plugins.

use super::*;

fn only(prefix: &'static str) -> When {
    When { prefix: prefix.as_bytes().into(), ..When::default() }
}

#[test]
fn a_message_that_a_link_is_not_for_goes_by_without_a_call() {
    let journal = Journal::default();
    let links = vec![
        Plugin::mark("a").both().when(only("x")).journal(&journal).link(0),
        Plugin::mark("b").when(When { direction: Some(Direction::Outbound), ..When::default() }).link(1),
        // What a link before has made of it is what counts.
        Plugin::mark("c").when(When { size: [3, 3], ..When::default() }).journal(&journal).link(2),
    ];
    let stats: Vec<_> = links.iter().map(|link| link.stats.clone()).collect();
    let mut bench = echo(links);
    let id = bench.open(0);
    for (said, heard) in [("y", "y"), ("x-", "x-aca"), ("xyz", "xyzaa"), ("yz1", "yz1c")] {
        bench.say(id, said);
        assert_eq!(bench.take(id), heard);
    }
    let calls: Vec<_> = stats.iter().map(|stats| stats[0].calls.value()).collect();
    let skipped: Vec<_> = stats.iter().map(|stats| stats[0].skipped.value()).collect();
    // Each was told that the session opened.
    assert_eq!(calls, [1 + 4, 1, 1 + 2]);
    assert_eq!(skipped, [4, 4, 2]);
    let journal = journal.lock().unwrap();
    assert_eq!(journal[0], "a open");
    assert!(!journal.iter().any(|line| line.contains("> y") && line.starts_with('a')), "{journal:?}");
}

#[test]
fn attributes_count_as_they_are_when_the_message_comes() {
    let set = |message: &Message<'_>, call: &mut Call| {
        call.effects.push(Effect::SetAttribute {
            session: message.session,
            name: "tier".into(),
            value: Some("gold".into()),
        });
        Ok(pass())
    };
    let gold = When { attributes: vec![("tier".into(), "gold".into())], ..When::default() };
    let links = vec![
        Plugin::mark("early").several(Some(Several::Each)).when(gold.clone()).link(0),
        Plugin::new("set", set).link(1),
        Plugin::mark("late").when(gold).link(2),
    ];
    let mut bench = echo(links);
    let id = bench.open(0);
    bench.say(id, "1");
    assert_eq!(bench.say_together(id, &["2", "3"], &[id]), ["1late 2earlylate 3earlylate "]);
}
