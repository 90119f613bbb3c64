//! Clients that lose their connections in the midst of everything, and take their sessions back.

use crate::board::Board;
use crate::clients::unstamped;
use crate::lots::Lots;
use anyhow::{Context as _, ensure};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::sleep;
use weir_tests::client::{Client, u32be};

/// Between two losses, about eight of these.
const PACE: Duration = Duration::from_millis(100);
/// What was received is confirmed so often.
const CONFIRM: u64 = 16;

/// One session, for as long as the soak lasts, however many connections that takes.
struct Session {
    client: Client,
    token: String,
    name: &'static str,
    sent: u64,
    received: u64,
    /// The version of the plugin that the last message met.
    last: u32,
}

/// Sends, is cut off, comes back and sends again what the gateway has not had: each message comes back once and in order.
pub(crate) async fn client(
    name: &'static str,
    address: SocketAddr,
    mut lots: Lots,
    board: &Board,
) -> anyhow::Result<()> {
    let (client, welcome) = hello(address, "").await?;
    let token = field(&welcome, "token")?.to_owned();
    let mut session = Session { client, token, name, sent: 0, received: 0, last: 0 };
    while !board.is_over() {
        for _ in 0..=lots.below(8) {
            session.send(session.sent).await?;
            session.sent += 1;
            board.returning.send();
        }
        // What is not heard is under way when the connection is lost.
        for _ in 0..lots.below(session.sent - session.received + 1) {
            session.hear(board).await?;
        }
        if lots.below(8) == 0 {
            session.come_back(address).await?;
            board.returns.fetch_add(1, Ordering::SeqCst);
        }
        sleep(lots.about(PACE)).await;
    }
    while session.received < session.sent {
        session.hear(board).await?;
    }
    session.client.send(b"\0WSN bye").await?;
    session.client.close().await
}

impl Session {
    /// The message of this number, the same each time.
    fn text(&self, number: u64) -> String {
        format!("{}:{number}:{}", self.name, "over the weir ".repeat(number as usize % 40))
    }

    async fn send(&mut self, number: u64) -> anyhow::Result<()> {
        let text = self.text(number);
        self.client.send(text.as_bytes()).await
    }

    async fn hear(&mut self, board: &Board) -> anyhow::Result<()> {
        let payload = self.client.message().await.with_context(|| format!("after {}", self.received))?;
        let got = unstamped(&payload, &mut self.last)?;
        let expected = self.text(self.received);
        ensure!(got == expected, "got {got:?} instead of {expected:?}");
        self.received += 1;
        board.returning.receive();
        if self.received.is_multiple_of(CONFIRM) {
            self.client.send(format!("\0WSN ack {}", self.received).as_bytes()).await?;
        }
        Ok(())
    }

    /// Over a new connection, before or after the gateway has noticed that the old one is gone.
    async fn come_back(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let more = format!(" token={} received={}", self.token, self.received);
        let (client, welcome) = hello(address, &more).await?;
        ensure!(field(&welcome, "resumed")? == "true", "not taken back: {welcome:?}");
        self.client = client;
        field(&welcome, "token")?.clone_into(&mut self.token);
        // Those that were on their way to the gateway are lost, and it says from which on.
        for number in field(&welcome, "received")?.parse()?..self.sent {
            self.send(number).await?;
        }
        Ok(())
    }
}

async fn hello(address: SocketAddr, more: &str) -> anyhow::Result<(Client, String)> {
    let mut client = Client::tcp(address, u32be()).await?;
    client.send(format!("\0WSN hello 1{more}").as_bytes()).await?;
    let welcome = String::from_utf8(client.message().await?.to_vec())?;
    ensure!(welcome.starts_with("\0WSN welcome 1 "), "got {welcome:?} instead of a welcome");
    Ok((client, welcome))
}

fn field<'a>(welcome: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let value = welcome.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.with_context(|| format!("no {name} in {welcome:?}"))
}
