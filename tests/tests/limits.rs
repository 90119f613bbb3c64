//! Rates, slow consumers, connections of one client: what a client may take, what it sees when it wants more, and what counts it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use weir_tests::client::{Client, u32be};
use weir_tests::raw::{Frame, Raw, masked};
use weir_tests::{Gateway, Metrics, PATIENCE, wait_for};

fn gateway(workers: usize, listeners: &str) -> Gateway {
    let bound = listeners.replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nprotocol");
    Gateway::start(&format!("[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = {workers}\n{bound}"), &[])
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes(), payload].concat()
}

fn dropped(metrics: &Metrics, reason: &str) -> u64 {
    metrics.sum("messages_dropped", &[("reason", reason)])
}

fn closed(metrics: &Metrics, reason: &str) -> u64 {
    metrics.sum("sessions_closed", &[("reason", reason)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_above_its_rate_waits_and_loses_nothing() {
    const MESSAGES: u64 = 300;
    let gateway = gateway(
        1,
        r#"
[[listener]]
name = "tcp"
protocol = "tcp"
route = "echo"
limits = { messages_per_second = 100 }
[[listener]]
name = "ws"
protocol = "websocket"
route = "echo"
limits = { bytes_per_second = "100kB", message = "1kB" }
[[listener]]
name = "quic"
protocol = "quic"
route = "echo"
limits = { messages_per_second = 100 }
[[listener]]
name = "wt"
protocol = "webtransport"
route = "echo"
limits = { messages_per_second = 100 }
"#,
    );
    for listener in ["tcp", "ws", "quic", "wt"] {
        let address = gateway.address(listener);
        let client = match listener {
            "tcp" => Client::tcp(address, u32be()).await,
            "ws" => Client::websocket(address, "/").await,
            "quic" => Client::quic(address).await,
            _ => Client::webtransport(address, "/").await,
        };
        let mut client = client.unwrap();
        let began = Instant::now();
        for number in 0..MESSAGES {
            client.send(format!("{number:01000}").as_bytes()).await.unwrap();
        }
        for number in 0..MESSAGES {
            assert_eq!(client.message().await.unwrap(), format!("{number:01000}"), "{listener}");
        }
        // A second's worth at once, the other two at the rate. A machine that is busy is slower.
        let took = began.elapsed();
        assert!(took > Duration::from_millis(1_900), "{listener}: {took:?}");
    }
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_delivered", &[]) == 4 * MESSAGES);
    assert_eq!(metrics.sum("messages_dropped", &[]), 0, "{metrics}");
    for listener in ["tcp", "ws", "quic", "wt"] {
        assert!(metrics.sum("rate_pauses", &[("listener", listener)]) > 0, "{listener}: {metrics}");
    }
}

#[test]
fn a_client_above_its_rate_loses_messages_or_its_session_where_that_is_the_policy() {
    const MESSAGES: u64 = 1_000;
    let gateway = gateway(
        1,
        r#"
[[listener]]
name = "drop"
protocol = "tcp"
route = "drop"
limits = { messages_per_second = 100, rate_policy = "drop" }
[[listener]]
name = "close"
protocol = "websocket"
route = "echo"
limits = { messages_per_second = 10, rate_policy = "close" }
"#,
    );
    let mut stream = TcpStream::connect(gateway.address("drop")).unwrap();
    let began = Instant::now();
    let all: Vec<u8> = (0..MESSAGES).flat_map(|number| frame(&number.to_be_bytes())).collect();
    stream.write_all(&all).unwrap();
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_received", &[]) == MESSAGES);
    let passed = dropped(&metrics, "route_drop");
    assert_eq!(dropped(&metrics, "rate_limited"), MESSAGES - passed);
    let most = 100 + 100 * (began.elapsed().as_secs() + 1);
    assert!((100..=most).contains(&passed), "{metrics}");

    let mut socket = Raw::websocket(gateway.address("close"));
    let all: Vec<u8> = (0..11).flat_map(|_| masked(0x82, b"x")).collect();
    assert!(socket.write(&all));
    for _ in 0..10 {
        assert_eq!(socket.frame(), Frame::Frame(2, b"x".to_vec()));
    }
    assert_eq!(socket.frame(), Frame::Close(1008));
    socket.write(&masked(0x88, &1008_u16.to_be_bytes()));
    let metrics = gateway.settle("closed", |metrics| closed(metrics, "rate_limited") == 1);
    assert_eq!(metrics.sum("messages_dropped", &[("listener", "close"), ("reason", "rate_limited")]), 1);
    let line = gateway.wait_for_log("its end", |line| line["reason"] == "rate_limited");
    assert_eq!(line["code"], 1008);
}

#[test]
fn sessions_on_all_workers_share_the_rate_of_an_attributes_value() {
    const EACH: u64 = 100;
    let gateway = gateway(
        2,
        r#"
[[listener]]
name = "ws"
protocol = "websocket"
path = "/"
route = "drop"
[listener.limits]
rate_policy = "drop"
[[listener.limits.shared]]
attribute = "weir.listener"
messages_per_second = 50
"#,
    );
    let began = Instant::now();
    let mut sockets: Vec<_> = (0..8).map(|_| Raw::websocket(gateway.address("ws"))).collect();
    for socket in &mut sockets {
        let all: Vec<u8> = (0..EACH).flat_map(|_| masked(0x82, b"x")).collect();
        assert!(socket.write(&all));
    }
    let metrics = gateway.settle("all", |metrics| metrics.sum("messages_received", &[]) == 8 * EACH);
    let passed = dropped(&metrics, "route_drop");
    let most = 50 + 50 * (began.elapsed().as_secs() + 1);
    assert!((50..=most).contains(&passed), "{metrics}");
}

/// A room with a client that does not read, and one that speaks.
async fn room(gateway: &Gateway) -> (Client, Client) {
    let slow = Client::tcp_of_few_bytes(gateway.address("slow"), u32be()).await.unwrap();
    gateway.settle("the slow one is there", |metrics| metrics.sum("sessions", &[]) == 1);
    let speaker = Client::tcp(gateway.address("speaker"), u32be()).await.unwrap();
    (slow, speaker)
}

const ROOM: &str = r#"
[[listener]]
name = "speaker"
protocol = "tcp"
kind = "text"
route = "group:room"
join = []
[[listener]]
name = "slow"
protocol = "tcp"
kind = "text"
route = "drop"
join = ["room"]
limits = { queue = "64KiB", "#;

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_make_room_for_the_newest() {
    let gateway = gateway(2, &format!("{ROOM} slow_consumer = \"drop-oldest\" }}"));
    let (mut slow, mut speaker) = room(&gateway).await;
    let padding = "x".repeat(4_000);
    let (mut said, began) = (0, Instant::now());
    // What the kernel takes is not the gateway's to drop: on until it is full.
    while said % 100 != 0 || dropped(&gateway.metrics(), "queue_oldest") < 20 {
        assert!(began.elapsed() < PATIENCE, "nothing is dropped after {said}: {}", gateway.metrics());
        for _ in 0..100 {
            speaker.send(format!("{said} {padding}").as_bytes()).await.unwrap();
            said += 1;
        }
    }
    speaker.send(b"last").await.unwrap();
    wait_for("the last is offered", || gateway.metrics().sum("messages_offered", &[]) == said + 1);
    let (mut got, mut before) = (0, None);
    loop {
        let message = slow.message().await.unwrap();
        if message == "last" {
            break;
        }
        let text = std::str::from_utf8(&message).unwrap();
        let (number, rest) = text.split_once(' ').unwrap();
        assert!(rest == padding, "whole messages alone");
        let number: u64 = number.parse().unwrap();
        assert!(before.is_none_or(|before| before < number), "in order");
        before = Some(number);
        got += 1;
    }
    assert_eq!(before, Some(said - 1), "the newest are there");
    let metrics = gateway.settle("all read", |metrics| metrics.sum("messages_delivered", &[]) == got + 1);
    assert_eq!(dropped(&metrics, "queue_oldest"), said - got, "{metrics}");
    assert_eq!(dropped(&metrics, "queue_full") + closed(&metrics, "slow_consumer"), 0, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_about_a_thing_is_what_a_slow_client_gets() {
    let policy = "slow_consumer = \"conflate\", conflate = { pointer = \"/quote/symbol\" } }";
    let gateway = gateway(2, &format!("{ROOM} {policy}"));
    let (mut slow, mut speaker) = room(&gateway).await;
    let padding = "x".repeat(4_000);
    let text = |number: u64| {
        format!(r#"{{"pad":"{padding}","quote":{{"price":{number},"symbol":"S{}"}}}}"#, number % 5)
    };
    let (mut said, began) = (0, Instant::now());
    while dropped(&gateway.metrics(), "conflated") < 100 {
        assert!(began.elapsed() < PATIENCE, "nothing is replaced after {said}: {}", gateway.metrics());
        for _ in 0..100 {
            speaker.send(text(said).as_bytes()).await.unwrap();
            said += 1;
        }
    }
    speaker.send(b"no JSON").await.unwrap();
    wait_for("all is offered", || gateway.metrics().sum("messages_offered", &[]) == said + 1);
    let mut last = [0; 5];
    let mut got = 0;
    loop {
        let message = slow.message().await.unwrap();
        if message == "no JSON" {
            break;
        }
        let value: serde_json::Value = serde_json::from_slice(&message).unwrap();
        let price = value["quote"]["price"].as_u64().unwrap();
        let last = &mut last[price as usize % 5];
        assert!(*last <= price, "of one thing in order");
        *last = price;
        got += 1;
    }
    last.sort_unstable();
    assert_eq!(last.to_vec(), (said - 5..said).collect::<Vec<_>>(), "the newest of each thing");
    let metrics = gateway.settle("all read", |metrics| metrics.sum("messages_delivered", &[]) == got + 1);
    assert_eq!(dropped(&metrics, "conflated"), said - got, "{metrics}");
    assert_eq!(dropped(&metrics, "queue_full"), 0, "{metrics}");
}

/// Whether the other side closes without a word.
fn is_refused(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read(&mut [0; 1]).is_ok_and(|length| length == 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_so_many_connections_over_all_workers() {
    let gateway = gateway(
        2,
        r#"
[[listener]]
name = "tcp"
protocol = "tcp"
route = "echo"
limits = { connections_per_client = 3, client_network = { ipv4 = 32 } }
[[listener]]
name = "ws"
protocol = "websocket"
route = "echo"
limits = { connections_per_client = 3 }
[[listener]]
name = "quic"
protocol = "quic"
route = "echo"
limits = { connections_per_client = 3 }
[[listener]]
name = "wt"
protocol = "webtransport"
route = "echo"
limits = { connections_per_client = 3 }
"#,
    );
    let refused = |listener: &str| {
        let labels = [("listener", listener), ("reason", "too_many_connections_per_client")];
        gateway.metrics().sum("sessions_closed", &labels)
    };
    let tcp = gateway.address("tcp");
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::tcp(tcp, u32be()).await.unwrap());
    }
    gateway.settle("all in", |metrics| metrics.sum("sessions", &[]) == 3);
    for _ in 0..5 {
        assert!(is_refused(tcp));
    }
    wait_for("five are counted", || refused("tcp") == 5);
    // From another network there is room.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let _other = socket.connect(tcp).await.unwrap();
    gateway.settle("another network", |metrics| metrics.sum("sessions", &[]) == 4);
    // Who leaves makes room.
    clients.pop().unwrap().close().await.unwrap();
    gateway.settle("one left", |metrics| metrics.sum("sessions", &[]) == 3);
    let mut again = Client::tcp(tcp, u32be()).await.unwrap();
    again.send(b"x").await.unwrap();
    assert_eq!(again.message().await.unwrap(), "x");

    // Connections count before they have said anything.
    let silent: Vec<_> = (0..3).map(|_| TcpStream::connect(gateway.address("ws")).unwrap()).collect();
    wait_for("the fourth is refused", || is_refused(gateway.address("ws")));
    drop(silent);
    wait_for("there is room again", || {
        let mut raw = Raw::connect(gateway.address("ws"));
        raw.write(b"GET / HTTP/1.0\r\n\r\n");
        let answer = String::from_utf8(raw.rest()).unwrap();
        !answer.is_empty() && !answer.contains(" 503 ")
    });

    let quic = gateway.address("quic");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::quic(quic).await.unwrap();
        client.send(b"x").await.unwrap();
        assert_eq!(client.message().await.unwrap(), "x");
        clients.push(client);
    }
    assert!(Client::quic(quic).await.is_err());
    assert_eq!(refused("quic"), 1);

    let wt = gateway.address("wt");
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::webtransport(wt, "/").await.unwrap();
        client.send(b"x").await.unwrap();
        assert_eq!(client.message().await.unwrap(), "x");
        clients.push(client);
    }
    // It is told so.
    let error = format!("{:#}", Client::webtransport(wt, "/").await.unwrap_err());
    assert!(error.contains("503"), "{error}");
    assert_eq!(refused("wt"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loud_one_does_not_keep_the_others_waiting_for_ever() {
    let gateway = gateway(
        1,
        r#"
[[listener]]
name = "room"
protocol = "tcp"
route = "group:room"
join = []
[[listener]]
name = "member"
protocol = "tcp"
route = "drop"
join = ["room"]
limits = { slow_consumer = "drop-newest", queue = "4KiB" }
[[listener]]
name = "quiet"
protocol = "tcp"
route = "echo"
"#,
    );
    // Members that do not read: each message of the loud one costs the worker a hundred deliveries.
    let members: Vec<_> = (0..100).map(|_| TcpStream::connect(gateway.address("member")).unwrap()).collect();
    gateway.settle("all in", |metrics| metrics.sum("sessions", &[]) == 100);
    let (stop, room) = (Arc::new(AtomicBool::new(false)), gateway.address("room"));
    let stopped = stop.clone();
    let loud = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(room).unwrap();
        let burst = frame(b"hear me").repeat(1_000);
        while !stopped.load(Ordering::Relaxed) {
            stream.write_all(&burst).unwrap();
        }
    });
    wait_for("the loud one is heard", || gateway.metrics().sum("messages_received", &[]) > 10_000);
    let mut quiet = Client::tcp(gateway.address("quiet"), u32be()).await.unwrap();
    for number in 0..100_u32 {
        quiet.send(&number.to_be_bytes()).await.unwrap();
        assert_eq!(quiet.message().await.unwrap(), number.to_be_bytes().to_vec());
    }
    let metrics = gateway.metrics();
    for kind in ["sockets", "timers"] {
        assert!(metrics.sum("worker_turn_seconds_count", &[("kind", kind)]) > 0, "{kind}: {metrics}");
    }
    assert!(metrics.has("worker_delay_seconds_count"));
    stop.store(true, Ordering::Relaxed);
    loud.join().unwrap();
    drop(members);
}
