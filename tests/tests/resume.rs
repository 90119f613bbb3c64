//! Clients that lose their connections and take their sessions back: on every transport, on whichever worker they arrive.

use std::net::SocketAddr;
use weir_tests::certificate::Authority;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::{Gateway, Metrics};

const LISTENERS: &str = r#"
[[listener]]
name = "ws"
protocol = "websocket"
route = "group:room"
compression = "permessage-deflate"
resume = { scope = "all" }
[[listener]]
name = "tcp"
protocol = "tcp"
route = "group:room"
resume = { scope = "all" }
[[listener]]
name = "quic"
protocol = "quic"
route = "group:room"
resume = { scope = "all" }
[[listener]]
name = "wt"
protocol = "webtransport"
route = "group:room"
resume = { scope = "all" }
[[listener]]
name = "plain"
protocol = "websocket"
route = "group:room"
"#;

fn config(more: &str) -> String {
    let bound =
        format!("{LISTENERS}{more}").replace("\nprotocol", "\nbind = \"127.0.0.1:0\"\nchain = []\nprotocol");
    format!("[admin]\nbind = \"127.0.0.1:0\"\n[runtime]\nworkers = 2\n{bound}")
}

fn gateway(more: &str) -> Gateway {
    Gateway::start(&config(more), &[])
}

/// What a welcome says.
#[derive(Debug)]
struct Welcome(String);

impl Welcome {
    fn get(&self, name: &str) -> &str {
        let field = self.0.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        field.unwrap_or_else(|| panic!("no {name} in {:?}", self.0))
    }

    /// The worker that has the session.
    fn worker(&self) -> u64 {
        u64::from_str_radix(self.get("session"), 16).unwrap() >> 24 & 0xff
    }
}

async fn hello(client: &mut Client, from: Option<(&Welcome, usize)>) -> Welcome {
    let more = from.map_or_else(String::new, |(welcome, received)| {
        format!(" token={} received={received}", welcome.get("token"))
    });
    client.send(format!("\0WSN hello 1{more}").as_bytes()).await.unwrap();
    let first = client.message().await.unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.starts_with("\0WSN welcome 1 "), "{first:?}");
    Welcome(first)
}

async fn websocket(address: SocketAddr) -> Client {
    let (client, chosen) = Client::websocket_speaking(address, "chat, weir.v1", None).await.unwrap();
    assert_eq!(chosen.as_deref(), Some("weir.v1"));
    client
}

async fn text(client: &mut Client) -> String {
    String::from_utf8(client.message().await.unwrap().to_vec()).unwrap()
}

fn returned(metrics: &Metrics, outcome: &str) -> u64 {
    metrics.sum("sessions_returned", &[("outcome", outcome)])
}

/// A speaker publishes numbers while a listener is cut off again and again, on one transport after the other: it hears each once, in
/// order, wherever its connection arrives.
#[tokio::test]
async fn every_message_is_had_once_over_all_transports_and_workers() {
    let gateway = gateway("");
    let addresses = ["ws", "tcp", "quic", "wt"].map(|name| gateway.address(name));
    let mut speaker = Client::websocket(gateway.address("plain"), "/").await.unwrap();
    let mut first = websocket(addresses[0]).await;
    let mut welcome = hello(&mut first, None).await;
    let mut listener = Some(first);
    let worker = welcome.worker();
    let mut heard = 0;
    for round in 0..24 {
        for part in 0..10 {
            speaker.send(format!("{round} {part}").as_bytes()).await.unwrap();
            assert_eq!(text(&mut speaker).await, format!("{round} {part}"));
            // Some are heard before the connection is lost, the others are on their way or come while it is away.
            if let Some(listener) = listener.as_mut().filter(|_| part < 4) {
                assert_eq!(text(listener).await, format!("{round} {part}"));
                heard += 1;
            }
            if part == 5 && round % 2 == 0 && !matches!(listener, Some(Client::Quic(_))) {
                if let Some(Client::WebTransport(session)) = &listener {
                    session.vanish().await;
                }
                listener = None;
                gateway.settle("parted", |metrics| metrics.sum("sessions_away", &[]) == 1);
            }
        }
        // Every other time it is back before anybody has noticed that it was gone.
        let mut next = match round % 5 {
            0 => Client::tcp(addresses[1], u32be()).await.unwrap(),
            1 => Client::quic(addresses[2]).await.unwrap(),
            2 | 3 => Client::webtransport(addresses[3], "/").await.unwrap(),
            _ => websocket(addresses[0]).await,
        };
        let again = hello(&mut next, Some((&welcome, heard))).await;
        assert_eq!(again.get("resumed"), "true", "{again:?}");
        assert_eq!((again.get("session"), again.worker()), (welcome.get("session"), worker));
        assert_eq!(again.get("sent"), heard.to_string());
        for part in 4..10 {
            assert_eq!(text(&mut next).await, format!("{round} {part}"));
            heard += 1;
        }
        (listener, welcome) = (Some(next), again);
    }
    let metrics = gateway.settle("all delivered", |metrics| returned(metrics, "resumed") == 24);
    assert_eq!(metrics.sum("messages_dropped", &[("reason", "away_full")]), 0, "{metrics}");
    let mut last = listener.expect("it came back");
    last.send(b"\0WSN bye").await.unwrap();
    last.close().await.unwrap();
    drop(speaker);
    gateway.settle("nobody is left", |metrics| metrics.sum("sessions", &[]) == 0);
}

#[tokio::test]
async fn tls_goes_from_worker_to_worker_too() {
    let authority = Authority::default();
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let config = config(&format!(
        "[[listener]]\nname = \"wss\"\nprotocol = \"websocket\"\nroute = \"echo\"\nresume = {{ }}\n{tls}\
         [[listener]]\nname = \"tls\"\nprotocol = \"tcp\"\nroute = \"echo\"\nresume = {{ scope = \"wss\" }}\n{tls}"
    ));
    let gateway = Gateway::prepare(&config, &[]).with(|dir| authority.write(dir)).start();
    let (wss, tls) = (gateway.address("wss"), gateway.address("tls"));
    let (mut client, _) =
        Client::websocket_speaking(wss, "weir.v1", Some(authority.client(false))).await.unwrap();
    let mut welcome = hello(&mut client, None).await;
    for round in 0..12 {
        client.send(b"before").await.unwrap();
        assert_eq!(text(&mut client).await, "before");
        drop(client);
        client = if round % 2 == 0 {
            Client::tls(tls, u32be(), authority.client(false)).await.unwrap()
        } else {
            Client::websocket_speaking(wss, "weir.v1", Some(authority.client(false))).await.unwrap().0
        };
        welcome = hello(&mut client, Some((&welcome, round + 1))).await;
        assert_eq!(welcome.get("resumed"), "true", "{welcome:?}");
        assert_eq!(welcome.get("received"), (round + 1).to_string());
    }
    gateway.settle("resumed", |metrics| returned(metrics, "resumed") == 12);
}

#[tokio::test]
async fn plain_clients_notice_nothing() {
    let gateway = gateway("");
    let mut tcp = Client::tcp(gateway.address("tcp"), u32be()).await.unwrap();
    let mut quic = Client::quic(gateway.address("quic")).await.unwrap();
    let mut ws = Client::websocket(gateway.address("ws"), "/").await.unwrap();
    // One that says nothing is there after a second.
    let mut silent = Client::tcp(gateway.address("tcp"), u32be()).await.unwrap();
    quic.send(b"\0WSN ack 1").await.unwrap();
    assert_eq!(quic.message().await.unwrap(), "\0WSN ack 1");
    gateway.settle("all there", |metrics| metrics.sum("sessions", &[]) == 4);
    ws.send(b"hello").await.unwrap();
    for client in [&mut tcp, &mut silent, &mut quic, &mut ws] {
        while text(client).await != "hello" {}
    }
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("sessions_parted", &[]), 0, "{metrics}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_said() {
    let gateway = gateway(
        "[[listener]]\nname = \"short\"\nprotocol = \"tcp\"\nroute = \"group:room\"\n\
         resume = { window = \"1s\", buffer = \"1KiB\", sessions = 1 }\n",
    );
    let address = gateway.address("short");
    let mut speaker = Client::websocket(gateway.address("plain"), "/").await.unwrap();
    let mut client = Client::tcp(address, u32be()).await.unwrap();
    let welcome = hello(&mut client, None).await;
    drop(client);
    gateway.settle("parted", |metrics| metrics.sum("sessions_away", &[]) == 1);
    for number in 0..20 {
        speaker.send(format!("{number} {}", "x".repeat(100)).as_bytes()).await.unwrap();
        text(&mut speaker).await;
    }
    let mut client = Client::tcp(address, u32be()).await.unwrap();
    let missed = hello(&mut client, Some((&welcome, 0))).await;
    assert_eq!((missed.get("resumed"), missed.get("reason")), ("false", "missed"));
    let gone: usize = missed.get("missed").parse().unwrap();
    assert_eq!(missed.get("sent"), gone.to_string());
    for number in gone..20 {
        assert!(text(&mut client).await.starts_with(&format!("{number} ")));
    }
    gateway.settle("counted", |metrics| {
        metrics.sum("messages_dropped", &[("reason", "away_full")]) == gone as u64
    });
    drop(client);
    gateway.settle("lapsed", |metrics| metrics.sum("sessions", &[("listener", "short")]) == 0);
    let mut late = Client::tcp(address, u32be()).await.unwrap();
    let new = hello(&mut late, Some((&missed, 20))).await;
    assert_eq!((new.get("resumed"), new.get("reason"), new.get("sent")), ("false", "unknown", "0"));
    assert_ne!(new.get("session"), missed.get("session"));
    // At the other listeners, of another scope, it is nobody's.
    let mut other = websocket(gateway.address("ws")).await;
    let other = hello(&mut other, Some((&new, 0))).await;
    assert_eq!(other.get("reason"), "unknown");
    let mut forged = websocket(gateway.address("ws")).await;
    let forged_welcome = Welcome("token=AAAA".to_owned());
    assert_eq!(hello(&mut forged, Some((&forged_welcome, 0))).await.get("reason"), "unknown");
}

#[tokio::test]
async fn the_former_connection_is_told_that_it_is_taken_over() {
    let gateway = gateway("");
    let mut first = websocket(gateway.address("ws")).await;
    let welcome = hello(&mut first, None).await;
    let mut second = Client::quic(gateway.address("quic")).await.unwrap();
    let again = hello(&mut second, Some((&welcome, 0))).await;
    assert_eq!(again.get("resumed"), "true");
    assert_eq!(first.next().await.unwrap(), Got::End(1000));
    let mut third = websocket(gateway.address("ws")).await;
    assert_eq!(hello(&mut third, Some((&again, 0))).await.get("resumed"), "true");
    assert_eq!(second.next().await.unwrap(), Got::End(1000));
    let mut fourth = Client::webtransport(gateway.address("wt"), "/").await.unwrap();
    let there = hello(&mut fourth, Some((&again, 0))).await;
    assert_eq!(there.get("resumed"), "true");
    assert_eq!(third.next().await.unwrap(), Got::End(1000));
    let mut fifth = Client::tcp(gateway.address("tcp"), u32be()).await.unwrap();
    assert_eq!(hello(&mut fifth, Some((&there, 0))).await.get("resumed"), "true");
    assert_eq!(fourth.next().await.unwrap(), Got::End(1000));
    let metrics = gateway.settle("one", |metrics| metrics.sum("sessions", &[]) == 1);
    assert_eq!(metrics.sum("sessions_closed", &[("reason", "moved")]), 4, "{metrics}");
}

#[tokio::test]
async fn who_agrees_to_say_hello_says_it_first() {
    let gateway = gateway("");
    let mut rude = websocket(gateway.address("ws")).await;
    rude.send(b"hi").await.unwrap();
    assert_eq!(rude.next().await.unwrap(), Got::End(1002));
    let mut later = websocket(gateway.address("ws")).await;
    hello(&mut later, None).await;
    later.send(b"\0WSN nonsense").await.unwrap();
    assert_eq!(later.next().await.unwrap(), Got::End(1002));
    gateway.settle("refused", |metrics| metrics.sum("sessions_closed", &[("reason", "protocol")]) == 2);
}
