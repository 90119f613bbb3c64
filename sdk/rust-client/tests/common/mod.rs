//! What the client's tests talk to: the gateway's side of the protocol, and a way to it that breaks when it is told to.
#![allow(dead_code, unreachable_pub, reason = "every test program uses a part of it")]

pub mod gateway;
pub mod proxy;
pub mod talk;
pub mod wire;

use std::time::Duration;
use tokio::time::{sleep, timeout};
use weir_client::{Client, Event, Opened};

/// Only the time after which a test that will never end ends.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The next event, with patience.
pub async fn event(client: &mut Client) -> Event {
    timeout(PATIENCE, client.recv()).await.expect("an event in time").expect("an event before the end")
}

/// Skips failures up to the next connection.
pub async fn opened(client: &mut Client) -> Opened {
    loop {
        match event(client).await {
            Event::Open(opened) => return opened,
            Event::Reconnecting { .. } => {}
            other => panic!("{other:?} instead of a connection"),
        }
    }
}

/// The next event is a message.
pub async fn message(client: &mut Client) -> String {
    match event(client).await {
        Event::Message(message) => message.as_text().expect("text").to_owned(),
        other => panic!("{other:?} instead of a message"),
    }
}

/// Waits for a condition.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "never: {what}");
}
