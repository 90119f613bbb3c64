//! What a server says that is loaded: any server, so anything.

use super::{Answer, Found, LENGTH, Scanner, Upgrade};
use weir_codec::websocket::accept_key;

/// Any bytes as a server's answer to the handshake, in which `{accept}` stands for what belongs to the request: what becomes of it does
/// not depend on how it was cut into reads, and what follows an upgrade is not lost. The first byte says how long the reads are.
pub(crate) fn answer(data: &[u8]) {
    let Some((cut, answer)) = data.split_first() else { return };
    let whole = outcome(answer, usize::MAX);
    assert_eq!(outcome(answer, usize::from(*cut).max(1)), whole);
}

fn outcome(answer: &[u8], cut: usize) -> Answer {
    let (mut upgrade, request) = Upgrade::new("example.org", "/", &[]);
    let key = request.split("Sec-WebSocket-Key: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let accept = accept_key(key.expect("a request has a key").as_bytes());
    let answer = replaced(answer, b"{accept}", accept.as_bytes());
    let mut reads = answer.chunks(cut);
    while let Some(read) = reads.next() {
        match upgrade.received(read) {
            Answer::Partial => {}
            Answer::Upgraded(first) => {
                let behind = [first, reads.collect::<Vec<_>>().concat()].concat();
                assert!(answer.ends_with(&behind), "what follows is what followed");
                return Answer::Upgraded(behind);
            }
            Answer::Refused(status, said) => {
                assert!(said.chars().count() <= 200, "a line of it");
                // How much of the body was there by then is a matter of the reads.
                return Answer::Refused(status, String::new());
            }
            broken @ Answer::Broken(_) => return broken,
        }
    }
    Answer::Partial
}

/// The first of them: two runs have two keys, and what follows the head is to be the same in both.
fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match text.windows(from.len()).position(|part| part == from) {
        Some(at) => [&text[..at], to, &text[at + from.len()..]].concat(),
        None => text.to_vec(),
    }
}

/// Any bytes as what a server sends: a marker that is found stood there, and one that is cut in two is found as well. The first byte
/// says where it is cut.
pub(crate) fn markers(data: &[u8]) {
    let Some((cut, payload)) = data.split_first() else { return };
    let whole = found(&[payload]);
    for found in &whole {
        let Found::Marker(marker) = found else { continue };
        let mut text = [0; LENGTH];
        marker.write(&mut text);
        assert!(payload.windows(LENGTH).any(|part| part == text), "{marker:?} stood nowhere");
    }
    // Where one is damaged, what stands within it may be lost with it.
    if !whole.contains(&Found::Damaged) {
        let (first, second) = payload.split_at(usize::from(*cut) % (payload.len() + 1));
        assert_eq!(found(&[first, second]), whole);
    }
}

fn found(messages: &[&[u8]]) -> Vec<Found> {
    let (mut scanner, mut all) = (Scanner::default(), Vec::new());
    messages.iter().for_each(|message| scanner.scan(message, |found| all.push(found)));
    all
}
