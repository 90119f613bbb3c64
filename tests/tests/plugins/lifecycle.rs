//! The order of a chain, the beginnings and ends of sessions, and what plugins say of them.

use crate::remote::{Remote, gateway};
use weir_tests::client::{Client, Got};

#[tokio::test(flavor = "multi_thread")]
async fn the_outbound_chain_is_the_inbound_one_in_reverse() {
    let listeners: [(&str, &[&str]); 3] = [
        ("tcp", &["remote", "stamp-a", "stamp-b", "stamp-c"]),
        ("ws", &["remote", "stamp-z", "stamp-y"]),
        ("quic", &["remote"]),
    ];
    let gateway = gateway(&listeners, None);
    let mut tcp = Remote::connect(&gateway, "tcp").await;
    assert_eq!(tcp.ask("sequence").await, "2<a1<b1<c1>c1>b1>a1");
    let mut ws = Remote::connect(&gateway, "ws").await;
    assert_eq!(ws.ask("sequence").await, "2<z1<y1>y1>z1");
    let mut quic = Remote::connect(&gateway, "quic").await;
    assert_eq!(quic.ask("sequence").await, "2");
    // A message that a plugin sends meets the outbound chain of whoever gets it.
    for (to, heard) in [(&mut tcp, "hi>c1>b1>a1"), (&mut ws, "hi>y1>z1")] {
        assert_eq!(quic.ask(&format!("send session:{} hi", to.id)).await, "ok");
        assert_eq!(to.hear().await, heard);
        to.say("join room").await;
        assert!(to.hear().await.starts_with("ok<"));
    }
    quic.say("route group:room hi").await;
    assert_eq!(tcp.hear().await, "hi>c1>b1>a1");
    assert_eq!(ws.hear().await, "hi>y1>z1");
    let metrics = gateway.settle("delivered", |metrics| metrics.sum("messages_delivered", &[]) == 14);
    assert_eq!(metrics.sum("messages_dropped", &[]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_refused_is_told_the_code() {
    let gateway = gateway(&[("ws.forbidden", &["stamp-a", "remote"]), ("ws.panic", &["remote-close"])], None);
    let mut refused =
        Client::websocket(gateway.address("ws.forbidden"), "/forbidden").await.expect("an upgrade");
    assert_eq!(refused.next().await.expect("an end"), Got::End(4003));
    gateway.settle("counted", |metrics| metrics.sum("sessions_closed", &[("reason", "plugin")]) == 1);
    // The plugin that refused it learns of its end too.
    gateway.wait_for_log("the end", |line| {
        line["plugin"] == "remote"
            && line["message"].as_str().is_some_and(|text| text.ends_with("ended with 4003 forbidden"))
    });
    // One that fails on it, and is to close what it fails on.
    let mut failed = Client::websocket(gateway.address("ws.panic"), "/panic").await.expect("an upgrade");
    assert_eq!(failed.next().await.expect("an end"), Got::End(1011));
    let metrics = gateway
        .settle("counted", |metrics| metrics.sum("sessions_closed", &[("reason", "plugin_failed")]) == 1);
    assert_eq!(metrics.sum("messages_received", &[]), 0);
    assert_eq!(metrics.sum("sessions", &[]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_learn_how_sessions_end() {
    let gateway = gateway(&[("ws", &["remote"]), ("tcp", &["remote"])], None);
    let ended = |id: u64, how: &str| {
        let text = format!("session {id} ended with {how}");
        let line = gateway.wait_for_log(&text, |line| line["plugin"] == "remote" && line["message"] == *text);
        assert_eq!(line["level"], "INFO");
    };
    let by_client = Remote::connect(&gateway, "tcp").await;
    by_client.client.close().await.expect("closed");
    ended(by_client.id, "1000 ");
    let mut by_plugin = Remote::connect(&gateway, "ws").await;
    by_plugin.say("close 4005 bye").await;
    assert_eq!(by_plugin.end().await, 4005);
    ended(by_plugin.id, "4005 bye");
    let lost = Remote::connect(&gateway, "ws").await;
    drop(lost.client);
    ended(lost.id, "1006 connection lost");
    let metrics = gateway.settle("all have ended", |metrics| metrics.sum("sessions", &[]) == 0);
    for code in ["1000", "4005", "1006"] {
        assert_eq!(metrics.sum(&format!("custom_ended_{code}"), &[("binding", "remote")]), 1, "{code}");
    }
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "session_rejected")]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugins_figures_and_lines_are_shown() {
    let gateway = gateway(&[("tcp", &["remote"])], None);
    let [mut one, mut two] = Remote::on_both_workers(&gateway, "tcp").await;
    for session in [&mut one, &mut two] {
        for command in
            ["count orders 3", "gauge depth 2.5", "observe seconds 0.25", "count Bad-Name 1", "log hello"]
        {
            assert_eq!(session.ask(command).await, "ok");
        }
    }
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("custom_orders", &[("binding", "remote")]), 6, "of both workers together");
    assert_eq!(metrics.sum("custom_depth", &[("binding", "remote")]), 2);
    assert_eq!(metrics.sum("custom_seconds_count", &[("binding", "remote")]), 2);
    let (_, page) = gateway.get("/metrics");
    assert!(page.contains("weir_custom_depth{binding=\"remote\"} 2.5"), "{page}");
    assert!(page.contains("weir_custom_seconds_sum{binding=\"remote\"} 0.5"), "{page}");
    assert!(!page.contains("Bad-Name"));
    gateway.wait_for_log("what is wrong with a name", |line| {
        line["plugin"] == "remote" && line["message"].as_str().is_some_and(|text| text.contains("Bad-Name"))
    });
    for session in [&one, &two] {
        gateway.wait_for_log("the line", |line| {
            line["plugin"] == "remote" && line["message"] == "hello" && line["worker"] == session.worker()
        });
    }
}
