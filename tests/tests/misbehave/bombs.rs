//! Bombs that go off again and again, and leave nothing behind.

use crate::scene::{ask, client, figure, gateway, gateway_of, scaled};
use std::fs;
use std::time::Instant;
use weir_tests::process::Memory;
use weir_tests::{Gateway, artifact, forge, wait_for};

/// So many of each kind, after so many that warm up what is kept for ever.
const WARM: u64 = 200;

/// What the gateway has more at the end than after the first, in KiB.
async fn rounds(gateway: &Gateway, bomb: &str, (cause, budget): (&str, &str), count: u64) -> i64 {
    // A message that passes between two bombs: it is not the same function failing again and again, so it is renewed at once.
    let mut client = client(gateway).await;
    let (mut begun, mut sent) = (0, 0);
    for round in 0..WARM + count {
        if round == WARM {
            begun = Memory::of(gateway.pid()).anonymous as i64;
        }
        client.send(bomb.as_bytes()).await.expect("sent");
        assert_eq!(ask(&mut client, "in between").await, "in between");
        sent += 1;
    }
    let metrics = gateway.settle("every bomb is counted", |metrics| {
        metrics.sum("plugin_failures", &[("cause", cause)]) == sent
            && metrics.sum("messages_dropped", &[("reason", "plugin_failed")]) == sent
    });
    assert_eq!(metrics.sum("plugin_budget_hits", &[("budget", budget)]), sent);
    assert_eq!(metrics.sum("plugin_failures", &[]), sent, "and no other cause");
    client.close().await.expect("closed");
    (Memory::of(gateway.pid()).anonymous as i64 - begun) / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_of_memory_and_tables_and_deep_recursion_leave_nothing_behind() {
    let count = scaled(1_000, 100_000);
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), forge::with_growing_table()).expect("written");
    let bombs =
        [("memory", "memory", "memory"), ("table", "memory", "table"), ("recursion", "stack", "stack")];
    for (bomb, cause, budget) in bombs {
        let keys = "memory = \"2MiB\"\nstack = \"64KiB\"\ndeadline = \"10s\"";
        let gateway = gateway_of(file.path().to_owned(), 1, keys);
        let begun = Instant::now();
        let grown = rounds(&gateway, bomb, (cause, budget), count).await;
        figure(
            &format!("{bomb} bomb"),
            &format!("{count} clean traps in {:.1?}; resident memory {grown:+} KiB", begun.elapsed()),
        );
        // A hundred bytes for each would be more.
        assert!(grown < 8192, "{grown} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_bomb_is_refused_and_the_old_generation_serves_on() {
    let gateway = gateway("bombs", 1, "");
    let mut client = client(&gateway).await;
    assert_eq!(ask(&mut client, "x").await, "x");
    fs::write(gateway.plugin_path("p.wasm"), forge::with_large_table("bombs", 10_000_000)).expect("written");
    wait_for("it is refused", || gateway.binding("p").is_some_and(|binding| binding["state"] == "refused"));
    let binding = gateway.binding("p").expect("known");
    let reason = binding["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("100000 elements of tables; max_table raises the limit"), "{reason}");
    assert_eq!(binding["serving"]["generation"], 1);
    assert_eq!(ask(&mut client, "x").await, "x");
    // With the budget it needs it serves: a file is judged by its binding, not for itself.
    let file = fs::read(artifact::guest("bombs")).expect("a guest");
    fs::write(gateway.plugin_path("p.wasm"), file).expect("written");
    figure("table bomb", "10,000,000 elements refused at 100,000; the old generation serves on");
}
