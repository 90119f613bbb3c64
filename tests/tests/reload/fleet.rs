//! A thousand clients that count what they send and get.

use anyhow::{Context, ensure};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval_at};
use weir_codec::Framing;
use weir_tests::client::{Client, Got, u32be};
use weir_tests::stamp;

/// Each client sends so often.
pub(crate) const PACE: Duration = Duration::from_millis(100);
/// Members of a group send once in so many of these, for each of their messages goes to all of them.
const GROUP_PACE: u32 = 10;

/// How a client connects.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Tcp(Framing),
    WebSocket,
    Quic,
}

impl Way {
    pub(crate) async fn connect(&self, address: SocketAddr) -> anyhow::Result<Client> {
        match self {
            Self::Tcp(framing) => Client::tcp(address, framing.clone()).await,
            Self::WebSocket => Client::websocket(address, "/").await,
            Self::Quic => Client::quic(address).await,
        }
    }
}

/// What the clients and the one who swaps know of each other.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// The version that is known to serve: what is sent from now on meets it or a later one.
    pub(crate) serving: AtomicU32,
    /// The last version that was begun to be written: nothing meets a later one.
    pub(crate) written: AtomicU32,
    /// Clients whose message, sent since the serving version serves, was answered.
    pub(crate) met: AtomicU32,
    /// Members of the group send nothing while not all of them are there.
    pub(crate) paused: AtomicBool,
    pub(crate) stop: AtomicBool,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) group_sent: AtomicU64,
    /// Members that send no more.
    pub(crate) group_done: AtomicU32,
    /// The longest way there and back, in microseconds.
    pub(crate) longest: AtomicU64,
    pub(crate) failures: Mutex<Vec<String>>,
}

impl Board {
    fn judge(&self, name: &str, outcome: anyhow::Result<Client>) -> Option<Client> {
        match outcome {
            Ok(client) => Some(client),
            Err(error) => {
                self.failures.lock().expect("no panic there").push(format!("{name}: {error:#}"));
                None
            }
        }
    }

    /// What went wrong so far.
    pub(crate) fn assert_fine(&self) {
        let failures = self.failures.lock().expect("no panic there");
        assert!(
            failures.is_empty(),
            "{} clients failed: {:#?}",
            failures.len(),
            &failures[..failures.len().min(8)]
        );
    }
}

/// Takes the stamps off an answer and checks that they are there, one a way, and in the order of versions.
fn check(payload: &[u8], floor: u32, last: &mut u32, board: &Board) -> anyhow::Result<String> {
    let stamped = stamp::read(payload);
    let shown = String::from_utf8_lossy(payload).into_owned();
    let (Some((_, inbound)), Some((_, outbound))) = (stamped.inbound.first(), stamped.outbound.first())
    else {
        anyhow::bail!("{shown:?} is not stamped on both ways");
    };
    ensure!(stamped.inbound.len() == 1 && stamped.outbound.len() == 1, "{shown:?} is stamped twice");
    ensure!(*inbound >= floor, "{shown:?} met version {inbound}; {floor} served when it was sent");
    ensure!(inbound >= last, "{shown:?} met version {inbound} after {last}");
    ensure!(outbound >= inbound, "{shown:?} met version {outbound} after {inbound}");
    ensure!(*outbound <= board.written.load(Ordering::SeqCst), "{shown:?} met a version that was not there");
    *last = *inbound;
    board.received.fetch_add(1, Ordering::Relaxed);
    Ok(stamped.text)
}

/// Sends numbered messages, in pairs if the way keeps them apart, and gets each back, until it is told to stop.
pub(crate) async fn echoes(
    name: String,
    way: Way,
    address: SocketAddr,
    phase: Duration,
    board: Arc<Board>,
) -> Option<Client> {
    let outcome = async {
        let mut client = way.connect(address).await?;
        let burst = if matches!(way, Way::Tcp(Framing::Raw { .. })) { 1 } else { 2 };
        let mut pace = interval_at(tokio::time::Instant::now() + phase, PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut number, mut last, mut met) = (0_u64, 0, 0);
        while !board.stop.load(Ordering::SeqCst) {
            pace.tick().await;
            let floor = board.serving.load(Ordering::SeqCst);
            let sent_at = Instant::now();
            for message in number..number + burst {
                board.sent.fetch_add(1, Ordering::Relaxed);
                client.send(format!("{name}:{message}").as_bytes()).await?;
            }
            for message in number..number + burst {
                let payload = client.message().await.with_context(|| format!("after {number} messages"))?;
                let text = check(&payload, floor, &mut last, &board)?;
                ensure!(text == format!("{name}:{message}"), "got {text:?} for message {message}");
            }
            number += burst;
            board.longest.fetch_max(sent_at.elapsed().as_micros() as u64, Ordering::Relaxed);
            if floor > met {
                met = floor;
                board.met.fetch_add(1, Ordering::SeqCst);
            }
        }
        Ok(client)
    };
    board.judge(&name, outcome.await)
}

/// A member of a group that all of `members` talk to: sends now and then, and gets what everybody sends, in the order of each.
pub(crate) async fn member(
    name: String,
    way: Way,
    address: SocketAddr,
    phase: Duration,
    members: u32,
    board: Arc<Board>,
) -> Option<Client> {
    let outcome = async {
        let mut client = way.connect(address).await?;
        let mut pace = interval_at(tokio::time::Instant::now() + phase * GROUP_PACE, PACE * GROUP_PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut number, mut done, mut got) = (0_u64, false, 0);
        // Of each sender: the next number, and the version that its last message met.
        let mut senders: HashMap<String, (u64, u32)> = HashMap::new();
        loop {
            let all_done = board.group_done.load(Ordering::SeqCst) == members;
            if all_done && got == board.group_sent.load(Ordering::SeqCst) {
                return Ok(client);
            }
            tokio::select! {
                _ = pace.tick() => {
                    if board.stop.load(Ordering::SeqCst) && !done {
                        done = true;
                        board.group_done.fetch_add(1, Ordering::SeqCst);
                        // From now on only to see whether all are done.
                        pace = interval_at(tokio::time::Instant::now() + PACE, PACE);
                    }
                    if done || board.paused.load(Ordering::SeqCst) {
                        continue;
                    }
                    board.group_sent.fetch_add(1, Ordering::SeqCst);
                    client.send(format!("{name}:{number}").as_bytes()).await?;
                    number += 1;
                }
                next = client.next() => {
                    let Got::Message(payload) = next.context("as a member")? else {
                        anyhow::bail!("the connection ended");
                    };
                    let sender = stamp::read(&payload).text;
                    let (sender, number) = sender.split_once(':').context("a name and a number")?;
                    let (next, last) = senders.entry(sender.to_owned()).or_default();
                    check(&payload, 0, last, &board)?;
                    ensure!(number == next.to_string(), "{sender}: {number} in the place of {next}");
                    *next += 1;
                    got += 1;
                }
            }
        }
    };
    board.judge(&name, outcome.await)
}

/// An upstream that gives back what it gets, in u32be frames.
pub(crate) async fn upstream() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                // Frames are given back as they are.
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    Ok(address)
}

/// The framings of TCP: name, keys of the configuration, and what a client does.
pub(crate) fn framings() -> Vec<(&'static str, String, Framing)> {
    use weir_codec::framing::Prefix;
    let prefixes = [
        ("u8", Prefix::U8, 255),
        ("u16be", Prefix::U16Be, 65_535),
        ("u16le", Prefix::U16Le, 65_535),
        ("u32be", Prefix::U32Be, 1 << 20),
        ("u32le", Prefix::U32Le, 1 << 20),
        ("varint", Prefix::Varint, 1 << 20),
    ];
    let max = 4096;
    let mut all: Vec<_> = prefixes
        .into_iter()
        .map(|(name, prefix, max)| {
            let keys = format!("type = \"length\", prefix = \"{name}\", max = {max}");
            (name, keys, Framing::Length { prefix, max })
        })
        .collect();
    let delimiter = Framing::Delimiter { delimiter: b"||".to_vec().into(), max };
    all.push(("line", format!("type = \"line\", max = {max}"), Framing::Line { max }));
    all.push(("delimiter", format!("type = \"delimiter\", delimiter = \"||\", max = {max}"), delimiter));
    all.push(("checked", format!("type = \"checked\", max = {max}"), Framing::Checked { max }));
    all.push(("raw", format!("type = \"raw\", max = {max}"), Framing::Raw { max }));
    all
}

/// What upstream connections and plain listeners speak.
pub(crate) fn plain() -> Way {
    Way::Tcp(u32be())
}
