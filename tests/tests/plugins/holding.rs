//! Messages that a plugin keeps back.

use crate::remote::{Remote, gateway};
use std::time::{Duration, Instant};
use weir_tests::Gateway;

fn held(gateway: &Gateway, count: u64) {
    gateway.settle("held", |metrics| metrics.sum("messages_held", &[]) == count);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_on_another_worker_releases_what_waits_in_its_order() {
    let gateway = gateway(&[("tcp", &["remote"]), ("ws", &["remote"]), ("quic", &["remote"])], None);
    for listener in ["tcp", "ws", "quic"] {
        let [mut one, mut two] = Remote::on_both_workers(&gateway, listener).await;
        let verdicts = [
            ("", "hold 60000"),
            ("say released", "released"),
            ("route echo back", "back"),
            ("drop late", ""),
        ];
        for (verdict, expected) in verdicts {
            one.say("hold 60000").await;
            let waiting = one.sent;
            for _ in 0..5 {
                one.say("sequence").await;
            }
            gateway.settle("held", |metrics| metrics.sum("messages_held", &[]) >= 1);
            // What others send to it is not held up.
            assert_eq!(two.ask(&format!("send session:{} hello", one.id)).await, "ok");
            assert_eq!(one.hear().await, "hello");
            assert_eq!(two.ask(format!("release {} {waiting} {verdict}", one.id).trim_end()).await, "ok");
            if !expected.is_empty() {
                assert_eq!(one.hear().await, expected, "{listener}: {verdict}");
            }
            for number in waiting + 1..=waiting + 5 {
                assert_eq!(one.hear().await, number.to_string(), "{listener}: {verdict}");
            }
            held(&gateway, 0);
        }
        // Released twice, or never held: an effect that cannot be.
        let refused = gateway.metrics().sum("plugin_effects_refused", &[]);
        assert_eq!(two.ask(&format!("release {} 2", one.id)).await, "ok");
        assert_eq!(two.ask("release 12345 2").await, "ok");
        gateway.settle("refused", |metrics| metrics.sum("plugin_effects_refused", &[]) == refused + 2);
        // Released with an end.
        one.say("hold 60000").await;
        held(&gateway, 1);
        assert_eq!(two.ask(&format!("release {} {} close 4007 enough", one.id, one.sent)).await, "ok");
        assert_eq!(one.end().await, if listener == "tcp" { 0 } else { 4007 });
        held(&gateway, 0);
    }
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin")]), 3);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "session_rejected")]), 3);
    assert_eq!(metrics.sum("messages_dropped", &[]), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_releases_in_time_has_the_fate_of_a_failure() {
    let listeners: [(&str, &[&str]); 3] =
        [("closed", &["remote-closed"]), ("open", &["remote-open", "stamp-s"]), ("ws", &["remote-close"])];
    let gateway = gateway(&listeners, None);
    for (listener, _) in listeners {
        let mut session = Remote::connect(&gateway, listener).await;
        let begun = Instant::now();
        session.say("hold 300").await;
        match listener {
            "closed" => {
                assert_eq!(session.ask("sequence").await, "3", "the next goes on");
                assert!(begun.elapsed() >= Duration::from_millis(300));
                let metrics = gateway.metrics();
                assert_eq!(metrics.sum("messages_dropped", &[("reason", "hold_expired")]), 1);
            }
            "open" => {
                session.say("sequence").await;
                assert_eq!(session.hear().await, "hold 300<s1>s1", "as it was, to the next plugin");
                assert!(begun.elapsed() >= Duration::from_millis(300));
                assert_eq!(session.hear().await, "3<s1>s1");
            }
            _ => {
                assert_eq!(session.end().await, 1011);
                assert!(begun.elapsed() >= Duration::from_millis(300));
            }
        }
    }
    let metrics = gateway
        .settle("all is over", |metrics| metrics.sum("sessions_closed", &[("reason", "plugin_failed")]) == 1);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "session_rejected")]), 1);
    assert_eq!(metrics.sum("messages_dropped", &[]), 2);
    assert_eq!(metrics.sum("plugin_verdicts", &[("verdict", "hold")]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_when_its_session_ends_is_dropped_and_counted() {
    let gateway = gateway(&[("ws", &["remote"]), ("tcp", &["remote"])], None);
    let mut session = Remote::connect(&gateway, "ws").await;
    let mut other = Remote::connect(&gateway, "tcp").await;
    session.say("hold 60000").await;
    session.say("id").await;
    gateway.settle("held", |metrics| metrics.sum("messages_held", &[]) >= 1);
    let id = session.id;
    // As a client that crashes. While it is held nobody reads from it, so it is noticed when it is written to.
    drop(session);
    let mut sent = 0;
    while gateway.metrics().sum("sessions", &[("listener", "ws")]) > 0 {
        assert_eq!(other.ask(&format!("send session:{id} there?")).await, "ok");
        sent += 1;
    }
    let metrics = gateway.settle("it is gone", |metrics| metrics.sum("messages_held", &[]) == 0);
    let inbound = [("listener", "ws"), ("direction", "inbound"), ("reason", "session_ended")];
    let received = metrics.sum("messages_received", &[("listener", "ws")]);
    assert_eq!(metrics.sum("messages_dropped", &inbound), received - 1, "all but the first");
    assert_eq!(metrics.sum("plugin_messages_sent", &[]), sent);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "client_reset")]), 1);
}
