//! Honest clients: they send, and get everything back.

use crate::board::Board;
use crate::deflate::Compressing;
use crate::lots::Lots;
use crate::scene::{ECHOES, GROUP};
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use weir_codec::Framing;
use weir_tests::client::{Client, Got, trusting_tls, u32be};
use weir_tests::{Gateway, stamp};

/// Each sends so often; members of a group ten times as seldom, for each of their messages comes to all.
const PACE: Duration = Duration::from_millis(100);
/// The longest text.
const LONGEST: u64 = 3_000;

/// A client of any kind.
#[derive(Debug)]
pub(crate) enum Open {
    Plain(Client),
    Compressing(Box<Compressing>),
}

impl Open {
    /// As the listener's name says.
    pub(crate) async fn connect(listener: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let client = match listener
            .trim_start_matches("open-")
            .trim_start_matches("group-")
            .trim_start_matches("cluster-")
            .trim_start_matches("apart-")
        {
            "tcp" => Client::tcp(address, u32be()).await,
            "line" => Client::tcp(address, Framing::Line { max: 64 << 10 }).await,
            "tls" => Client::tls(address, u32be(), trusting_tls()).await,
            "ws" => Client::websocket(address, "/").await,
            "wss" => Client::wss(address, "/", trusting_tls()).await,
            "deflate" => return Ok(Self::Compressing(Box::new(Compressing::connect(address).await?))),
            "quic" => Client::quic(address).await,
            "webtransport" => Client::webtransport(address, "/").await,
            other => bail!("no way to {other}"),
        };
        client.map(Self::Plain).with_context(|| format!("to {listener}"))
    }

    pub(crate) async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Plain(client) => client.send(text.as_bytes()).await,
            Self::Compressing(client) => client.send(text).await,
        }
    }

    pub(crate) async fn message(&mut self) -> anyhow::Result<Bytes> {
        match self {
            Self::Plain(client) => client.message().await,
            Self::Compressing(client) => client.message().await,
        }
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Plain(client) => client.close().await,
            Self::Compressing(client) => client.close().await,
        }
    }
}

/// How many there are.
pub(crate) fn count(each: u32) -> u32 {
    each * (ECHOES.len() + GROUP.len()) as u32
}

/// So many for each listener.
pub(crate) fn start(
    gateway: &Gateway,
    each: u32,
    board: &Arc<Board>,
    lots: &Lots,
    clients: &mut JoinSet<Option<Open>>,
    runtime: &Runtime,
) {
    board.members.store(u64::from(each) * GROUP.len() as u64, Ordering::SeqCst);
    for listener in ECHOES.into_iter().chain(GROUP) {
        let address = gateway.address(listener);
        for number in 0..each {
            let name = format!("{listener}{number}");
            let (board, lots) = (Arc::clone(board), lots.fork(&name));
            clients.spawn_on(
                async move {
                    let outcome = if GROUP.contains(&listener) {
                        member(&name, listener, address, lots, &board).await
                    } else {
                        echoes(&name, listener, address, lots, &board).await
                    };
                    board.judge(&name, outcome)
                },
                runtime.handle(),
            );
        }
    }
}

/// A text of some length, with a name and a number; no sign in it is a stamp's.
pub(crate) fn text(name: &str, number: u64, lots: &mut Lots) -> String {
    let length = if lots.below(10) == 0 { lots.below(LONGEST) } else { lots.below(100) } as usize;
    let filler = "the weir is open and the river is high, ".chars().cycle().take(length);
    format!("{name}:{number}:{}", filler.collect::<String>())
}

/// The text without its stamps: one for each way, and never an older one than before.
pub(crate) fn unstamped(payload: &[u8], last: &mut u32) -> anyhow::Result<String> {
    let stamped = stamp::read(payload);
    let (Some((_, inbound)), Some((_, outbound))) = (stamped.inbound.first(), stamped.outbound.first())
    else {
        bail!("{:?} is not stamped on both ways", String::from_utf8_lossy(payload));
    };
    ensure!(stamped.inbound.len() == 1 && stamped.outbound.len() == 1, "stamped twice");
    ensure!(inbound >= last && outbound >= inbound, "version {inbound}, {outbound} after {last}");
    *last = *inbound;
    Ok(stamped.text)
}

/// Two messages at a time, and both back.
async fn echoes(
    name: &str,
    listener: &str,
    address: SocketAddr,
    mut lots: Lots,
    board: &Board,
) -> anyhow::Result<Open> {
    let mut client = Open::connect(listener, address).await?;
    let (mut number, mut last) = (0, 0);
    // A session of QUIC is one when something was said.
    while !board.is_over() {
        let texts = [number, number + 1].map(|number| text(name, number, &mut lots));
        let begun = Instant::now();
        for text in &texts {
            board.echoed.send();
            client.send(text).await?;
        }
        for text in &texts {
            let payload = client.message().await.with_context(|| format!("after {number} messages"))?;
            let got = unstamped(&payload, &mut last)?;
            ensure!(got == *text, "got {got:?} instead of {text:?}");
            board.echoed.receive();
        }
        board.took(begun.elapsed());
        number += 2;
        sleep(lots.about(PACE)).await;
    }
    Ok(client)
}

/// A member of a group of honest ones: each gets what all of them send, in the order of each.
async fn member(
    name: &str,
    listener: &str,
    address: SocketAddr,
    mut lots: Lots,
    board: &Board,
) -> anyhow::Result<Open> {
    let Open::Plain(mut client) = Open::connect(listener, address).await? else { bail!("a plain client") };
    let mut pace = interval_at(tokio::time::Instant::now() + lots.about(PACE * 10), PACE * 10);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut number, mut done, mut got) = (0_u64, false, 0);
    // Of each sender: its next number, and the version that its last message met.
    let mut senders: HashMap<String, (u64, u32)> = HashMap::new();
    loop {
        let all = board.members_done.load(Ordering::SeqCst) == board.members.load(Ordering::SeqCst);
        if all && got == board.published.sent() {
            return Ok(Open::Plain(client));
        }
        tokio::select! {
            _ = pace.tick() => {
                if board.is_over() && !done {
                    done = true;
                    board.members_done.fetch_add(1, Ordering::SeqCst);
                    // From now on only to see whether all are done.
                    pace = interval_at(tokio::time::Instant::now() + PACE, PACE);
                }
                if done || !board.has_begun() {
                    continue;
                }
                board.published.send();
                client.send(text(name, number, &mut lots).as_bytes()).await?;
                number += 1;
            }
            next = client.next() => {
                let Got::Message(payload) = next.context("as a member")? else { bail!("the connection ended") };
                let sender = stamp::read(&payload).text;
                let mut parts = sender.split(':');
                let (Some(sender), Some(number)) = (parts.next(), parts.next()) else { bail!("no name and number") };
                let (next, last) = senders.entry(sender.to_owned()).or_default();
                unstamped(&payload, last)?;
                ensure!(number == next.to_string(), "{sender}: {number} in the place of {next}");
                *next += 1;
                got += 1;
                board.published.receive();
            }
        }
    }
}

/// One in four stays, the others end in order.
pub(crate) fn leave(open: Vec<Open>, runtime: &Runtime) -> Vec<Open> {
    let (mut staying, mut leaving) = (Vec::new(), JoinSet::new());
    for (at, client) in open.into_iter().enumerate() {
        if at % 4 == 0 {
            staying.push(client);
        } else {
            leaving.spawn_on(client.close(), runtime.handle());
        }
    }
    for outcome in runtime.block_on(leaving.join_all()) {
        outcome.expect("it ends in order");
    }
    staying
}

/// The gateway goes away: each hears of it. Gives how many.
pub(crate) async fn are_told(staying: Vec<Open>) -> usize {
    let mut waiting = JoinSet::new();
    for client in staying {
        waiting.spawn(async move {
            match client {
                Open::Plain(mut client) => while matches!(client.next().await, Ok(Got::Message(_))) {},
                Open::Compressing(mut client) => while client.message().await.is_ok() {},
            }
        });
    }
    waiting.join_all().await.len()
}
