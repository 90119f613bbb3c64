//! What is small: heartbeats, and offers of compression.

use crate::heartbeat;
use crate::websocket::deflate;

/// Any bytes as the payload of a heartbeat: none, or one that is written again as it was.
pub fn heartbeat_parse(data: &[u8]) {
    let payload = [&heartbeat::MAGIC[..], data].concat();
    let Some(read) = heartbeat::parse(&payload) else { return };
    let again = read.payload();
    assert!(payload.starts_with(&again) && again.len() <= heartbeat::LENGTH + heartbeat::MAX_FILLER);
    assert_eq!(heartbeat::parse(&again).map(|again| again.stage), Some(read.stage));
}

/// Any text as a request's `Sec-WebSocket-Extensions`, one header a line: what is agreed to is one of few answers, and would be agreed
/// to again.
pub fn offer_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(agreement) = deflate::accept(text.lines()) else { return };
    let answer = agreement.answer();
    assert!((9..=15).contains(&agreement.window.bits()), "{answer}");
    let again = deflate::accept([answer.as_str()]).expect("its own answer is an offer");
    assert_eq!(again.window, agreement.window);
}
