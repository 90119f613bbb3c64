//! Clients that send faster than they may.

use super::*;
use crate::{CloseReason, Counter, DropReason, Rate, RatePolicy, SharedRate};

fn rated(rate: Rate, policy: RatePolicy) -> Bench {
    let mut listener = listener(Transport::Tcp, Route::Drop, Vec::new());
    listener.limits.rate = rate;
    listener.limits.rate_policy = policy;
    Bench::new(vec![listener])
}

/// Says as much as is read; how many messages that were.
fn pour(bench: &mut Bench, id: ConnId, text: &str) -> usize {
    let mut said = 0;
    while bench.is_read(id) {
        bench.say(id, text);
        said += 1;
        assert!(said < 10_000, "nobody stops it");
    }
    said
}

fn dropped(bench: &Bench, reason: DropReason) -> u64 {
    bench.stats.listeners[0].inbound.dropped.of(reason).value()
}

#[test]
fn a_client_above_its_rate_is_not_read_until_it_may_send_again() {
    let mut bench = rated(Rate { messages: 50, bytes: 0 }, RatePolicy::Pause);
    let id = bench.open(0);
    bench.wait(1_000);
    assert_eq!(pour(&mut bench, id, "x"), 50, "a second's worth at once");
    bench.wait(10);
    assert!(!bench.is_read(id));
    bench.wait(10);
    assert_eq!(pour(&mut bench, id, "x"), 1, "and then the rate");
    let mut said = 0;
    for _ in 0..1_000 {
        bench.wait(10);
        said += pour(&mut bench, id, "x");
    }
    assert_eq!(said, 500);
    bench.wait(500);
    assert_eq!(pour(&mut bench, id, "x"), 25, "what is not used is kept");
    assert_eq!(dropped(&bench, DropReason::RateLimited), 0);
    assert_eq!(bench.stats.listeners[0].rate_pauses.value(), 1 + 1 + 500 + 1);
}

#[test]
fn bytes_are_counted_too_and_a_long_message_is_paid_for() {
    let mut bench = rated(Rate { messages: 0, bytes: 1_000 }, RatePolicy::Pause);
    let id = bench.open(0);
    assert_eq!(pour(&mut bench, id, &"x".repeat(300)), 4, "until there is no token left");
    bench.wait(200);
    assert!(!bench.is_read(id), "it owes two tenths");
    bench.wait(10);
    assert_eq!(pour(&mut bench, id, &"x".repeat(5_000)), 1);
    bench.wait(4_900);
    assert!(!bench.is_read(id));
    bench.wait(200);
    assert!(bench.is_read(id));
}

#[test]
fn what_is_decoded_while_it_stands_still_is_not_lost() {
    let mut bench = rated(Rate { messages: 1, bytes: 0 }, RatePolicy::Pause);
    let id = bench.open(0);
    for _ in 0..3 {
        assert_eq!(bench.say(id, "x"), Flow::Pause);
    }
    assert_eq!(bench.stats.listeners[0].inbound.received.value(), 3);
    assert_eq!(dropped(&bench, DropReason::RouteDrop), 3);
    bench.wait(2_990);
    assert!(!bench.is_read(id));
    bench.wait(10);
    assert!(bench.is_read(id));
}

#[test]
fn a_client_that_stands_still_for_its_rate_is_not_idle() {
    let mut bench = rated(Rate { messages: 0, bytes: 10 }, RatePolicy::Pause);
    let id = bench.open(0);
    bench.say(id, &"x".repeat(2_000));
    for _ in 0..199 {
        bench.wait(1_000);
        assert!(!bench.is_read(id));
        assert_eq!(bench.end(id), None);
    }
    bench.wait(10);
    assert!(bench.is_read(id));
    bench.wait(74_000);
    assert!(bench.is_read(id), "its silence counts from the end of the pause on");
    bench.wait(2_000);
    assert!(!bench.is_read(id));
}

#[test]
fn too_fast_messages_are_dropped_or_end_the_session() {
    let mut bench = rated(Rate { messages: 3, bytes: 1_000 }, RatePolicy::Drop);
    let id = bench.open(0);
    for _ in 0..10 {
        assert_eq!(bench.say(id, "x"), Flow::Continue);
    }
    assert_eq!(dropped(&bench, DropReason::RateLimited), 7);
    bench.wait(1_000);
    // Longer than a second's worth: when there is a whole one.
    bench.say(id, &"x".repeat(2_000));
    bench.say(id, "x");
    assert_eq!(dropped(&bench, DropReason::RateLimited), 8);
    assert_eq!(bench.stats.listeners[0].inbound.received.value(), 12);
    assert_eq!(bench.stats.listeners[0].rate_pauses.value(), 0);

    let mut bench = rated(Rate { messages: 3, bytes: 0 }, RatePolicy::Close);
    let id = bench.open(0);
    for _ in 0..3 {
        assert_eq!(bench.say(id, "x"), Flow::Continue);
    }
    assert_eq!(bench.say(id, "x"), Flow::Stop);
    assert_eq!(dropped(&bench, DropReason::RateLimited), 1);
    bench.worker.peer_ended(id, None);
    bench.wait(5_000);
    assert_eq!(bench.end(id), Some((CloseReason::RateLimited, 1008)));
}

#[test]
fn a_rate_that_changes_holds_from_the_next_message_on() {
    let mut bench = rated(Rate { messages: 1, bytes: 0 }, RatePolicy::Pause);
    let id = bench.open(0);
    assert_eq!(pour(&mut bench, id, "x"), 1);
    bench.reload(|snapshot| snapshot.listeners[0].limits.rate.messages = 0);
    assert!(!bench.is_read(id), "what it owes is paid first");
    bench.wait(1_000);
    for _ in 0..100 {
        assert_eq!(bench.say(id, "x"), Flow::Continue);
    }
}

/// A listener whose plugin makes tenants of what clients say first.
fn tenants(rate: Rate, policy: RatePolicy) -> Bench {
    let plugin = Plugin::new("tenants", |message, call| {
        if let Some(tenant) = message.payload.strip_prefix(b"tenant ") {
            call.effects.push(Effect::SetAttribute {
                session: message.session,
                name: "tenant".into(),
                value: Some(String::from_utf8_lossy(tenant).into()),
            });
        }
        Ok(pass())
    });
    let mut listener = listener(Transport::Tcp, Route::Drop, vec![plugin.link(0)]);
    listener.limits.shared_rates = [SharedRate { attribute: "tenant".into(), rate }].into();
    listener.limits.rate_policy = policy;
    Bench::new(vec![listener])
}

#[test]
fn sessions_of_one_value_share_a_rate_and_share_it_evenly() {
    for rate in [Rate { messages: 1_000, bytes: 0 }, Rate { messages: 0, bytes: 5_000 }] {
        let mut bench = tenants(rate, RatePolicy::Pause);
        let ids: Vec<_> = (0..4).map(|_| bench.open(0)).collect();
        for id in &ids {
            assert_eq!(bench.say(*id, "tenant a"), Flow::Continue);
        }
        let other = bench.open(0);
        bench.say(other, "tenant b");
        let mut said = [0; 4];
        for round in 0..1_000 {
            bench.wait(10);
            if round == 100 {
                said = [0; 4];
            }
            for (said, id) in said.iter_mut().zip(&ids) {
                *said += pour(&mut bench, *id, "12345");
            }
            if round % 100 == 0 {
                assert_eq!(bench.say(other, "x"), Flow::Continue, "another tenant has its own");
            }
        }
        let all: usize = said.iter().sum();
        assert!((8_900..=9_100).contains(&all), "{said:?}");
        // The wheel ticks every 10 ms: whoever looks first in a tick has a little more.
        assert!(said.iter().all(|said| (1_900..2_500).contains(said)), "{said:?}");
    }
}

#[test]
fn one_that_uses_little_leaves_the_rest_to_the_others() {
    let mut bench = tenants(Rate { messages: 1_000, bytes: 0 }, RatePolicy::Pause);
    let ids: Vec<_> = (0..10).map(|_| bench.open(0)).collect();
    for id in &ids {
        bench.say(*id, "tenant a");
    }
    // All were held back once; then only one goes on.
    for id in &ids {
        pour(&mut bench, *id, "x");
    }
    let mut said = 0;
    for _ in 0..1_000 {
        bench.wait(10);
        said += pour(&mut bench, ids[3], "x");
    }
    assert!((9_900..=10_000).contains(&said), "{said}");
}

#[test]
fn a_shared_rate_drops_and_closes_too_and_spares_who_has_no_such_attribute() {
    let mut bench = tenants(Rate { messages: 5, bytes: 0 }, RatePolicy::Drop);
    let [one, two, none] = [bench.open(0), bench.open(0), bench.open(0)];
    bench.say(one, "tenant a");
    bench.say(two, "tenant a");
    for _ in 0..4 {
        bench.say(one, "x");
        bench.say(two, "x");
        bench.say(none, "x");
    }
    assert_eq!(dropped(&bench, DropReason::RateLimited), 3);
    // Another value is another rate.
    bench.wait(1_000);
    bench.say(one, "tenant b");
    for _ in 0..5 {
        bench.say(one, "x");
        bench.say(two, "x");
    }
    assert_eq!(dropped(&bench, DropReason::RateLimited), 4, "one of what `two` said, with `tenant b`");
    bench.reload(|snapshot| snapshot.listeners[0].limits.shared_rates = Arc::new([]));
    for _ in 0..100 {
        bench.say(two, "x");
    }
    assert_eq!(dropped(&bench, DropReason::RateLimited), 4);
}

#[test]
fn the_gateways_own_attributes_have_rates_too() {
    let mut bench = rated(Rate::default(), RatePolicy::Drop);
    bench.reload(|snapshot| {
        let rate = Rate { messages: 2, bytes: 0 };
        snapshot.listeners[0].limits.shared_rates =
            [SharedRate { attribute: "weir.listener".into(), rate }].into();
    });
    for _ in 0..3 {
        let id = bench.open(0);
        bench.say(id, "x");
    }
    assert_eq!(dropped(&bench, DropReason::RateLimited), 1);
}

#[test]
fn a_session_without_rates_keeps_nothing_for_them() {
    let mut bench = echo(Vec::new());
    let id = bench.open(0);
    bench.say(id, "x");
    assert_eq!(bench.stats.listeners[0].outbound.dropped.total(), 0);
    let nothing: &Counter = &bench.stats.listeners[0].rate_pauses;
    assert_eq!(nothing.value(), 0);
    let conn = bench.worker.state.conns.get(id).unwrap();
    assert!(conn.session().unwrap().meter.is_none());
}
