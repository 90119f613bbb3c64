//! Every message of a plugin that fails has the fate that its `on_failure` says, and every failure its cause.

use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::timeout;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::{Gateway, Metrics, artifact};

/// A way to misbehave: the guest program, what a client says to it, the cause that is counted.
struct Sin {
    name: &'static str,
    guest: &'static str,
    say: &'static str,
    cause: &'static str,
    /// Part of the sentence in the log.
    told: &'static str,
}

const SINS: [Sin; 8] = [
    Sin { name: "loop", guest: "endless", say: "go", cause: "deadline", told: "past its deadline of 100 ms" },
    Sin { name: "memory", guest: "memory_bomb", say: "go", cause: "memory", told: "memory raises the limit" },
    Sin { name: "recursion", guest: "recursion", say: "go", cause: "stack", told: "recursed too deeply" },
    Sin { name: "panic", guest: "panic", say: "my own text", cause: "trap", told: "unreachable" },
    Sin { name: "output", guest: "liar", say: "payload 300000", cause: "output", told: "max_output raises" },
    Sin { name: "effects", guest: "liar", say: "sends 65", cause: "output", told: "more than 64 effects" },
    Sin { name: "claim", guest: "liar", say: "claim 4000000000", cause: "answer", told: "" },
    Sin { name: "name", guest: "liar", say: "bad-name 3", cause: "answer", told: "" },
];

const FATES: [&str; 3] = ["closed", "open", "close"];
/// So many messages each.
const MESSAGES: u64 = 6;

fn config() -> String {
    let mut toml = String::from("admin = { bind = \"127.0.0.1:0\" }\nruntime = { workers = 2 }\n");
    toml.push_str("[plugins.defaults]\ndeadline = \"100ms\"\ngrants = [\"messaging\", \"groups\", \"kv\", \"timers\", \"random\"]\n");
    let mut listener = |name: &str, chain: &str| {
        let _ = writeln!(
            toml,
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\nchain = [{chain}]\n\
             framing = {{ type = \"length\", prefix = \"u32be\", max = \"1MiB\" }}"
        );
    };
    listener("honest", "");
    for Sin { name, .. } in SINS {
        for fate in FATES {
            listener(&format!("{name}-{fate}"), &format!("\"{name}-{fate}\""));
        }
    }
    for Sin { name, guest, .. } in SINS {
        for fate in FATES {
            let _ = writeln!(
                toml,
                "[[plugin]]\nname = \"{name}-{fate}\"\nmodule = \"{guest}.wasm\"\non_failure = \"{fate}\""
            );
        }
    }
    toml
}

fn causes(metrics: &Metrics, binding: &str) -> (u64, u64, u64) {
    let of = |cause: &str| metrics.sum("plugin_failures", &[("binding", binding), ("cause", cause)]);
    let sin = SINS.iter().find(|sin| binding.starts_with(sin.name)).expect("a sin");
    (of(sin.cause), of("back_off"), metrics.sum("plugin_failures", &[("binding", binding)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_counted_by_its_cause_and_every_message_has_its_fate() {
    let guests = ["endless", "memory_bomb", "recursion", "panic", "liar"];
    let files: Vec<_> = guests.iter().map(|name| (format!("{name}.wasm"), artifact::guest(name))).collect();
    let files: Vec<_> = files.iter().map(|(name, file)| (name.as_str(), file.clone())).collect();
    let gateway = Gateway::start(&config(), &files);
    let mut honest = Client::tcp(gateway.address("honest"), u32be()).await.expect("a session");
    let mut rounds = 0;
    for Sin { name, say, cause, told, .. } in SINS {
        for fate in FATES {
            let listener = format!("{name}-{fate}");
            let address = gateway.address(&listener);
            let mut client = Client::tcp(address, u32be()).await.expect("a session");
            for number in 1..=MESSAGES {
                match fate {
                    "open" => {
                        client.send(say.as_bytes()).await.expect("sent");
                        assert_eq!(client.message().await.expect("as it was"), say, "{listener}");
                    }
                    "close" => {
                        // While the plugin is left alone, sessions are refused from the beginning: then this may not be sent, or not
                        // be taken.
                        let _ = client.send(say.as_bytes()).await;
                        assert!(matches!(client.next().await, Ok(Got::End(0)) | Err(_)), "{listener}");
                        if number < MESSAGES {
                            client = Client::tcp(address, u32be()).await.expect("a connection");
                        }
                    }
                    _ => {
                        client.send(say.as_bytes()).await.expect("sent");
                        gateway.settle("it was dropped", |metrics| {
                            let inbound = [("listener", &*listener), ("reason", "plugin_failed")];
                            metrics.sum("messages_dropped", &inbound) == number
                        });
                    }
                }
                // Somebody else's message in between.
                honest.send(b"hello").await.expect("sent");
                assert_eq!(honest.message().await.expect("an echo"), "hello");
                rounds += 1;
            }
            drop(client);
            let of = |metrics: &Metrics, family: &str, more: &[(&str, &str)]| {
                metrics.sum(family, &[&[("listener", &*listener)], more].concat())
            };
            let metrics = gateway.settle(&listener, |metrics| {
                of(metrics, "sessions", &[]) == 0
                    && metrics.sum("messages_delivered", &[("listener", "honest")]) == rounds
            });
            let dropped = |reason: &str| of(&metrics, "messages_dropped", &[("reason", reason)]);
            let received = of(&metrics, "messages_received", &[]);
            let closed = of(&metrics, "sessions_closed", &[("reason", "plugin_failed")]);
            let delivered = of(&metrics, "messages_delivered", &[]);
            let expected = match fate {
                "closed" => [MESSAGES, MESSAGES, 0, 0, 0],
                "open" => [MESSAGES, 0, 0, 0, MESSAGES],
                _ => [received.clamp(1, MESSAGES), 0, received, MESSAGES, 0],
            };
            let fates = [received, dropped("plugin_failed"), dropped("session_rejected"), closed, delivered];
            assert_eq!(fates, expected, "{listener}");
            let (sins, waits, all) = causes(&metrics, &listener);
            assert_eq!(sins + waits, all, "{listener}: no other cause than {cause}");
            // The outbound way of a message that goes on as it was meets the plugin too.
            let calls = if fate == "open" { 2 * MESSAGES } else { MESSAGES };
            assert!(all >= calls && sins >= 1, "{listener}: {sins} + {waits}");
            let line =
                gateway.wait_for_log(&listener, |line| line["plugin"] == *listener && line["cause"] == cause);
            assert!(line["message"].as_str().is_some_and(|text| text.contains(told)), "{line}");
        }
    }
    // What a panic said, and where, is in the log.
    gateway.wait_for_log("the panic", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["plugin"] == "panic-open" && text.contains("examples/panic.rs:") && text.contains("my own text")
    });
    let mut table = String::new();
    let metrics = gateway.metrics();
    for Sin { name, cause, .. } in SINS {
        let (sins, waits, _) = FATES.iter().fold((0, 0, 0), |sum, fate| {
            let (sins, waits, all) = causes(&metrics, &format!("{name}-{fate}"));
            (sum.0 + sins, sum.1 + waits, sum.2 + all)
        });
        let _ = writeln!(table, "  {name:<10} {cause:<9} {sins:>3}, in back-off {waits:>3}");
    }
    println!("{table}");
    // The process is none the worse for it.
    assert!(timeout(Duration::from_secs(5), honest.close()).await.is_ok_and(|closed| closed.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_of_a_failed_plugin_says_its_code() {
    let config = r#"
admin = { bind = "127.0.0.1:0" }
[[plugin]]
name = "panic"
module = "panic.wasm"
on_failure = "close"
[[listener]]
name = "ws"
bind = "127.0.0.1:0"
protocol = "websocket"
chain = ["panic"]
route = "echo"
[[listener]]
name = "quic"
bind = "127.0.0.1:0"
protocol = "quic"
chain = ["panic"]
route = "echo"
"#;
    let gateway = Gateway::start(config, &[("panic.wasm", artifact::guest("panic"))]);
    let mut websocket = Client::websocket(gateway.address("ws"), "/").await.expect("a session");
    websocket.send(b"x").await.expect("sent");
    assert_eq!(websocket.next().await.expect("an end"), Got::End(1011));
    let mut quic = Client::quic(gateway.address("quic")).await.expect("a session");
    quic.send(b"x").await.expect("sent");
    assert_eq!(quic.next().await.expect("an end"), Got::End(1011));
    let metrics = gateway.settle("both are closed", |metrics| {
        metrics.sum("sessions_closed", &[("reason", "plugin_failed")]) == 2
    });
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "session_rejected")]), 2);
}
