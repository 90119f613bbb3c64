//! Those who come and go, and those who are rude; and clients of what fails.

use crate::board::Board;
use crate::clients::{Open, text, unstamped};
use crate::lots::Lots;
use anyhow::{bail, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use weir_tests::client::{Client, Got, u32be};
use weir_tests::raw::{UPGRADE, masked};
use weir_tests::{Gateway, Metrics, PATIENCE};

/// Between two visits of one visitor, and between two rude ones.
const PACE: Duration = Duration::from_millis(300);
/// Of the messages through the plugin that traps, one in so many makes it trap.
const TRAPS: u64 = 150;
/// Messages of a flood, and the time between two: more than the kernel takes, for longer than the grace.
const FLOOD: u64 = 2_500;
const BREATH: Duration = Duration::from_millis(4);

/// Starts all of them; they end when the soak is over.
pub(crate) fn start(
    gateway: &Gateway,
    board: &Arc<Board>,
    lots: &Lots,
    tasks: &mut JoinSet<()>,
    runtime: &Runtime,
) {
    let mut spawn = |name: &str, make: &dyn Fn(Arc<Board>, Lots) -> Task| {
        tasks.spawn_on(make(Arc::clone(board), lots.fork(name)), runtime.handle());
    };
    for listener in ["open-tcp", "open-ws", "open-wss", "open-quic", "open-webtransport"] {
        let address = gateway.address(listener);
        spawn(listener, &|board, lots| Box::pin(visitor(listener, address, board, lots)));
    }
    let at = |name: &str| gateway.address(name);
    let rude =
        Addresses { tcp: at("open-tcp"), ws: at("open-ws"), wss: at("open-wss"), quic: at("open-quic") };
    spawn("breaker", &|board, lots| Box::pin(breaker(rude, board, lots)));
    spawn("resetter", &|board, lots| Box::pin(resetter(rude, board, lots)));
    spawn("silent", &|board, lots| Box::pin(silent(rude, board, lots)));
    let flood = at("flood");
    spawn("slow", &|board, lots| Box::pin(flooded(flood, board, lots)));
    let risky = at("traps");
    for name in ["risk-a", "risk-b"] {
        spawn(name, &|board, lots| {
            Box::pin(async move {
                let outcome = risk(name, risky, lots, &board).await;
                board.judge(name, outcome);
            })
        });
    }
    let returning = at("returning");
    for name in ["returning-a", "returning-b", "returning-c"] {
        spawn(name, &|board, lots| {
            Box::pin(async move {
                let outcome = crate::returning::client(name, returning, lots, &board).await;
                board.judge(name, outcome);
            })
        });
    }
    for listener in ["cluster-tcp", "cluster-ws"] {
        let address = at(listener);
        spawn(listener, &|board, lots| Box::pin(client_of_service(listener, address, board, lots)));
    }
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone, Copy, Debug)]
struct Addresses {
    tcp: SocketAddr,
    ws: SocketAddr,
    wss: SocketAddr,
    quic: SocketAddr,
}

/// Comes, says a few things and hears them again, goes in order or without a word.
async fn visitor(listener: &'static str, address: SocketAddr, board: Arc<Board>, mut lots: Lots) {
    let mut visit = 0;
    while !board.is_over() {
        visit += 1;
        let outcome = async {
            let mut client = Open::connect(listener, address).await?;
            let mut last = 0;
            for number in 0..=lots.below(20) {
                let text = text(&format!("{listener}{visit}"), number, &mut lots);
                board.visited.send();
                client.send(&text).await?;
                let got = unstamped(&client.message().await?, &mut last)?;
                ensure!(got == text, "got {got:?} instead of {text:?}");
                board.visited.receive();
            }
            match lots.below(3) {
                0 => client.close().await?,
                // What is under way has nobody to come to.
                1 => {
                    board.visited.send();
                    client.send("farewell").await?;
                }
                _ => {}
            }
            anyhow::Ok(())
        };
        board.judge(listener, outcome.await);
        board.visits.fetch_add(1, Ordering::SeqCst);
        sleep(lots.about(PACE)).await;
    }
}

/// Bytes that no client should send, to whom.
fn breaches(to: Addresses) -> Vec<(SocketAddr, bool, Vec<u8>)> {
    let head = |more: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n").into_bytes();
    vec![
        // After a handshake: unmasked, reserved bits, opcodes, text, close codes, lengths.
        (to.ws, true, b"\x82\x05hello".to_vec()),
        (to.ws, true, masked(0xf2, b"x")),
        (to.ws, true, masked(0x83, b"x")),
        (to.ws, true, masked(0x81, b"\xff\xfe")),
        (to.ws, true, masked(0x88, &1005_u16.to_be_bytes())),
        (to.ws, true, masked(0x80, b"a continuation of nothing")),
        (to.ws, true, b"\x82\xff\x80\0\0\0\0\0\0\0".to_vec()),
        // Instead of one.
        (to.ws, false, head("Upgrade: websocket\r\n")),
        (to.ws, false, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(10)),
        (to.ws, false, head(&"x: y\r\n".repeat(100))),
        (to.wss, false, head(UPGRADE)),
        (to.tcp, false, b"\xff\xff\xff\xff".to_vec()),
        (to.tcp, false, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ]
}

/// Breaks rules, one after the other, and is let go each time.
async fn breaker(to: Addresses, board: Arc<Board>, mut lots: Lots) {
    let breaches = breaches(to);
    while !board.is_over() {
        let (address, upgraded, bytes) = &breaches[lots.below(breaches.len() as u64) as usize];
        let outcome = async {
            let mut stream =
                if *upgraded { websocket(*address).await? } else { TcpStream::connect(*address).await? };
            // It may have been let go already.
            let _ = stream.write_all(bytes).await;
            let mut said = Vec::new();
            // A reset is an end too.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await?;
            anyhow::Ok(())
        };
        board.judge("breaker", outcome.await);
        // And a datagram that is none of QUIC's, or looks like one.
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0").await {
            let mut datagram: Vec<u8> = (0..=lots.below(1_300)).map(|_| lots.below(256) as u8).collect();
            datagram[0] |= 0xc0 * u8::from(lots.below(2) == 0);
            let _ = socket.send_to(&datagram, to.quic).await;
        }
        board.broken.fetch_add(1, Ordering::SeqCst);
        sleep(lots.about(PACE)).await;
    }
}

async fn websocket(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n{UPGRADE}\r\n").as_bytes()).await?;
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        if timeout(PATIENCE, stream.read_buf(&mut read)).await?? == 0 {
            bail!("no answer");
        }
    }
    Ok(stream)
}

/// Sends and resets, at once.
async fn resetter(to: Addresses, board: Arc<Board>, mut lots: Lots) {
    while !board.is_over() {
        let outcome = async {
            let stream = match lots.below(4) {
                0 => {
                    let mut stream = websocket(to.ws).await?;
                    stream.write_all(&masked(0x82, &[7; 1_000])[..lots.below(1_000) as usize + 4]).await?;
                    stream
                }
                1 => {
                    let mut stream = TcpStream::connect(to.wss).await?;
                    stream.write_all(b"\x16\x03\x01\x02\x00").await?;
                    stream
                }
                _ => {
                    let mut stream = TcpStream::connect(to.tcp).await?;
                    stream.write_all(&[0, 0, 0, 4, 1, 2, 3, 4].repeat(1 + lots.below(200) as usize)).await?;
                    stream
                }
            };
            // Then it is not closed in order: what waits is thrown away, and the other side is told so.
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            anyhow::Ok(())
        };
        board.judge("resetter", outcome.await);
        board.resets.fetch_add(1, Ordering::SeqCst);
        sleep(lots.about(PACE)).await;
    }
}

/// Connects and says nothing, or begins and says no more, until it is let go.
async fn silent(to: Addresses, board: Arc<Board>, mut lots: Lots) {
    let mut waiting = JoinSet::new();
    while !board.is_over() {
        let (address, begins): (_, &[u8]) = match lots.below(4) {
            0 => (to.ws, b""),
            1 => (to.ws, b"GET / HTTP/1.1\r\nHost: a"),
            2 => (to.wss, b"\x16\x03"),
            _ => (to.tcp, b"\0\0\0\x09half"),
        };
        let board = Arc::clone(&board);
        waiting.spawn(async move {
            let outcome = async {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(begins).await?;
                let mut said = Vec::new();
                let _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await?;
                anyhow::Ok(())
            };
            board.judge("silent", outcome.await);
            board.silent.fetch_add(1, Ordering::SeqCst);
        });
        sleep(lots.about(PACE)).await;
    }
    waiting.join_all().await;
}

/// Publishes to two of whom one reads nothing; that one is let go.
async fn flooded(address: SocketAddr, board: Arc<Board>, mut lots: Lots) {
    while !board.is_over() {
        let outcome = async {
            let mut slow = Client::tcp_of_few_bytes(address, u32be()).await?;
            let mut loud = Client::tcp(address, u32be()).await?;
            // Both are members when the first message of each has come to it.
            slow.send(b"hi").await?;
            slow.message().await?;
            for _ in 0..FLOOD {
                loud.send(&[7; 4_096]).await?;
                loud.message().await?;
                board.flooded.fetch_add(1, Ordering::SeqCst);
                if board.is_over() {
                    break;
                }
                sleep(BREATH).await;
            }
            loud.close().await?;
            // It was let go, with a reset perhaps, or there was no time for that.
            let _ = slow.close().await;
            anyhow::Ok(())
        };
        board.judge("flood", outcome.await);
        board.slow.fetch_add(1, Ordering::SeqCst);
        sleep(lots.about(PACE * 10)).await;
    }
}

/// Messages through a plugin that some of them make trap: what does not come back is counted as dropped. Ends when one has come back that
/// was sent after everything else.
async fn risk(name: &str, address: SocketAddr, mut lots: Lots, board: &Board) -> anyhow::Result<()> {
    let mut client = Client::tcp(address, u32be()).await?;
    let mut pace = interval(Duration::from_millis(50));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut number, mut got, mut last) = (0_u64, 0_u64, None);
    loop {
        tokio::select! {
            _ = pace.tick() => {
                if board.is_over() && last.is_none() {
                    last = Some(number);
                    // The plugin may be given a pause after it has failed.
                    pace = interval(Duration::from_millis(500));
                }
                let trap = last.is_none() && lots.below(TRAPS) == 0;
                board.risked.send();
                client.send(if trap { "trap".to_owned() } else { format!("{name}:{number}") }.as_bytes()).await?;
                number += u64::from(!trap);
            }
            next = client.next() => {
                let Got::Message(payload) = next? else { bail!("the connection ended") };
                let payload = String::from_utf8(payload.to_vec())?;
                let came = payload.strip_prefix(&format!("{name}:")).and_then(|rest| rest.strip_suffix('!'));
                let Some(came) = came.and_then(|number| number.parse::<u64>().ok()) else { bail!("got {payload:?}") };
                ensure!(came >= got, "{came} came after {got}");
                got = came + 1;
                board.risked.receive();
                if last.is_some_and(|last| came >= last) && got == number {
                    return client.close().await;
                }
            }
        }
    }
}

/// Messages to a service that dies now and then, which ends the session: then there is another.
async fn client_of_service(listener: &'static str, address: SocketAddr, board: Arc<Board>, mut lots: Lots) {
    let mut session = 0;
    while !board.is_over() {
        session += 1;
        let outcome = async {
            let mut client = Open::connect(listener, address).await?;
            let (mut number, mut last) = (0, 0);
            while !board.is_over() {
                let text = text(&format!("{listener}{session}"), number, &mut lots);
                board.upstream.send();
                client.send(&text).await?;
                let payload = client.message().await?;
                let got = unstamped(&payload, &mut last).and_then(|got| {
                    ensure!(got == text, "got {got:?} instead of {text:?}");
                    Ok(())
                });
                board.judge(listener, got);
                board.upstream.receive();
                number += 1;
                sleep(lots.about(PACE / 6)).await;
            }
            client.close().await
        };
        // It ends whenever the service does, and that is no failure; what it said until then is held to what was sent.
        let _ = outcome.await;
        sleep(lots.about(PACE)).await;
    }
}

/// How sessions ended, by reason.
pub(crate) fn figures(metrics: &Metrics) -> String {
    let page = metrics.to_string();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("weir_sessions_closed")) {
        let reason = line.split("\"reason\": \"").nth(1).and_then(|rest| rest.split('"').next());
        let count = line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok());
        *reasons.entry(reason.unwrap_or_default()).or_default() += count.unwrap_or(0);
    }
    let reasons: Vec<_> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    format!(
        "sessions ended: {}; plugin failures {}, dropped {}",
        reasons.join(", "),
        metrics.sum("plugin_failures", &[]),
        metrics.sum("messages_dropped", &[]),
    )
}
