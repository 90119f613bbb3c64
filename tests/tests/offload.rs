//! Plugins on threads of their own: what is slow makes nobody wait but its own sessions, and nothing is lost or asked twice.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, artifact, wait_for};

/// Two listeners with one worker: `slow` has the plugin, with these keys; `plain` has none.
fn config(workers: usize, keys: &str) -> String {
    format!(
        "admin.bind = \"127.0.0.1:0\"\nruntime.workers = {workers}\n\
         [[plugin]]\nname = \"p\"\nmodule = \"p.wasm\"\nplacement = \"offload\"\ndeadline = \"10s\"\n\
         max_host_calls = 100000000\n{keys}\n\
         [[listener]]\nname = \"slow\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nchain = [\"p\"]\nroute = \"echo\"\n\
         [[listener]]\nname = \"plain\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nchain = []\nroute = \"echo\"\n"
    )
}

fn gateway(workers: usize, keys: &str) -> Gateway {
    Gateway::start(&config(workers, keys), &[("p.wasm", artifact::guest("slow"))])
}

async fn client(gateway: &Gateway, listener: &str) -> Client {
    Client::tcp(gateway.address(listener), u32be()).await.expect("a session")
}

/// So many sessions with the plugin, each accepted by it.
async fn accepted(gateway: &Gateway, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for number in 1..=count {
        clients.push(client(gateway, "slow").await);
        // No more at once than the shortest queue of these tests holds beside the call that makes the instance.
        if number % 3 == 0 || number == count {
            wait_for("the plugin has met them", || {
                gateway.metrics().sum("plugin_function_calls", &[("function", "open")]) == number as u64
            });
        }
    }
    clients
}

async fn answer(client: &mut Client) -> String {
    String::from_utf8(client.message().await.expect("an answer").to_vec()).expect("text")
}

fn queue(gateway: &Gateway) -> u64 {
    gateway.metrics().sum("plugin_offload_queue", &[("binding", "p")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_wait_for_a_slow_plugin_and_one_worker_serves_the_others() {
    const SLOW: usize = 1_000;
    const HONEST: usize = 100;
    let gateway = gateway(1, "config = { ms = 5 }\noffload = { queue_wait = \"5m\" }");
    let mut slow = accepted(&gateway, SLOW).await;
    let mut honest = client(&gateway, "plain").await;
    for (number, client) in slow.iter_mut().enumerate() {
        client.send(format!("{number}").as_bytes()).await.expect("sent");
    }
    wait_for("all are there", || {
        gateway.metrics().sum("messages_received", &[("listener", "slow")]) == SLOW as u64
    });
    let before = queue(&gateway);
    let begun = Instant::now();
    for number in 0..HONEST {
        let text = format!("honest {number}");
        honest.send(text.as_bytes()).await.expect("sent");
        assert_eq!(answer(&mut honest).await, text);
    }
    let (took, after) = (begun.elapsed(), queue(&gateway));
    println!(
        "{HONEST} honest round trips in {took:.1?}; {before} messages waited before them and {after} after"
    );
    // Each of those that wait takes at least five milliseconds: were they in the worker's way, all were through by now.
    assert!(before > 0 && after > 0, "the others came first: {before} {after}");
    let page = gateway.plugins();
    let shown = &page["bindings"][0]["serving"]["offload"];
    assert_eq!((&shown["threads"], &shown["queue"]), (&1.into(), &1024.into()), "{page}");

    for (number, client) in slow.iter_mut().enumerate() {
        assert_eq!(answer(client).await, format!("{number}!"));
    }
    let metrics = gateway
        .settle("all", |metrics| metrics.sum("messages_delivered", &[("listener", "slow")]) == SLOW as u64);
    assert_eq!(metrics.sum("plugin_offload_queue", &[]), 0);
    assert_eq!(metrics.sum("plugin_failures", &[]), 0);
    let of = |function| metrics.sum("plugin_function_calls", &[("function", function)]);
    assert_eq!((of("message"), of("open")), (SLOW as u64, SLOW as u64));
    assert_eq!(metrics.sum("plugin_generation_verdicts", &[("verdict", "change")]), SLOW as u64);
    assert_eq!(metrics.sum("plugin_instances", &[]), 1, "the worker has none");
    // Each call waited, and so did the making of the instance.
    assert_eq!(metrics.sum("plugin_offload_wait_seconds_count", &[]), 2 * SLOW as u64 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_keeps_its_order_whatever_the_thread() {
    const SESSIONS: usize = 60;
    const MESSAGES: usize = 50;
    let gateway = gateway(2, "offload = { threads = 3 }");
    let mut clients = accepted(&gateway, SESSIONS).await;
    for number in 0..MESSAGES {
        for client in &mut clients {
            client.send(format!("{number}").as_bytes()).await.expect("sent");
        }
    }
    for client in &mut clients {
        for number in 0..MESSAGES {
            assert_eq!(answer(client).await, format!("{number}!"));
        }
    }
    // The close after the last one comes after it.
    for client in &mut clients {
        client.send(b"last").await.expect("sent");
        assert_eq!(client.next().await.expect("the end"), Got::End(0));
    }
    drop(clients);
    let all = (SESSIONS * MESSAGES) as u64;
    let metrics = gateway.settle("all", |metrics| {
        metrics.sum("plugin_function_calls", &[("function", "close")]) == SESSIONS as u64
    });
    assert_eq!(metrics.sum("messages_delivered", &[]), all);
    assert_eq!(metrics.sum("plugin_function_calls", &[("function", "message")]), all + SESSIONS as u64);
    assert_eq!(metrics.sum("plugin_instances", &[]), 3, "one a thread");
    assert_eq!(metrics.sum("plugin_failures", &[]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_meets_on_failure_and_every_message_is_counted() {
    const SESSIONS: usize = 40;
    for on_failure in ["open", "closed"] {
        let keys =
            format!("config = {{ ms = 20 }}\non_failure = \"{on_failure}\"\noffload = {{ queue = 4 }}");
        let gateway = gateway(1, &keys);
        let mut clients = accepted(&gateway, SESSIONS).await;
        for client in &mut clients {
            client.send(b"x").await.expect("sent");
        }
        let metrics = gateway.settle("each has its fate", |metrics| {
            let dropped = metrics.sum("messages_dropped", &[("reason", "plugin_failed")]);
            metrics.sum("messages_delivered", &[]) + dropped == SESSIONS as u64
        });
        let full = metrics.sum("plugin_failures", &[("cause", "queue_full")]);
        let asked = metrics.sum("plugin_function_calls", &[("function", "message")]);
        assert!(full > 0 && asked > 0, "{full} {asked}");
        assert_eq!(full + asked, SESSIONS as u64);
        assert_eq!(metrics.sum("plugin_failures", &[]), full);
        let dropped = metrics.sum("messages_dropped", &[("reason", "plugin_failed")]);
        assert_eq!(dropped, if on_failure == "closed" { full } else { 0 });
        if on_failure == "open" {
            let mut untouched = 0;
            for client in &mut clients {
                untouched += u64::from(answer(client).await == "x");
            }
            assert_eq!(untouched, full, "those go on as they were");
        }
        gateway.wait_for_log("it is said", |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("the queue of the plugin's threads is full"))
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_meets_on_failure() {
    let gateway =
        gateway(1, "config = { ms = 400 }\non_failure = \"open\"\noffload = { queue_wait = \"50ms\" }");
    let mut clients = accepted(&gateway, 2).await;
    for client in &mut clients {
        client.send(b"x").await.expect("sent");
    }
    let mut answers = BTreeSet::new();
    for client in &mut clients {
        answers.insert(answer(client).await);
    }
    assert_eq!(answers, BTreeSet::from(["x".to_owned(), "x!".to_owned()]));
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("plugin_failures", &[("cause", "queue_wait")]), 1);
    assert_eq!(metrics.sum("plugin_function_calls", &[("function", "message")]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_costs_its_message_and_the_thread_goes_on() {
    let gateway = gateway(1, "");
    let mut clients = accepted(&gateway, 3).await;
    for round in 0..2 {
        for client in &mut clients {
            client.send(b"x").await.expect("sent");
            assert_eq!(answer(client).await, "x!");
        }
        if round == 0 {
            clients[0].send(b"trap").await.expect("sent");
        }
    }
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_received", &[]) == 7);
    assert_eq!(metrics.sum("plugin_failures", &[("cause", "trap")]), 1);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "plugin_failed")]), 1);
    assert_eq!(metrics.sum("plugin_instances", &[]), 2);
    let line = gateway.wait_for_log("it is said", |line| line["cause"] == "trap");
    assert_eq!(line["plugin"], "p");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_answered_before_the_gateway_ends() {
    let mut gateway = gateway(1, "config = { ms = 300 }");
    let mut clients = accepted(&gateway, 2).await;
    let mut idle = client(&gateway, "plain").await;
    for client in &mut clients {
        client.send(b"x").await.expect("sent");
    }
    wait_for("both are there", || gateway.metrics().sum("messages_received", &[]) == 2);
    gateway.signal("INT");
    assert_eq!(idle.next().await.expect("the end"), Got::End(0));
    for client in &mut clients {
        assert_eq!(answer(client).await, "x!");
        assert_eq!(client.next().await.expect("the end"), Got::End(0));
    }
    assert!(gateway.wait().success());
}

/// Threads of plugins that the process has.
fn threads(gateway: &Gateway) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid())).expect("the process");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("off-")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_placements_change_under_load_and_nothing_is_lost() {
    const SESSIONS: usize = 32;
    const SWAPS: u32 = 12;
    let file =
        |placement: &str| config(2, "rollback = { window = \"0s\" }").replace("\"offload\"", placement);
    let gateway = Gateway::prepare(&file("\"offload\"\noffload = { threads = 2 }"), &[])
        .with(|dir| fs::write(dir.join("plugins/p.wasm"), stamp::version(0)).expect("a plugin"))
        .start();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut loads = tokio::task::JoinSet::new();
    for _ in 0..SESSIONS {
        let (address, stopped) = (gateway.address("slow"), stopped.clone());
        loads.spawn(async move {
            let mut client = Client::tcp(address, u32be()).await.expect("a session");
            let (mut count, mut last) = (0_u64, 0);
            while !*stopped.borrow() {
                // Some at once, so that there is an order to be kept.
                for number in 0..3 {
                    client.send(format!("{}", count + number).as_bytes()).await.expect("sent");
                }
                for _ in 0..3 {
                    let stamped = stamp::read(&client.message().await.expect("an answer"));
                    assert_eq!(stamped.text, count.to_string());
                    assert_eq!(
                        (stamped.inbound.len(), stamped.outbound.len()),
                        (1, 1),
                        "asked once each way"
                    );
                    assert!(stamped.inbound[0].1 >= last, "no older version after a newer one");
                    last = stamped.inbound[0].1;
                    count += 1;
                }
            }
            (client, count)
        });
    }
    let serves = |generation: u64| {
        gateway.binding("p").is_some_and(|binding| binding["serving"]["generation"] == generation)
    };
    let received = || gateway.metrics().sum("messages_received", &[]);
    let mut generation = 1;
    for number in 1..=SWAPS {
        generation += 1;
        if number % 4 == 0 {
            let placement = if number % 8 == 0 {
                "\"offload\"\noffload = { threads = 3, queue = 500 }"
            } else {
                "\"inline\""
            };
            let part = gateway.dir().join(".weir.toml.part");
            fs::write(&part, file(placement)).expect("written");
            fs::rename(part, gateway.dir().join("weir.toml")).expect("renamed");
            gateway.signal("HUP");
        } else {
            Swap::Rename.apply(&gateway, "p.wasm", &stamp::version(number));
        }
        wait_for("the new generation serves", || serves(generation));
        let before = received();
        wait_for("it meets messages", || received() > before + 3 * SESSIONS as u64);
    }
    stop.send_replace(true);
    let ended = loads.join_all().await;
    let all: u64 = ended.iter().map(|(_, count)| count).sum();
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_delivered", &[]) == all);
    assert_eq!(metrics.sum("messages_received", &[]), all);
    assert_eq!(metrics.sum("plugin_failures", &[]), 0);
    assert_eq!(metrics.sum("plugin_function_calls", &[("function", "message")]), 2 * all);
    // The last change of the placement was to the workers.
    wait_for("the threads end with their generations", || threads(&gateway) == 0);
    println!("{all} messages met {generation} generations");
}
