//! Entry points for a fuzzer, and for the unit tests that run them on the committed corpora: what a server says may be anything.

use crate::conn::{Conn, MOST_WAITING};
use crate::marker::Scanner;
use crate::shard::Shard;
use crate::shared::{Shared, Window};
use crate::sockets::upgrade::{Answer, Upgrade};
use crate::trial::settings;
use bytes::BytesMut;
use std::sync::Arc;

/// What the first byte says is where the rest is cut in two.
fn cut(data: &[u8]) -> Option<(&[u8], usize)> {
    let (at, bytes) = data.split_first()?;
    Some((bytes, usize::from(*at).min(bytes.len())))
}

/// Payloads, cut anywhere: the same markers are found in the two parts as in the whole.
pub fn markers(data: &[u8]) {
    let Some((bytes, at)) = cut(data) else { return };
    let found = |parts: &[&[u8]]| {
        let (mut scanner, mut found) = (Scanner::default(), Vec::new());
        for part in parts {
            scanner.scan(part, |one| found.push(one));
        }
        found
    };
    assert_eq!(found(&[bytes]), found(&[&bytes[..at], &bytes[at..]]));
}

/// An answer to an upgrade, cut anywhere: what becomes of it is the same as of the whole.
pub fn upgrade(data: &[u8]) {
    let Some((bytes, at)) = cut(data) else { return };
    let whole = Upgrade::fixed().received(bytes);
    let mut upgrade = Upgrade::fixed();
    let first = upgrade.received(&bytes[..at]);
    let last = if first == Answer::Partial { upgrade.received(&bytes[at..]) } else { first };
    assert_eq!(std::mem::discriminant(&whole), std::mem::discriminant(&last), "{whole:?}, {last:?}");
}

/// What a server says on a WebSocket, once as answers to a client's messages and once to a subscriber: nothing comes that was not sent,
/// and what is said in return is bounded by what was asked.
pub fn server(data: &[u8]) {
    const CLIENTS: [&[&str]; 3] = [
        &["-c", "1", "--in-flight", "4", "--answer", "PING=PONG", "--ready", "go"],
        &["-c", "2", "--groups", "1"],
        &["-c", "1", "--in-flight", "4", "--size", "8"],
    ];
    let Some((bytes, at)) = cut(data) else { return };
    for words in CLIENTS {
        let words = [&["ws://127.0.0.1:1"][..], words].concat();
        let settings = Arc::new(settings(&words).expect("a load"));
        let shared = Arc::new(Shared::fixed(&settings));
        let mut shard = Shard::new(&settings, &shared, 0);
        let mut clients: Vec<Conn> =
            (0..settings.connections).map(|number| Conn::new(number, &settings.target, &settings)).collect();
        shared.begin(Window { start: 0, from: 0, to: u64::MAX });
        shard.look();
        let mut out = BytesMut::new();
        for conn in &mut clients {
            conn.hello(&mut shard, &mut out);
            conn.pump(0, &mut shard, &mut out, MOST_WAITING);
        }
        let mut bytes = bytes.to_vec();
        let (first, second) = bytes.split_at_mut(at);
        let receiver = clients.last_mut().expect("a client");
        let (mut said, mut answered) = (0, 0);
        for part in [first, second] {
            out.clear();
            said += part.len();
            if receiver.received(part, 1, &mut shard, &mut out).is_err() {
                break;
            }
            // A pong is four bytes longer than its ping, an answer as long as what asks for it.
            answered += out.len();
            assert!(answered <= 3 * said, "{answered} bytes to {said}");
            receiver.pump(1, &mut shard, &mut out, MOST_WAITING);
        }
        let sent: u64 = clients.iter().map(Conn::sequence).sum();
        for conn in &mut clients {
            conn.finish(&mut shard);
        }
        assert!(shard.tally.received <= sent, "{} of {sent} came", shard.tally.received);
    }
}

#[cfg(test)]
mod tests {
    use weir_proof::corpus;

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn markers_of_any_payload() {
        corpus::run(HERE, "markers", 20_000, super::markers);
    }

    #[test]
    fn any_answer_to_an_upgrade() {
        corpus::run(HERE, "upgrade", 20_000, super::upgrade);
    }

    #[test]
    fn whatever_a_server_says() {
        corpus::run(HERE, "server", 2_000, super::server);
    }
}
