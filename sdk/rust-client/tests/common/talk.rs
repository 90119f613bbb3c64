//! Two clients talk while their connections are cut again and again.

use super::proxy::CuttingProxy;
use super::{PATIENCE, opened};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;
use weir_client::{Client, Event};

pub const MESSAGES: usize = 2_000;
pub const CUTS: usize = 20;
/// Sent and not yet arrived, at most: little enough that the gateway's buffer holds it.
const AHEAD: usize = 100;

struct Talker {
    name: char,
    /// Whose messages it gets.
    from: char,
    proxy: CuttingProxy,
    client: Client,
    sent: usize,
    got: usize,
    resumed: usize,
}

impl Talker {
    async fn start(name: char, from: char, scheme: &str, gateway: SocketAddr) -> Self {
        let proxy = CuttingProxy::before(gateway).await;
        let url = format!("{scheme}://{}", proxy.address);
        let builder = Client::builder(&url).backoff(Duration::from_millis(20), Duration::from_millis(200));
        let mut client = builder.build().unwrap();
        assert!(opened(&mut client).await.resumable, "the gateway has [listener.resume]");
        Self { name, from, proxy, client, sent: 0, got: 0, resumed: 0 }
    }

    async fn say(&mut self) {
        self.sent += 1;
        let message = format!("{}:{}:{}", self.name, self.sent, "x".repeat(self.sent % 200));
        self.client.send(message).await.unwrap();
    }

    /// Takes events until it has got so many messages.
    async fn listen(&mut self, least: usize) {
        while self.got < least {
            let event = timeout(PATIENCE, self.client.recv()).await;
            match event.expect("a message in time").expect("no end") {
                Event::Open(opened) => {
                    assert!(opened.resumed, "{opened:?}");
                    self.resumed += 1;
                }
                Event::Message(message) => {
                    let mut words = message.as_text().unwrap().split(':');
                    if words.next() == Some(&self.from.to_string()) {
                        self.got += 1;
                        assert_eq!(words.next(), Some(&*self.got.to_string()), "each once, in order");
                    }
                }
                Event::Reconnecting { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Every message must arrive once, in order, in both directions. `echo`: each client gets its own messages, else the
/// other's. Gives back how often a session was resumed.
pub async fn talk(scheme: &str, gateway: SocketAddr, echo: bool) -> usize {
    let (of_a, of_b) = if echo { ('a', 'b') } else { ('b', 'a') };
    let mut a = Talker::start('a', of_a, scheme, gateway).await;
    let mut b = Talker::start('b', of_b, scheme, gateway).await;
    for number in 1..=MESSAGES {
        a.say().await;
        b.say().await;
        let least = number.saturating_sub(AHEAD);
        a.listen(least).await;
        b.listen(least).await;
        match number % (MESSAGES / CUTS) {
            37 => a.proxy.cut(),
            71 => b.proxy.cut(),
            _ => {}
        }
    }
    a.listen(MESSAGES).await;
    b.listen(MESSAGES).await;
    let resumed = a.resumed + b.resumed;
    for talker in [a, b] {
        let end = timeout(PATIENCE, talker.client.close()).await.expect("an end in time");
        assert!(matches!(end, Some(Event::Closed(_))), "{end:?}");
    }
    resumed
}
