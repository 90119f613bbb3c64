//! Whoever does not read: one that only its peer waits for is waited for, one that many wait for is closed. Memory stays bounded, and
//! nothing is lost uncounted.

use std::time::{Duration, Instant};
use weir_tests::client::{Client, Got, u32be};
use weir_tests::peer::resident_kib;
use weir_tests::{Gateway, PATIENCE, Peer, artifact};

/// More than the kernel keeps for two connections, many times more than the gateway may.
const MESSAGES: u64 = 48_000;
const SIZE: usize = 1_000;
/// What the gateway may grow by: its queues are 256 KiB, its read buffer less; the rest is the allocator's.
const GROWTH_KIB: u64 = 8 << 10;

fn gateway(cluster: &str, port: u16) -> Gateway {
    let config = format!(
        r#"
[admin]
bind = "127.0.0.1:0"
[plugins.defaults]
deadline = "5s"
[[listener]]
name = "tcp"
bind = "127.0.0.1:0"
protocol = "tcp"
kind = "text"
limits = {{ slow_grace = "1h" }}
route = "service"
[[listener]]
name = "ws"
bind = "127.0.0.1:0"
protocol = "websocket"
limits = {{ slow_grace = "1h" }}
route = "service"
[[listener]]
name = "quic"
bind = "127.0.0.1:0"
protocol = "quic"
kind = "text"
limits = {{ slow_grace = "1h" }}
route = "service"
[[cluster]]
name = "service"
endpoints = ["127.0.0.1:{port}"]
{cluster}
"#
    );
    Gateway::start(&config, &[("passthrough.wasm", artifact::plugin("passthrough"))])
}

const LENGTH: (&str, &str) = ("length", "protocol = \"tcp\"\nkind = \"text\"");
const WEBSOCKET: (&str, &str) = ("websocket", "protocol = \"websocket\"");
/// Every way in and every way out once.
const WAYS: [((&str, &str), &str); 3] = [(LENGTH, "tcp"), (WEBSOCKET, "ws"), (LENGTH, "quic")];

async fn client(gateway: &Gateway, listener: &str) -> Client {
    let address = gateway.address(listener);
    let client = match listener {
        "ws" => Client::websocket(address, "/").await,
        "tcp" => Client::tcp(address, u32be()).await,
        _ => Client::quic(address).await,
    };
    client.unwrap()
}

/// Waits until a count has not moved for half a second, and gives it.
fn still(mut count: impl FnMut() -> u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    let (mut last, mut since) = (count(), Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        assert!(Instant::now() < deadline, "it goes on and on: {last}");
        std::thread::sleep(Duration::from_millis(20));
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_reading_pauses_its_client() {
    for ((speech, cluster), listener) in WAYS {
        let mut service = Peer::start("upstream.py", &[speech]);
        let gateway = gateway(cluster, service.port());
        let mut sender = client(&gateway, listener).await;
        sender.send(b"hello").await.unwrap();
        assert_eq!(sender.message().await.unwrap(), "> hello");
        sender.send(b"stop").await.unwrap();
        gateway.settle("stopped", |metrics| metrics.sum("upstream_messages_delivered", &[]) == 2);
        let before = resident_kib(gateway.pid());
        let sending = tokio::spawn(async move {
            for number in 0..MESSAGES {
                sender.send(format!(".{number:0SIZE$}").as_bytes()).await.unwrap();
            }
            sender
        });
        let accepted = still(|| gateway.metrics().sum("messages_received", &[]));
        assert!(
            !sending.is_finished(),
            "{speech}, {listener}: {accepted} were accepted, the client was not paused"
        );
        assert!(accepted < MESSAGES, "{accepted}");
        let growth = resident_kib(gateway.pid()).saturating_sub(before);
        assert!(growth < GROWTH_KIB, "{speech}, {listener}: {growth} KiB more while the service stood still");
        service.order("go");
        let mut sender = sending.await.unwrap();
        sender.send(b"count").await.unwrap();
        assert_eq!(
            sender.message().await.unwrap(),
            format!("count {}", MESSAGES + 3),
            "{speech}, {listener}"
        );
        let metrics = gateway
            .settle("all there", |metrics| metrics.sum("upstream_messages_delivered", &[]) == MESSAGES + 3);
        assert_eq!(metrics.sum("messages_received", &[]), MESSAGES + 3);
        assert_eq!(metrics.sum("messages_delivered", &[]), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_pauses_its_service() {
    for ((speech, cluster), listener) in WAYS {
        let mut service = Peer::start("upstream.py", &[speech]);
        let gateway = gateway(cluster, service.port());
        let mut reader = client(&gateway, listener).await;
        reader.send(b"hello").await.unwrap();
        assert_eq!(reader.message().await.unwrap(), "> hello");
        assert_eq!(service.said()["opened"], 1);
        let before = resident_kib(gateway.pid());
        reader.send(format!("push {MESSAGES} {SIZE}").as_bytes()).await.unwrap();
        let accepted = still(|| gateway.metrics().sum("upstream_messages_received", &[]));
        service.order("pushed");
        let pushed = service.said()["pushed"].as_u64().unwrap();
        assert!(
            pushed < MESSAGES && accepted <= pushed + 1,
            "{speech}, {listener}: {pushed} pushed, {accepted} accepted"
        );
        let growth = resident_kib(gateway.pid()).saturating_sub(before);
        assert!(growth < GROWTH_KIB, "{speech}, {listener}: {growth} KiB more while the client stood still");
        for number in 0..MESSAGES {
            let message = reader.message().await.unwrap();
            let expected = format!("{number} ");
            assert!(
                message.len() == SIZE && message.starts_with(expected.as_bytes()),
                "{number}: {message:?}"
            );
        }
        let metrics =
            gateway.settle("all read", |metrics| metrics.sum("messages_delivered", &[]) == MESSAGES + 1);
        assert_eq!(metrics.sum("upstream_messages_received", &[]), MESSAGES + 1);
        reader.close().await.unwrap();
        gateway.settle("gone", |metrics| metrics.sum("connections", &[]) == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_closed_and_nobody_else_notices() {
    let gateway = Gateway::start(
        r#"
[admin]
bind = "127.0.0.1:0"
[runtime]
workers = 2
[[listener]]
name = "ws"
bind = "127.0.0.1:0"
protocol = "websocket"
limits = { queue = "64KiB", slow_grace = "500ms" }
route = "group:room"
[[listener]]
name = "tcp"
bind = "127.0.0.1:0"
protocol = "tcp"
kind = "text"
limits = { queue = "64KiB", slow_grace = "500ms" }
route = "group:room"
[[listener]]
name = "quic"
bind = "127.0.0.1:0"
protocol = "quic"
kind = "text"
limits = { queue = "64KiB", slow_grace = "500ms" }
route = "group:room"
"#,
        &[("passthrough.wasm", artifact::plugin("passthrough"))],
    );
    let slow = Client::tcp_of_few_bytes(gateway.address("tcp"), u32be()).await.unwrap();
    // QUIC speaks first: what goes to it waits for a stream, and a stream is there when something was written to it.
    let mut members = [
        Client::quic(gateway.address("quic")).await.unwrap(),
        Client::websocket(gateway.address("ws"), "/").await.unwrap(),
        Client::tcp(gateway.address("tcp"), u32be()).await.unwrap(),
    ];
    gateway.settle("all in the room", |metrics| metrics.sum("sessions", &[]) == 4);
    let padding = "x".repeat(8_000);
    let mut said = 0;
    let closed = |gateway: &Gateway| gateway.metrics().sum("sessions_closed", &[("reason", "slow_consumer")]);
    let began = Instant::now();
    while said % 50 != 0 || said == 0 || closed(&gateway) == 0 {
        assert!(began.elapsed() < weir_tests::PATIENCE, "the slow one is still there after {said} messages");
        let text = format!("{said} {padding}");
        members[said % 3].send(text.as_bytes()).await.unwrap();
        for member in &mut members {
            let got = member
                .message()
                .await
                .unwrap_or_else(|error| panic!("{error:#} after {said}: {}", gateway.metrics()));
            assert!(got == text, "everybody else gets everything, in order");
        }
        said += 1;
    }
    let metrics = gateway.settle("all fates", |metrics| metrics.sum("sessions", &[]) == 3);
    assert_eq!(metrics.sum("messages_received", &[]), said as u64);
    assert!(metrics.sum("messages_dropped", &[("reason", "queue_full")]) > 0, "{metrics}");
    // The slow one's: some went into the kernel's buffers, the rest was dropped and counted: as there was no room, as it ended, or
    // as nobody was left in the group on its worker.
    let dropped = metrics.sum("messages_dropped", &[("direction", "outbound")]);
    let others = 3 * said as u64;
    assert_eq!(metrics.sum("messages_offered", &[]), metrics.sum("messages_delivered", &[]) + dropped);
    assert!(metrics.sum("messages_delivered", &[]) >= others);
    let line = gateway.wait_for_log("its end", |line| line["reason"] == "slow_consumer");
    assert_eq!(line["code"], 1008);
    drop(slow);
    for member in &mut members {
        assert!(!matches!(tokio::time::timeout(Duration::ZERO, member.next()).await, Ok(Ok(Got::End(_)))));
    }
}
