//! Messages that come in one read, before plugins that take several at once and before those that do not.

use std::cell::Cell;
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Gateway, artifact, wait_for};

const HEAD: &str = "admin = { bind = \"127.0.0.1:0\" }\nruntime = { workers = 1 }\n";

fn listener(name: &str, chain: &[&str], more: &str) -> String {
    format!(
        "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\nchain = {chain:?}\n{more}\n"
    )
}

fn plugin(name: &str, module: &str, more: &str) -> String {
    format!("[[plugin]]\nname = \"{name}\"\nmodule = \"{module}.wasm\"\n{more}\n")
}

fn fixture(name: &str) -> std::path::PathBuf {
    artifact::root().join(format!("tests/fixtures/{name}-without-batch.wasm"))
}

/// Text messages in as few writes as they take.
fn say(client: &mut Raw, texts: &[String]) {
    let frames: Vec<u8> = texts.iter().flat_map(|text| masked(0x81, text.as_bytes())).collect();
    assert!(client.write(&frames));
}

fn hear(client: &mut Raw) -> String {
    match client.frame() {
        Frame::Frame(1, text) => String::from_utf8(text).expect("text"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_at_once_arrive_as_they_would_alone() {
    const ROUNDS: usize = 40;
    const DEEP: usize = 64;
    let config = [
        HEAD.to_owned(),
        plugin("pass", "passthrough", ""),
        plugin("words", "wordfilter", "config = { words = [\"spam\"], reason = \"spam\" }"),
        plugin("mask", "wordfilter", "config = { words = [\"eel\"], action = \"mask\" }"),
        listener("ws", &["pass", "words", "mask"], ""),
    ];
    let gateway = Gateway::start(
        &config.concat(),
        &[
            ("passthrough.wasm", artifact::plugin("passthrough")),
            ("wordfilter.wasm", artifact::plugin("wordfilter")),
        ],
    );
    let mut client = Raw::websocket(gateway.address("ws"));
    let (mut sent, mut spam) = (0, 0);
    for round in 0..ROUNDS {
        let texts: Vec<String> = (0..DEEP)
            .map(|at| match (round + at) % 7 {
                0 => format!("{round} {at} spam"),
                1 => format!("{round} {at} an eel"),
                _ => format!("{round} {at} {}", "-".repeat(at * 7)),
            })
            .collect();
        say(&mut client, &texts);
        sent += texts.len();
        for text in texts {
            if text.ends_with("spam") {
                spam += 1;
            } else {
                assert_eq!(hear(&mut client), text.replace("eel", "***"));
            }
        }
    }
    let metrics = gateway
        .settle("all are there", |metrics| metrics.sum("messages_delivered", &[]) == (sent - spam) as u64);
    metrics.assert_ledger();
    let of = |family: &str, binding: &str| metrics.sum(family, &[("binding", binding)]);
    for binding in ["pass", "words", "mask"] {
        assert!(of("plugin_batches", binding) > 0, "{binding} was never asked for several");
        assert_eq!(of("plugin_batches_failed", binding) + of("plugin_failures", binding), 0);
    }
    // Each message is a call, however many were made for it at once; and so is it that the session opened.
    assert_eq!(of("plugin_calls", "pass"), 1 + (sent + sent - spam) as u64);
    assert_eq!(of("plugin_calls", "words"), 1 + sent as u64);
    assert_eq!(of("plugin_calls", "mask"), 1 + (sent - spam) as u64);
    assert_eq!(metrics.sum("plugin_drops", &[("binding", "words"), ("reason", "spam")]), spam as u64);
}

#[test]
fn a_plugin_of_the_contract_before_serves_beside_a_new_one() {
    let stamp = plugin("stamp", "stamp", "config = { mark = \"s\" }");
    let config = [
        HEAD.to_owned(),
        plugin("old", "old", ""),
        plugin("new", "passthrough", ""),
        stamp,
        listener("ws", &["old", "new", "stamp"], ""),
        listener("other", &["new", "old"], ""),
    ];
    let gateway = Gateway::start(
        &config.concat(),
        &[
            ("old.wasm", fixture("passthrough")),
            ("passthrough.wasm", artifact::plugin("passthrough")),
            ("stamp.wasm", fixture("stamp")),
        ],
    );
    for (name, tail) in [("ws", "<s0>s0"), ("other", "")] {
        let mut client = Raw::websocket(gateway.address(name));
        for round in 0..4 {
            let texts: Vec<String> = (0..20).map(|at| format!("{round}.{at}")).collect();
            say(&mut client, &texts);
            for text in texts {
                assert_eq!(hear(&mut client), format!("{text}{tail}"));
            }
        }
    }
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_delivered", &[]) == 160);
    metrics.assert_ledger();
    assert_eq!(metrics.sum("plugin_batches", &[("binding", "old")]), 0);
    assert!(metrics.sum("plugin_batches", &[("binding", "new")]) > 0);
    for binding in ["old", "new"] {
        assert_eq!(gateway.binding(binding).expect("known")["serving"]["contract"], "0.1.0");
    }
}

#[test]
fn one_that_lies_or_traps_costs_only_its_own_message() {
    let config = [HEAD.to_owned(), plugin("batch", "batch", ""), listener("ws", &["batch"], "")];
    let gateway = Gateway::start(&config.concat(), &[("batch.wasm", artifact::guest("batch"))]);
    for (word, echoed, cause) in
        [("lie-short", true, "answer"), ("trap", false, "trap"), ("loop", false, "deadline")]
    {
        let before = gateway.metrics();
        let mut client = Raw::websocket(gateway.address("ws"));
        // Until it is known how long one takes, and the last failure is over, they go one by one.
        let mut rounds = 0;
        loop {
            rounds += 1;
            let texts: Vec<String> = ["a", word, "b", "c"].map(str::to_owned).into();
            // A trap in every round would have the plugin left alone.
            let calm: Vec<String> = ["x", "y", "z"].map(str::to_owned).into();
            say(&mut client, &calm);
            for text in &calm {
                assert_eq!(hear(&mut client), *text);
            }
            say(&mut client, &texts);
            for text in &texts {
                if echoed || text != word {
                    assert_eq!(hear(&mut client), *text, "{word}");
                }
            }
            let metrics = gateway.metrics();
            let more = |family: &str| metrics.sum(family, &[]) - before.sum(family, &[]);
            if more("plugin_batches_failed") > 0 {
                let failed = metrics.sum("plugin_failures", &[("cause", cause)]);
                assert!(failed > before.sum("plugin_failures", &[("cause", cause)]), "{word}");
                break;
            }
            assert!(rounds < 10_000, "{word}: they never came together");
        }
    }
    gateway.settle("settled", |metrics| metrics.sum("sessions", &[]) == 0 && metrics.ledger().is_ok());
}

#[test]
fn reading_that_stops_in_the_midst_of_them_loses_none() {
    const MESSAGES: usize = 60_000;
    let config = [
        HEAD.to_owned(),
        plugin("pass", "passthrough", ""),
        listener("ws", &["pass"], "limits = { queue = \"8KiB\", slow_consumer = \"pause\" }"),
    ];
    let gateway = Gateway::start(&config.concat(), &[("passthrough.wasm", artifact::plugin("passthrough"))]);
    let stream = std::net::TcpStream::connect(gateway.address("ws")).expect("a connection");
    let mut writing = Raw::over(stream.try_clone().expect("the same connection"));
    writing.upgrade();
    let mut reading = Raw::over(stream);
    let text = |number: usize| format!("{number} {}", "-".repeat(number % 300));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..MESSAGES).step_by(500) {
                // Pings and a long message among them: they keep their places.
                let mut texts: Vec<u8> = Vec::new();
                for number in first..first + 500 {
                    texts.extend(masked(0x81, text(number).as_bytes()));
                    if number % 90 == 0 {
                        texts.extend(masked(0x8a, b"a pong that nobody asked for"));
                    }
                    if number % 250 == 0 {
                        texts.extend(masked(0x81, "long".repeat(1_500).as_bytes()));
                    }
                }
                assert!(writing.write(&texts));
            }
            assert!(writing.write(&masked(0x88, &1000_u16.to_be_bytes())));
        });
        // Nobody reads until its reading has stopped: what it is owed waits, and nothing more is received.
        let before = Cell::new(0);
        wait_for("it stands still", || {
            let metrics = gateway.metrics();
            let now = metrics.sum("messages_received", &[]);
            let owed = metrics.sum("messages_offered", &[]) > metrics.sum("messages_delivered", &[]);
            owed && now == before.replace(now)
        });
        for number in 0..MESSAGES {
            assert_eq!(hear(&mut reading), text(number));
            if number % 250 == 0 {
                assert_eq!(hear(&mut reading).len(), 6_000);
            }
        }
        assert_eq!(reading.frame(), Frame::Close(1000));
    });
    let metrics = gateway.settle("it has ended", |metrics| metrics.sum("sessions", &[]) == 0);
    metrics.assert_ledger();
    assert!(metrics.sum("plugin_batches", &[]) > 0);
    assert_eq!(metrics.sum("messages_dropped", &[]), 0);
}
