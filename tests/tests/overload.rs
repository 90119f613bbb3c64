//! What happens when descriptors or memory run short: who goes first, who is not let in, who still answers, and that it ends.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use weir_tests::client::Client;
use weir_tests::peer::resident_kib;
use weir_tests::raw::Raw;
use weir_tests::{Gateway, PATIENCE, wait_for};

const BASE: &str = "[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 1\n";
const WEBSOCKET: &str =
    "[[listener]]\nname = \"ws\"\nbind = \"127.0.0.1:0\"\nprotocol = \"websocket\"\nroute = \"echo\"\n";

/// Asks for a WebSocket; the status and the head of the answer.
fn ask(address: SocketAddr) -> (Raw, u16, String) {
    let mut raw = Raw::connect(address);
    let (status, head) = raw.request(&format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ));
    (raw, status, head)
}

fn retry_after(head: &str) -> u64 {
    let line = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("retry-after: ").map(str::to_owned));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no hint: {head}"))
}

fn level(gateway: &Gateway) -> u64 {
    gateway.metrics().sum("overload_level", &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_new_connections_are_refused_and_health_answers() {
    // Ten of these are left to those who ask how it is. The last step begins before they are reached: whoever is refused for want of
    // descriptors that were in use for a moment is no sign of it.
    let config = format!(
        "{BASE}[overload]\ndwell = \"1s\"\nleave = 0.3\nretry = \"5s\"\nsteps = {{ idle = 0.8, drain = 0.85, refuse = 0.9 }}\n{WEBSOCKET}\
         [[listener]]\nname = \"tcp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\n\
         [[listener]]\nname = \"quic\"\nbind = \"127.0.0.1:0\"\nprotocol = \"quic\"\nroute = \"echo\"\n"
    );
    let gateway = Gateway::prepare(&config, &[]).open_files(128).start();
    let address = gateway.address("ws");
    let mut clients = Vec::new();
    let head = loop {
        let (raw, status, head) = ask(address);
        if status == 503 {
            break head;
        }
        assert_eq!(status, 101, "{head}");
        clients.push(raw);
        assert!(clients.len() < 128, "more than there are descriptors");
    };
    assert!((1..=5).contains(&retry_after(&head)), "{head}");
    assert!(head.to_ascii_lowercase().contains("connection: close"), "{head}");
    wait_for("the last step", || level(&gateway) == 3);
    assert_eq!(gateway.get("/healthz"), (200, "ok\n".into()));
    assert_eq!(gateway.get("/readyz"), (503, "not ready: overloaded\n".into()));
    // TCP has no words for it, and QUIC has a code.
    let mut tcp = TcpStream::connect(gateway.address("tcp")).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(tcp.read(&mut [0]), Ok(0) | Err(_)));
    let refused = Client::quic(gateway.address("quic")).await.map(drop).unwrap_err();
    assert!(format!("{refused:#}").contains("refused"), "{refused:#}");
    // Of those who are in one after the other is told to go.
    let reason = clients[0].close_reason();
    let (said, wait) = reason.split_once("; retry-after-ms=").expect("a hint");
    assert_eq!(said, "gateway is overloaded, try again later");
    assert!(wait.parse::<u64>().unwrap() < 5_000);
    let metrics = gateway.metrics();
    let step = |family: &str, step: &str| metrics.sum(family, &[("step", step)]);
    assert_eq!(
        ["idle", "drain", "refuse"].map(|each| step("overload_entries", each)),
        [1, 1, 1],
        "{metrics}"
    );
    assert!(
        step("overload_connections", "drain") >= 1 && step("overload_connections", "refuse") >= 3,
        "{metrics}"
    );
    let counted =
        |listener: &str| metrics.sum("sessions_closed", &[("listener", listener), ("reason", "overload")]);
    assert!(counted("ws") >= 1 && counted("tcp") == 1 && counted("quic") == 1, "{metrics}");
    gateway.wait_for_log("the last step", |line| line["step"] == "refuse" && line["level"] == "WARN");

    drop(clients);
    wait_for("the end of it", || level(&gateway) == 0);
    assert_eq!(gateway.get("/readyz").0, 200);
    let (_raw, status, head) = ask(address);
    assert_eq!(status, 101, "{head}");
    let metrics = gateway.settle("all counted", |metrics| metrics.sum("sessions", &[]) == 1);
    let all: u64 = ["idle", "drain", "refuse"]
        .map(|step| metrics.sum("overload_connections", &[("step", step)]))
        .iter()
        .sum();
    assert_eq!(
        all,
        metrics.sum("sessions_closed", &[("reason", "overload")]),
        "each is counted once: {metrics}"
    );
    gateway.wait_for_log("the end of it", |line| line["step"] == "calm" && line["level"] == "INFO");
}

#[test]
fn idle_sessions_go_first_and_those_that_speak_stay() {
    let config = format!(
        "{BASE}[overload]\nsilent = \"3s\"\nsteps = {{ idle = 0.5, drain = 1.0, refuse = 1.0 }}\n{WEBSOCKET}"
    );
    let gateway = Gateway::prepare(&config, &[]).open_files(128).start();
    let address = gateway.address("ws");
    let mut speaks = Raw::websocket(address);
    let idle: Vec<_> = (0..64).map(|_| Raw::websocket(address)).collect();
    wait_for("four are gone", || {
        speaks.write(&weir_tests::raw::masked(0x81, b"here"));
        assert_eq!(speaks.frame(), weir_tests::raw::Frame::Frame(1, b"here".to_vec()));
        gateway.metrics().sum("overload_connections", &[("step", "idle")]) >= 4
    });
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("overload_entries", &[("step", "drain")]), 0, "{metrics}");
    // They do not answer the close frame, so each has its two seconds.
    wait_for("their ends", || gateway.metrics().sum("sessions_closed", &[("reason", "overload")]) >= 4);
    drop(idle);
    speaks.write(&weir_tests::raw::masked(0x81, b"still here"));
    assert_eq!(speaks.frame(), weir_tests::raw::Frame::Frame(1, b"still here".to_vec()));
}

/// Echoes that nobody reads are what fills memory here; when they are gone, so is the pressure.
#[test]
fn without_memory_it_refuses_and_takes_up_again() {
    let listener = "[[listener]]\nname = \"tcp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"tcp\"\nroute = \"echo\"\n\
                    limits = { queue = \"16MiB\", slow_grace = \"1h\", write_timeout = \"0s\" }\n";
    let own = {
        let probe = Gateway::start(&format!("{BASE}{listener}"), &[]);
        resident_kib(probe.pid())
    };
    let most = own + (96 << 10);
    let config = format!(
        "{BASE}[overload]\nmemory = {}\ndwell = \"1s\"\nleave = 0.3\n{listener}{WEBSOCKET}",
        most << 10
    );
    let gateway = Gateway::start(&config, &[]);
    let mut loud = Vec::new();
    let frame = [&(1_u32 << 16).to_be_bytes()[..], &vec![7; 1 << 16]].concat();
    wait_for("the last step", || {
        if let Ok(mut stream) = TcpStream::connect(gateway.address("tcp")) {
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            // Until nothing more is taken from it.
            while stream.write_all(&frame).is_ok() {}
            loud.push(stream);
        }
        level(&gateway) == 3
    });
    assert_eq!(gateway.get("/healthz").0, 200);
    assert_eq!(gateway.get("/readyz").0, 503);
    let (_raw, status, head) = ask(gateway.address("ws"));
    assert_eq!(status, 503, "{head}");
    drop(loud);
    wait_for("the end of it", || level(&gateway) == 0);
    let (_raw, status, head) = ask(gateway.address("ws"));
    assert_eq!(status, 101, "{head}");
    gateway.settle("all counted", |metrics| metrics.sum("sessions", &[("listener", "tcp")]) == 0);
}

#[test]
fn a_refused_upgrade_says_why_and_when_to_come_back() {
    let config = format!(
        "{BASE}[overload]\nretry = \"7s\"\n{WEBSOCKET}limits = {{ connections = 2 }}\n{}limits = {{ connections_per_client = 1 }}\n",
        WEBSOCKET.replace("\"ws\"", "\"each\"")
    );
    let gateway = Gateway::start(&config, &[]);
    let _two = [Raw::websocket(gateway.address("ws")), Raw::websocket(gateway.address("ws"))];
    let _one = Raw::websocket(gateway.address("each"));
    let mut hints = std::collections::HashSet::new();
    for listener in ["ws", "each"] {
        for _ in 0..20 {
            let (_, status, head) = ask(gateway.address(listener));
            assert_eq!(status, 503, "{listener}: {head}");
            hints.insert(retry_after(&head));
        }
    }
    assert!(
        hints.iter().all(|wait| (1..=7).contains(wait)) && hints.len() > 1,
        "each another time: {hints:?}"
    );
    let metrics = gateway.metrics();
    for reason in ["too_many_connections", "too_many_connections_per_client"] {
        assert_eq!(metrics.sum("sessions_closed", &[("reason", reason)]), 20, "{reason}: {metrics}");
    }
    assert_eq!(metrics.sum("sessions", &[]), 3);
}
