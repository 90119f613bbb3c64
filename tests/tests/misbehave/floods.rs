//! Floods of calls, log lines and effects, and lies: stopped at the budget, and counted.

use crate::scene::{ask, client, figure, gateway};
use weir_tests::client::Client;
use weir_tests::process::Memory;
use weir_tests::{Gateway, Metrics};

/// Sends what is not answered, and waits until its failure is counted.
async fn fails(gateway: &Gateway, client: &mut Client, text: &str, cause: &str) {
    let of = |metrics: &Metrics| metrics.sum("plugin_failures", &[("cause", cause)]);
    let before = of(&gateway.metrics());
    client.send(text.as_bytes()).await.expect("sent");
    gateway.settle(text, |metrics| of(metrics) == before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_end_at_their_budgets() {
    let gateway =
        gateway("liar", 1, "deadline = \"10s\"\nkv_bytes = \"1MiB\"\nkv_keys = 500\nmax_host_calls = 5000");
    let mut client = client(&gateway).await;
    for (flood, cause, budget) in [
        ("metrics 1000000", "host_calls", "host_calls"),
        ("logs 1000000", "host_calls", "host_calls"),
        ("sends 1000000", "output", "effects"),
        ("send 1000000", "output", "output"),
        ("kv-fill 501", "kv", "kv"),
    ] {
        let hits = |metrics: &Metrics| metrics.sum("plugin_budget_hits", &[("budget", budget)]);
        let before = hits(&gateway.metrics());
        fails(&gateway, &mut client, flood, cause).await;
        assert_eq!(hits(&gateway.metrics()), before + 1, "{flood}");
        // It is served again at once: a message that passes in between.
        assert_eq!(ask(&mut client, "timer 1000").await, "timer 1000");
    }
    let lines = gateway.metrics().sum("plugin_budget_hits", &[("budget", "log_lines")]);
    // A million were wanted, 5,000 calls are allowed, and 100 lines a second.
    assert!((4_000..5_000).contains(&lines), "{lines}");
    figure(
        "host-call, log, effect, output and kv floods",
        &format!("each stopped at its budget, once; {lines} of 5,000 log lines dropped and counted"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_are_counted_and_cost_nothing_else() {
    let gateway = gateway("liar", 1, "deadline = \"10s\"");
    let mut client = client(&gateway).await;
    let before = Memory::of(gateway.pid()).anonymous;
    let lies = [
        ("claim 4000000000", "answer"),
        ("claim-send 4000000000", "answer"),
        ("bad-name 3", "answer"),
        ("bad-log 3", "answer"),
        ("target 257", "answer"),
        ("target 0", "answer"),
        ("close 124", "answer"),
        ("payload 300000", "output"),
    ];
    for (lie, cause) in lies {
        fails(&gateway, &mut client, lie, cause).await;
        assert_eq!(ask(&mut client, "timer 1000").await, "timer 1000", "the next message is served");
    }
    // A place that is not there, and text that is none: the plugin answered, and the gateway looks before it believes.
    client.send(b"target 9").await.expect("sent");
    gateway.settle("it goes nowhere", |metrics| {
        metrics.sum("messages_dropped", &[("reason", "unknown_cluster")]) == 1
    });
    let told = lies.len() as u64;
    let metrics = gateway.settle("each is counted", |metrics| metrics.sum("plugin_failures", &[]) == told);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin_failed")]), told);
    assert_eq!(metrics.sum("sessions_closed", &[]), 0);
    let grown = (Memory::of(gateway.pid()).anonymous as i64 - before as i64) / 1024;
    // Two of them claim 4 GB.
    assert!(grown < 65_536, "{grown} KiB");
    figure(
        "lies",
        &format!(
            "{} kinds, each counted and its message dropped, none else; resident memory {grown:+} KiB",
            told + 1
        ),
    );
}
