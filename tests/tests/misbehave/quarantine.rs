//! A plugin that traps on every message is left alone in the end.

use crate::scene::{ask, client, figure, gateway};
use std::time::{Duration, Instant};
use weir_tests::stamp::{self, Swap};
use weir_tests::wait_for;

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_always_fails_is_quarantined_on_all_workers_until_there_is_another() {
    let gateway = gateway("panic", 2, "on_failure = \"open\"\nquarantine = 4");
    let begun = Instant::now();
    // Sessions on both workers, where the kernel puts them.
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(client(&gateway).await);
    }
    let mut sent = 0;
    loop {
        for client in &mut clients {
            assert_eq!(ask(client, "x").await, "x", "as it was: on_failure is open");
            sent += 1;
        }
        if gateway.metrics().sum("plugin_quarantined", &[("binding", "p")]) == 1 {
            break;
        }
        assert!(begun.elapsed() < weir_tests::PATIENCE, "never quarantined");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    // The third failure in a row is two seconds after the second at the earliest... of one worker; the fourth ends it.
    assert!(took >= Duration::from_secs(3), "{took:?}");
    let line = gateway.wait_for_log("it is said", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("plugin quarantined"))
    });
    assert_eq!(line["plugin"], "p");
    assert_eq!(gateway.binding("p").expect("known")["quarantined"], true);
    // From now on nobody makes an instance, on whichever worker.
    let before = gateway.metrics();
    for client in &mut clients {
        assert_eq!(ask(client, "y").await, "y");
        sent += 1;
    }
    let metrics =
        gateway.settle("all are answered", |metrics| metrics.sum("messages_delivered", &[]) == sent);
    assert_eq!(metrics.sum("plugin_instances", &[]), before.sum("plugin_instances", &[]));
    let traps = metrics.sum("plugin_failures", &[("cause", "trap")]);
    assert_eq!(traps, before.sum("plugin_failures", &[("cause", "trap")]));
    let of = |cause| metrics.sum("plugin_failures", &[("cause", cause)]);
    // In and out.
    assert_eq!(of("trap") + of("back_off") + of("quarantined"), 2 * sent);
    figure(
        "traps on every message",
        &format!(
            "{sent} messages, each dealt with by on_failure; {traps} traps on two workers, {} in back-off, quarantined after {took:.1?}",
            of("back_off")
        ),
    );
    // Another file ends it.
    Swap::Rename.apply(&gateway, "p.wasm", &stamp::version(1));
    wait_for("it serves", || gateway.metrics().sum("plugin_quarantined", &[("binding", "p")]) == 0);
    wait_for("the workers have it", || gateway.metrics().sum("plugin_generation", &[("binding", "p")]) == 2);
    loop {
        let answer = ask(&mut clients[0], "x").await;
        if answer == "x<1>1" {
            break;
        }
        assert_eq!(answer, "x", "the first ones may be faster than the workers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_renewed_by_calls_and_memory_and_lose_nothing() {
    const MESSAGES: u64 = 500;
    let gateway = gateway("bombs", 1, "renew_calls = 10");
    let mut client = client(&gateway).await;

    for number in 0..MESSAGES {
        let text = format!("message {number}");
        assert_eq!(ask(&mut client, &text).await, text);
    }
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_delivered", &[]) == MESSAGES);
    let renewals = metrics.sum("plugin_renewals", &[("cause", "calls")]);
    // Opening the session is a call too, and each message is one in and one out.
    assert_eq!(renewals, (2 * MESSAGES + 1) / 10);
    assert_eq!(metrics.sum("plugin_failures", &[]), 0);
    assert_eq!(metrics.sum("plugin_instances", &[]), renewals + 1);
}
