//! A thousand connections send over every transport while the plugin file is swapped a hundred times; a thousand times in the long
//! form.

use crate::fleet::{self, Board, PACE, Way};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use weir_tests::process::Memory;
use weir_tests::stamp::{self, Swap};
use weir_tests::{Gateway, wait_for};

/// In the short form, and in the long one (`make attacks`).
const SWAPS: [u32; 2] = [100, 1_000];
/// After so many, what is kept for ever is there: compiled modules, buffers, threads.
const WARM: u32 = 20;
/// After so many each the memory is read, and the middle one counts: what a thousand connections have under way comes and goes.
const READINGS: usize = 20;
/// Connections of each of the ten framings, of WebSocket, QUIC, TCP and WebSocket to a cluster, TCP and WebSocket to a group.
const FRAMED: u32 = 50;
const WEBSOCKET: u32 = 200;
const QUIC: u32 = 100;
const CLUSTER: [u32; 2] = [60, 40];
const GROUP: [u32; 2] = [50, 50];
const ALL: u32 = 10 * FRAMED + WEBSOCKET + QUIC + CLUSTER[0] + CLUSTER[1] + GROUP[0] + GROUP[1];

/// Half of the listeners have the automatic chain and half name the plugin.
fn config(upstream: std::net::SocketAddr) -> String {
    let mut toml = String::from(
        "admin = { bind = \"127.0.0.1:0\" }\nruntime = { workers = 2 }\nplugins.defaults.deadline = \"5s\"\n\
         [[plugin]]\nname = \"stamp\"\nmodule = \"stamp.wasm\"\n",
    );
    let mut listener = |name: &str, keys: &str, named: bool| {
        let chain = if named { "[\"stamp\"]" } else { "\"auto\"" };
        let _ = writeln!(
            toml,
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nchain = {chain}\n{keys}"
        );
    };
    for (at, (name, keys, _)) in fleet::framings().into_iter().enumerate() {
        let keys = format!("protocol = \"tcp\"\nroute = \"echo\"\nframing = {{ {keys} }}");
        listener(name, &keys, at % 2 == 0);
    }
    let framing = "framing = { type = \"length\", prefix = \"u32be\", max = \"1MiB\" }";
    listener("websocket", "protocol = \"websocket\"\nroute = \"echo\"", false);
    listener("quic", "protocol = \"quic\"\nroute = \"echo\"", true);
    listener("cluster-tcp", &format!("protocol = \"tcp\"\nroute = \"back\"\n{framing}"), true);
    listener("cluster-websocket", "protocol = \"websocket\"\nroute = \"back\"", false);
    listener("group-tcp", &format!("protocol = \"tcp\"\nroute = \"group:lobby\"\n{framing}"), false);
    listener("group-websocket", "protocol = \"websocket\"\nroute = \"group:lobby\"", true);
    let _ = writeln!(
        toml,
        "[[cluster]]\nname = \"back\"\nprotocol = \"tcp\"\n{framing}\nendpoints = [\"{upstream}\"]"
    );
    toml
}

#[test]
fn a_thousand_connections_meet_a_hundred_versions_and_lose_nothing() {
    let runtime = Runtime::new().expect("a runtime");
    let upstream = runtime.block_on(fleet::upstream()).expect("an upstream");
    let gateway = Gateway::prepare(&config(upstream), &[])
        .with(|dir| fs::write(dir.join("plugins/stamp.wasm"), stamp::version(0)).expect("a plugin"))
        .start();
    let board = Arc::new(Board::default());
    let mut clients = JoinSet::new();
    let mut many = |count: u32, prefix: &str, listener: &str, way: &Way| {
        let address = gateway.address(listener);
        for number in 0..count {
            let (way, board) = (way.clone(), board.clone());
            let (name, phase) = (format!("{prefix}{number}"), PACE * number / count);
            if listener.starts_with("group") {
                clients.spawn_on(
                    fleet::member(name, way, address, phase, GROUP[0] + GROUP[1], board),
                    runtime.handle(),
                );
            } else {
                clients.spawn_on(fleet::echoes(name, way, address, phase, board), runtime.handle());
            }
        }
    };
    // The group first: whoever is not in it yet gets nothing.
    let begun = Instant::now();
    board.paused.store(true, Ordering::SeqCst);
    many(GROUP[0], "gt", "group-tcp", &fleet::plain());
    many(GROUP[1], "gw", "group-websocket", &Way::WebSocket);
    for (at, (listener, _, framing)) in fleet::framings().into_iter().enumerate() {
        many(FRAMED, &format!("f{at}-"), listener, &Way::Tcp(framing));
    }
    many(WEBSOCKET, "w", "websocket", &Way::WebSocket);
    many(QUIC, "q", "quic", &Way::Quic);
    many(CLUSTER[0], "ct", "cluster-tcp", &fleet::plain());
    many(CLUSTER[1], "cw", "cluster-websocket", &Way::WebSocket);
    wait_for("a thousand sessions", || {
        board.assert_fine();
        gateway.metrics().sum("sessions", &[]) == u64::from(ALL)
    });
    board.paused.store(false, Ordering::SeqCst);
    println!("{ALL} connections after {:.1} s", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    let mut longest_swap = Duration::ZERO;
    let long = std::env::var_os("WEIR_ATTACKS").is_some_and(|form| form == "long");
    let swaps = SWAPS[usize::from(long)];
    let mut memory = Vec::new();
    for number in 1..=swaps {
        let file = stamp::version(number);
        let swap = Swap::ALL[number as usize % Swap::ALL.len()];
        let swapped = Instant::now();
        board.met.store(0, Ordering::SeqCst);
        board.written.store(number, Ordering::SeqCst);
        swap.apply(&gateway, "stamp.wasm", &file);
        wait_for("every chain has the new generation", || {
            board.assert_fine();
            chains_have(&gateway, u64::from(number) + 1)
        });
        longest_swap = longest_swap.max(swapped.elapsed());
        board.serving.store(number, Ordering::SeqCst);
        // All but the members of the group, whose messages take no such turns.
        wait_for("every connection has met it", || {
            board.assert_fine();
            board.met.load(Ordering::SeqCst) == ALL - GROUP[0] - GROUP[1]
        });
        if number > WARM {
            memory.push(Memory::of(gateway.pid()).anonymous);
        }
    }
    let took = begun.elapsed();
    let (first, last) = (median(&memory[..READINGS]), median(&memory[memory.len() - READINGS..]));
    let grown = last as f64 / first as f64 * 100.0 - 100.0;
    board.stop.store(true, Ordering::SeqCst);
    let open = runtime.block_on(clients.join_all());
    board.assert_fine();
    assert_eq!(open.iter().flatten().count(), ALL as usize, "all are still connected");

    let (echoed, published) = (board.sent.load(Ordering::SeqCst), board.group_sent.load(Ordering::SeqCst));
    let received = board.received.load(Ordering::SeqCst);
    assert_eq!(received, echoed + published * u64::from(GROUP[0] + GROUP[1]), "each came back once");
    let metrics = gateway.settle("all messages", |metrics| {
        metrics.sum("messages_received", &[]) == echoed + published
            && metrics.sum("messages_delivered", &[]) == received
    });
    assert_eq!(metrics.sum("messages_dropped", &[]), 0);
    assert_eq!(metrics.sum("upstream_messages_dropped", &[]), 0);
    assert_eq!(metrics.sum("sessions_closed", &[]), 0);
    assert_eq!(metrics.sum("upstream_connections_closed", &[]), 0);
    assert_eq!(metrics.sum("plugin_failures", &[]), 0);
    assert_eq!(metrics.sum("plugin_verdicts", &[("verdict", "change")]), echoed + published + received);
    let refused =
        gateway.log_counts().into_iter().filter(|(line, _)| line.contains("refused")).map(|(_, count)| count);
    let row = format!(
        "{} messages sent, {received} received, none lost, doubled or out of order, no session closed; {swaps} reloads in {:.1} s; \
         memory {grown:+.1} % from the first {READINGS} after the {WARM}th to the last; \
         longest from file to chain {longest_swap:.0?}; longest from message to answer {:.0?}; {} looks at a half-written file",
        echoed + published,
        took.as_secs_f64(),
        Duration::from_micros(board.longest.load(Ordering::SeqCst)),
        refused.sum::<usize>(),
    );
    // Past the capture of the test harness: it is what the run is for.
    let _ = writeln!(std::io::stdout().lock(), "attack: reloads under load: {row}");
    // The bar is for a thousand.
    assert!(!long || grown <= 5.0, "{grown} %");
    drop(open);
}

fn median(readings: &[u64]) -> u64 {
    let mut readings = readings.to_vec();
    readings.sort_unstable();
    readings[readings.len() / 2]
}

/// Whether every listener's chain is the plugin in this generation.
fn chains_have(gateway: &Gateway, generation: u64) -> bool {
    let plugins = gateway.plugins();
    let chains = plugins["chains"].as_array().expect("chains");
    chains.iter().all(|chain| {
        let links = chain["chain"].as_array().expect("links");
        links.len() == 1 && links[0]["generation"] == generation
    })
}
