//! SIGTERM and SIGINT: what clients are told, and what becomes of messages that are under way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use weir_tests::client::{Client, Got, trusting, u32be};
use weir_tests::{Gateway, artifact};

fn gateway(drain: &str) -> Gateway {
    let listener = |(name, protocol): (&str, &str)| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\nprotocol = \"{protocol}\"\nroute = \"echo\"\n\
             limits = {{ queue = \"16MiB\" }}\n"
        )
    };
    let listeners = [("ws", "websocket"), ("tcp", "tcp"), ("quic", "quic"), ("wt", "webtransport")]
        .map(listener)
        .concat();
    let config = format!(
        "[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 2\ndrain = {{ {drain} }}\n{listeners}"
    );
    Gateway::start(&config, &[("passthrough.wasm", artifact::plugin("passthrough"))])
}

async fn clients(gateway: &Gateway) -> [(&'static str, Client); 4] {
    let at = |name: &str| -> SocketAddr { gateway.address(name) };
    [
        ("ws", Client::websocket(at("ws"), "/").await.unwrap()),
        ("tcp", Client::tcp(at("tcp"), u32be()).await.unwrap()),
        ("quic", Client::quic(at("quic")).await.unwrap()),
        ("wt", Client::webtransport(at("wt"), "/").await.unwrap()),
    ]
}

/// Over TCP there is no place for a code.
fn going_away(name: &str) -> Got {
    Got::End(if name == "tcp" { 0 } else { 1001 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_delivers_what_is_under_way_and_tells_clients() {
    for signal in ["TERM", "INT"] {
        let mut gateway = gateway("ready_delay = \"0s\"");
        let mut clients = clients(&gateway).await;
        let payload = "x".repeat(10_000);
        for (_, client) in &mut clients {
            for number in 0..500 {
                client.send(format!("{number} {payload}").as_bytes()).await.unwrap();
            }
        }
        // Five megabytes each, that nobody reads: more than the kernel keeps.
        let received = |gateway: &Gateway| gateway.metrics().sum("messages_received", &[]);
        let before = {
            weir_tests::wait_for("all received", || received(&gateway) == 2000);
            gateway.metrics()
        };
        assert!(before.sum("messages_delivered", &[]) < 2000, "{signal}: some are under way: {before}");
        gateway.signal(signal);
        for (name, client) in &mut clients {
            for number in 0..500 {
                let message =
                    client.message().await.unwrap_or_else(|error| panic!("{name}, {number}: {error:#}"));
                assert!(message.starts_with(format!("{number} ").as_bytes()), "{name}, {number}");
            }
            assert_eq!(client.next().await.unwrap(), going_away(name), "{name}");
            if let Client::WebTransport(session) = client {
                assert!(session.drained, "it is told before it is closed");
            }
        }
        drop(clients);
        assert_eq!(gateway.wait().code(), Some(0), "{signal}");
        // There is nobody left to ask for counters; each session's end says what it had.
        let log = gateway.log();
        let ends: Vec<_> = log.iter().filter(|line| line["message"] == "session closed").collect();
        assert_eq!(ends.len(), 4, "{signal}");
        for end in ends {
            assert_eq!((&end["reason"], &end["code"]), (&"shutdown".into(), &1001.into()), "{end}");
            assert_eq!((&end["inbound"], &end["outbound"]), (&500.into(), &500.into()), "{end}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_fails_first_and_a_second_signal_ends_at_once() {
    let mut gateway = gateway("ready_delay = \"1m\"");
    let mut clients = clients(&gateway).await;
    assert_eq!(gateway.get("/readyz").0, 200);
    gateway.signal("TERM");
    gateway.wait_for_log("stopping", |line| line["signal"] == "SIGTERM");
    assert_eq!(gateway.get("/readyz").0, 503);
    assert_eq!(gateway.get("/healthz").0, 200);
    // Until the load balancer has learnt of it everything goes on, also for those who still come.
    for (name, client) in &mut clients {
        client.send(b"still here").await.unwrap();
        assert_eq!(client.message().await.unwrap(), "still here", "{name}");
    }
    let mut late = Client::tcp(gateway.address("tcp"), u32be()).await.unwrap();
    late.send(b"late").await.unwrap();
    assert_eq!(late.message().await.unwrap(), "late");
    let metrics = gateway.settle("all delivered", |metrics| metrics.sum("messages_delivered", &[]) == 5);
    assert_eq!(metrics.sum("messages_received", &[]), 5);
    let began = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(20), "not after a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drain_window_ends_for_those_who_do_not_read() {
    let mut gateway = gateway("ready_delay = \"0s\", window = \"1s\"");
    let mut clients = clients(&gateway).await;
    clients[1].1 = Client::tcp_of_few_bytes(gateway.address("tcp"), u32be()).await.unwrap();
    let payload = "x".repeat(10_000);
    let (_, deaf) = &mut clients[1];
    for _ in 0..1000 {
        deaf.send(payload.as_bytes()).await.unwrap();
    }
    weir_tests::wait_for("all received", || gateway.metrics().sum("messages_received", &[]) == 1000);
    let began = Instant::now();
    gateway.signal("TERM");
    for at in [0, 2, 3] {
        let (name, client) = &mut clients[at];
        assert_eq!(client.next().await.unwrap(), going_away(name), "{name}");
    }
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    gateway
        .wait_for_log("the cut", |line| line["message"] == "the drain window is over: cutting what is left");
    assert_eq!(gateway.wait_for_log("stopped", |line| line["message"] == "stopped")["level"], "INFO");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_quic_clients_hear_of_an_end_that_comes_for_all_at_once() {
    const CLIENTS: u32 = 1_500;
    let config = "[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 1\ndrain = { ready_delay = \"0s\" }\n[[listener]]\n\
                  name = \"quic\"\nbind = \"127.0.0.1:0\"\nprotocol = \"quic\"\nroute = \"echo\"\n";
    let mut gateway = Gateway::start(config, &[]);
    let (quic, config) = (gateway.address("quic"), trusting());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let connecting = endpoint.connect_with(config.clone(), quic, "localhost").unwrap();
        clients.push((connecting.await.unwrap(), endpoint));
    }
    let began = Instant::now();
    gateway.signal("INT");
    for (client, _) in &clients {
        match client.closed().await {
            quinn::ConnectionError::ApplicationClosed(close) => assert_eq!(close.error_code, 1001_u32.into()),
            other => panic!("not told: {other}"),
        }
    }
    // 10,000 a second, but for the first few: a line with short queues loses what comes at once.
    let least = Duration::from_micros(100) * (CLIENTS - 100);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    assert_eq!(gateway.wait().code(), Some(0));
}
