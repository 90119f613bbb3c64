//! The gateway of a soak, and its accounts at the end.

use crate::board::Board;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use weir_tests::certificate::Authority;
use weir_tests::{Gateway, Metrics, artifact, stamp};

/// Listeners whose every message comes back.
pub(crate) const ECHOES: [&str; 9] =
    ["tcp", "line", "tls", "ws", "wss", "deflate", "quic", "webtransport", "apart-ws"];
/// Listeners of the honest group.
pub(crate) const GROUP: [&str; 3] = ["group-tcp", "group-ws", "group-quic"];
/// The file that is replaced, of two bindings, and the one of the binding that traps.
pub(crate) const STAMP: &str = "stamp.wasm";
pub(crate) const TRAPS: &str = "traps.wasm";

/// The configuration; `grace` is what a reload changes.
pub(crate) fn config(upstream: SocketAddr, grace: u32) -> String {
    let framing = "framing = { type = \"length\", prefix = \"u32be\", max = \"1MiB\" }";
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
    // What a loaded machine is late with is no fault of the gateway's; who is rude is ended soon.
    let mut toml = format!(
        "admin.bind = \"127.0.0.1:0\"\nlog.access = \"off\"\noverload.enabled = false\n\
         runtime = {{ workers = 2, drain = {{ ready_delay = \"0s\", window = \"20s\" }} }}\n\
         plugins.defaults.deadline = \"5s\"\n\
         [[plugin]]\nname = \"stamp\"\nmodule = \"{STAMP}\"\nrollback = {{ window = \"0s\" }}\n\
         [[plugin]]\nname = \"apart\"\nmodule = \"{STAMP}\"\nrollback = {{ window = \"0s\" }}\nplacement = \"offload\"\n\
         offload = {{ threads = 2, queue_wait = \"1m\" }}\n\
         [[plugin]]\nname = \"traps\"\nmodule = \"{TRAPS}\"\nconfig = {{ ms = 1 }}\nquarantine = 1000\n\
         [[cluster]]\nname = \"back\"\nprotocol = \"tcp\"\n{framing}\nendpoints = [\"{upstream}\"]\nconnect_timeout = \"2s\"\n"
    );
    let mut listener = |name: &str, protocol: &str, chain: &str, route: &str, more: &str| {
        let upgrade = if protocol.starts_with("web") { "upgrade_timeout = \"3s\", " } else { "" };
        let _ = writeln!(
            toml,
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"{protocol}\"\nchain = {chain}\nroute = \"{route}\"\n\
             limits = {{ {upgrade}slow_grace = \"{grace}s\", handshake_timeout = \"3s\", frame_timeout = \"5s\" }}\n{more}"
        );
    };
    let stamp = "[\"stamp\"]";
    listener("tcp", "tcp", stamp, "echo", framing);
    listener("line", "tcp", stamp, "echo", "framing = { type = \"line\", max = \"64KiB\" }");
    listener("tls", "tcp", stamp, "echo", &format!("{framing}\n{tls}"));
    listener("ws", "websocket", stamp, "echo", "");
    listener("wss", "websocket", stamp, "echo", tls);
    listener("deflate", "websocket", stamp, "echo", "compression = \"permessage-deflate\"");
    listener("quic", "quic", stamp, "echo", "");
    listener("webtransport", "webtransport", stamp, "echo", "");
    listener("apart-ws", "websocket", "[\"apart\"]", "echo", "");
    listener("returning", "tcp", stamp, "echo", &format!("{framing}\nresume = {{ scope = \"all\" }}"));
    listener("group-tcp", "tcp", stamp, "group:lobby", framing);
    listener("group-ws", "websocket", stamp, "group:lobby", "");
    listener("group-quic", "quic", stamp, "group:lobby", "");
    listener("traps", "tcp", "[\"traps\"]", "echo", framing);
    listener("cluster-tcp", "tcp", stamp, "back", framing);
    listener("cluster-ws", "websocket", stamp, "back", "");
    // For those who come and go, and who are rude.
    listener("open-tcp", "tcp", stamp, "echo", framing);
    listener("open-ws", "websocket", stamp, "echo", "");
    listener("open-wss", "websocket", stamp, "echo", tls);
    listener("open-quic", "quic", stamp, "echo", "");
    listener("open-webtransport", "webtransport", stamp, "echo", "");
    listener("flood", "tcp", "[]", "group:flood", framing);
    toml
}

/// Starts it.
pub(crate) fn start(upstream: SocketAddr) -> Gateway {
    let (certificate, key) = Authority::default().issue();
    let put = |dir: &Path| {
        fs::write(dir.join("cert.pem"), certificate).expect("a certificate");
        fs::write(dir.join("key.pem"), key).expect("a key");
        fs::write(dir.join("plugins").join(STAMP), stamp::version(0)).expect("a plugin");
    };
    Gateway::prepare(&config(upstream, 2), &[(TRAPS, artifact::guest("slow"))]).with(put).start()
}

/// Waits until nothing is under way, and compares what the gateway has counted with what its clients have. The honest ones are still
/// there, and nobody else.
pub(crate) fn settle(gateway: &Gateway, board: &Board, honest: u32) -> Metrics {
    let (echoed, published) = (board.echoed.sent(), board.published.sent());
    let members = board.members.load(Ordering::SeqCst);
    assert_eq!(board.echoed.received(), echoed, "each came back once");
    assert_eq!(board.published.received(), published * members, "each came to every member");
    let of = |metrics: &Metrics, family: &str, listeners: &[&str]| -> u64 {
        listeners.iter().map(|listener| metrics.sum(family, &[("listener", listener)])).sum()
    };
    let metrics = gateway.settle("the honest alone are left, and all is counted", |metrics| {
        metrics.sum("sessions", &[]) == u64::from(honest)
            && of(metrics, "messages_delivered", &ECHOES) == echoed
            && of(metrics, "messages_delivered", &GROUP) == published * members
            && metrics.sum("messages_delivered", &[("listener", "traps")]) == board.risked.received()
    });
    assert_eq!(of(&metrics, "messages_received", &ECHOES), echoed);
    assert_eq!(of(&metrics, "messages_received", &GROUP), published);
    assert_eq!(metrics.sum("messages_received", &[("listener", "traps")]), board.risked.sent());
    assert_eq!(of(&metrics, "messages_dropped", &ECHOES) + of(&metrics, "messages_dropped", &GROUP), 0);
    assert_eq!(of(&metrics, "sessions_closed", &ECHOES) + of(&metrics, "sessions_closed", &GROUP), 0);
    for binding in ["stamp", "apart"] {
        assert_eq!(metrics.sum("plugin_failures", &[("binding", binding)]), 0, "the good one never fails");
    }
    let returning = board.returning.sent();
    assert_eq!(board.returning.received(), returning, "each came back once");
    assert_eq!(metrics.sum("messages_received", &[("listener", "returning")]), returning);
    let resumed = metrics.sum("sessions_returned", &[("outcome", "resumed")]);
    assert_eq!(resumed, board.returns.load(Ordering::SeqCst), "whoever came back was taken back");
    let lost = metrics.sum("messages_dropped", &[("listener", "traps")]);
    assert_eq!(board.risked.sent(), board.risked.received() + lost, "what did not come back was counted");
    metrics
}

/// So many sessions are left, and nothing leads to an upstream.
pub(crate) fn left_alone(gateway: &Gateway, sessions: u64) -> Metrics {
    gateway.settle("nobody else is there", |metrics| {
        metrics.sum("sessions", &[]) == sessions && metrics.sum("upstream_connections", &[]) == 0
    })
}

/// Writes the configuration with the other grace, of two and three seconds, and has it read.
pub(crate) fn reconfigure(gateway: &Gateway, grace: u32) {
    let file = gateway.dir().join("weir.toml");
    let before = fs::read_to_string(&file).expect("the configuration");
    let other = format!("slow_grace = \"{}s\"", 5 - grace);
    assert!(before.contains(&other), "it is another one");
    fs::write(file, before.replace(&other, &format!("slow_grace = \"{grace}s\""))).expect("written");
    gateway.signal("HUP");
}
