//! A plugin that failed is made anew: at once, then after a while.

use std::time::{Duration, Instant};
use weir_tests::client::{Client, u32be};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, artifact};

const CONFIG: &str = r#"
admin = { bind = "127.0.0.1:0" }
runtime = { workers = 2 }

[[plugin]]
name = "remote"
module = "remote.wasm"
grants = ["messaging", "groups", "kv", "timers", "random"]

[[listener]]
name = "remote"
bind = "127.0.0.1:0"
protocol = "tcp"
framing = { type = "length", prefix = "u32be", max = "1MiB" }
chain = ["remote"]
route = "echo"
"#;

async fn ask(client: &mut Client, command: &str) -> String {
    client.send(command.as_bytes()).await.expect("sent");
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_its_message_and_its_effects_and_nothing_that_was_done() {
    let gateway = Gateway::start(CONFIG, &[("remote.wasm", artifact::guest("remote"))]);
    let mut client = Client::tcp(gateway.address("remote"), u32be()).await.expect("a session");
    assert_eq!(ask(&mut client, "attr.set color red").await, "ok");
    assert_eq!(ask(&mut client, "kv.add sum 40").await, "40");
    gateway.settle("each worker has its instance", |metrics| metrics.sum("plugin_instances", &[]) == 2);
    for round in 1..=5 {
        client.send(b"panic boom").await.expect("sent");
        // An answer in between: it is not the same plugin failing again and again.
        assert_eq!(ask(&mut client, "attr.get color").await, "red", "attributes survive");
        assert_eq!(ask(&mut client, "attr.get panicked").await, "-", "effects of the call do not");
        assert_eq!(ask(&mut client, "kv.get panics").await, round.to_string(), "what kv did stays done");
        assert_eq!(ask(&mut client, "kv.add sum 1").await, (40 + round).to_string());
    }
    let metrics = gateway.settle("all is dealt with", |metrics| metrics.sum("messages_delivered", &[]) == 22);
    assert_eq!(metrics.sum("messages_received", &[]), 27);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin_failed")]), 5);
    assert_eq!(metrics.sum("plugin_failures", &[("cause", "trap")]), 5);
    assert_eq!(metrics.sum("plugin_failures", &[]), 5);
    assert_eq!(metrics.sum("plugin_instances", &[]), 2 + 5);
    gateway.wait_for_log("the panic's text and line", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["plugin"] == "remote" && text.contains("examples/remote.rs:") && text.contains("boom")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_again_and_again_is_left_alone_longer_and_longer() {
    let gateway = Gateway::start(CONFIG, &[("remote.wasm", artifact::guest("remote"))]);
    let mut client = Client::tcp(gateway.address("remote"), u32be()).await.expect("a session");
    let mut sent = 0_u64;
    let begun = Instant::now();
    // Two panics without an answer between them.
    for _ in 0..2 {
        client.send(b"panic again").await.expect("sent");
        sent += 1;
    }
    let after = |retry: u64| {
        let line = gateway
            .wait_for_log("the back-off", |line| line["plugin"] == "remote" && line["retry_ms"] == retry);
        assert_eq!(line["cause"], "trap");
    };
    after(1000);
    // Until then messages are dropped without a call, and the third panic makes it two seconds.
    let mut traps = 2;
    while traps < 3 {
        client.send(b"panic again").await.expect("sent");
        sent += 1;
        let metrics =
            gateway.settle("it is counted", |metrics| metrics.sum("messages_received", &[]) == sent);
        traps = metrics.sum("plugin_failures", &[("cause", "trap")]);
        assert_eq!(metrics.sum("plugin_failures", &[("cause", "back_off")]), sent - traps);
        assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin_failed")]), sent);
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    after(2000);
    println!("{sent} messages, 3 of them met the plugin in the first {:.1?}", begun.elapsed());
    // When that is over too, one that behaves serves as ever.
    let dropped = loop {
        client.send(b"say hello").await.expect("sent");
        sent += 1;
        let metrics =
            gateway.settle("it is counted", |metrics| metrics.sum("messages_received", &[]) == sent);
        if metrics.sum("messages_offered", &[]) == 1 {
            break metrics.sum("messages_dropped", &[]);
        }
    };
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(client.message().await.expect("an answer"), "hello");
    assert_eq!(dropped, sent - 1);
    assert_eq!(ask(&mut client, "kv.get panics").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_ends_the_back_off() {
    let gateway =
        Gateway::start(&CONFIG.replace("remote.wasm", "p.wasm"), &[("p.wasm", artifact::guest("remote"))]);
    let mut client = Client::tcp(gateway.address("remote"), u32be()).await.expect("a session");
    for _ in 0..6 {
        client.send(b"panic again").await.expect("sent");
    }
    gateway.settle("it is in back-off", |metrics| metrics.sum("messages_dropped", &[]) == 6);
    Swap::Rename.apply(&gateway, "p.wasm", &stamp::version(1));
    gateway.wait_for_log("the new generation", |line| {
        line["message"] == "plugin serves" && line["generation"] == 2
    });
    gateway
        .settle("workers have it", |metrics| metrics.sum("plugin_generation", &[("binding", "remote")]) == 2);
    let mut sent = 6;
    loop {
        client.send(b"x").await.expect("sent");
        sent += 1;
        // The first ones may have been faster than the workers.
        let metrics = gateway.settle("dealt with", |metrics| {
            let fates = metrics.sum("messages_dropped", &[]) + metrics.sum("messages_delivered", &[]);
            metrics.sum("messages_received", &[]) == sent && fates == sent
        });
        if metrics.sum("messages_delivered", &[]) > 0 {
            break;
        }
    }
    assert_eq!(client.message().await.expect("an answer"), "x<1>1");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_come_anew_do_not_keep_it_from_being_left_alone() {
    const CLIENTS: u64 = 60;
    let config = CONFIG.replace("remote.wasm\"", "panic.wasm\"\non_failure = \"open\"");
    let gateway = Gateway::start(&config, &[("panic.wasm", artifact::guest("panic"))]);
    let begun = Instant::now();
    for _ in 0..CLIENTS {
        let mut client = Client::tcp(gateway.address("remote"), u32be()).await.expect("a session");
        assert_eq!(ask(&mut client, "as it was").await, "as it was");
        client.close().await.expect("closed");
    }
    let seconds = begun.elapsed().as_secs();
    let metrics =
        gateway.settle("all are answered", |metrics| metrics.sum("messages_delivered", &[]) == CLIENTS);
    let traps = metrics.sum("plugin_failures", &[("cause", "trap")]);
    // On each worker at once, again, and then once a second at most, though it answers that sessions open and end.
    assert!((2..=2 * (2 + seconds)).contains(&traps), "{traps} traps in {seconds} s");
}
