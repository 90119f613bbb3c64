//! Control messages of clients whose sessions can be resumed: the protocol `weir.v1`.
//!
//! A control message is the payload of a text message: the magic `00 57 53 4e` (`\0WSN`), then words, each behind one space. The
//! first says what it is. What a receiver does not know behind the words that it knows is passed over. docs/sessions.md has the whole.

use std::fmt::Write;
use std::time::Duration;

/// What a control message begins with.
pub const MAGIC: [u8; 4] = *b"\0WSN";
/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "weir.v1";
/// The longest control message, in bytes.
pub const MAX_LENGTH: usize = 1024;
/// The most bytes of what a ping carries.
pub const MAX_PING: usize = 64;
/// The version that is spoken.
const VERSION: u32 = 1;

/// Whether a message that such a client sends or receives is a control message, or pretends to be one.
pub fn is_control(payload: &[u8]) -> bool {
    payload.starts_with(&MAGIC)
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It wants a session that can be resumed; with a token, its own.
    Hello {
        /// Of the last welcome.
        token: Option<&'a str>,
        /// The number of the last message that it has had; 0: none.
        received: u64,
    },
    /// It has had the messages up to this number.
    Ack(u64),
    /// It asks whether the gateway is there.
    Ping(&'a str),
    /// It will not come back.
    Bye,
}

/// What a client's control message says; `None`: it cannot be understood, or is none.
pub fn parse(payload: &[u8]) -> Option<Said<'_>> {
    if payload.len() > MAX_LENGTH {
        return None;
    }
    let text = std::str::from_utf8(payload.strip_prefix(&MAGIC)?).ok()?;
    let mut words = text.strip_prefix(' ')?.split(' ');
    match (words.next()?, words.next()) {
        ("hello", Some(version)) if number(version)? >= u64::from(VERSION) => hello(words),
        ("ack", Some(last)) => number(last).map(Said::Ack),
        ("ping", Some(carried)) if carried.len() <= MAX_PING => Some(Said::Ping(carried)),
        ("bye", _) => Some(Said::Bye),
        _ => None,
    }
}

fn hello<'a>(words: impl Iterator<Item = &'a str>) -> Option<Said<'a>> {
    let (mut token, mut received) = (None, 0);
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        match name {
            "token" => token = Some(value),
            "received" => received = number(value)?,
            _ => {}
        }
    }
    Some(Said::Hello { token, received })
}

/// Digits alone: no sign, as `parse` would allow.
fn number(word: &str) -> Option<u64> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

/// The answer to a ping.
pub fn pong(carried: &str) -> String {
    format!("\0WSN pong {carried}")
}

/// The answer to a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The session's name in logs.
    pub session: u64,
    /// For the next hello.
    pub token: &'a str,
    /// For how long that is good; whole seconds are told.
    pub expires: Duration,
    /// For how long the session waits for its client; whole seconds are told.
    pub window: Duration,
    /// Bytes of messages that are kept until the client confirms them.
    pub buffer: usize,
    /// Silence after which the client is given up; zero: never. Whole seconds are told, upwards.
    pub idle: Duration,
    /// Messages of the client that came in this session.
    pub received: u64,
    /// The next message to the client has the number behind this one.
    pub sent: u64,
    /// What became of the session that the client wanted.
    pub outcome: Outcome,
}

/// What became of the session that a client wanted back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It wanted none: this one is new.
    New,
    /// It is as it was, and all messages follow.
    Resumed,
    /// It is as it was, but so many messages are gone.
    Missed(u64),
    /// The token was too old: this one is new.
    Expired,
    /// There is no such session (any more): this one is new.
    Unknown,
}

impl Welcome<'_> {
    /// The payload.
    pub fn payload(&self) -> String {
        let Self { session, token, expires, window, buffer, idle, received, sent, outcome } = self;
        let (expires, window) = (expires.as_secs(), window.as_secs());
        let idle = idle.as_secs() + u64::from(idle.subsec_nanos() > 0);
        let resumed = *outcome == Outcome::Resumed;
        let mut text = format!(
            "\0WSN welcome {VERSION} session={session:x} token={token} expires={expires} window={window} buffer={buffer} idle={idle} \
             received={received} sent={sent} resumed={resumed}"
        );
        // A string takes all.
        let _ = match outcome {
            Outcome::New | Outcome::Resumed => Ok(()),
            Outcome::Missed(missed) => write!(text, " reason=missed missed={missed}"),
            Outcome::Expired => write!(text, " reason=expired"),
            Outcome::Unknown => write!(text, " reason=unknown"),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_understood() {
        let said = [
            ("\0WSN hello 1", Some(Said::Hello { token: None, received: 0 })),
            (
                "\0WSN hello 2 color=blue token=a.B_c received=17 more",
                Some(Said::Hello { token: Some("a.B_c"), received: 17 }),
            ),
            ("\0WSN ack 18446744073709551615", Some(Said::Ack(u64::MAX))),
            ("\0WSN ack 3 and more", Some(Said::Ack(3))),
            ("\0WSN ping ", Some(Said::Ping(""))),
            ("\0WSN ping 12", Some(Said::Ping("12"))),
            ("\0WSN bye", Some(Said::Bye)),
        ];
        for (text, expected) in said {
            assert_eq!(parse(text.as_bytes()), expected, "{}", text.escape_debug());
        }
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let long = format!("\0WSN hello 1 token={}", "x".repeat(MAX_LENGTH));
        let carried = format!("\0WSN ping {}", "x".repeat(MAX_PING + 1));
        let texts = [
            "\0WSN",
            "\0WSN ",
            "\0WSNhello 1",
            "\0WSN  hello 1",
            "\0WSN hello",
            "\0WSN hello 0",
            "\0WSN hello x",
            "\0WSN hello 1 received=-1",
            "\0WSN hello 1 received=18446744073709551616",
            "\0WSN ack",
            "\0WSN ack +1",
            "\0WSN ack ",
            "\0WSN ping",
            "\0WSN welcome 1",
            "hello 1",
            "",
            &long,
            &carried,
        ];
        for text in texts {
            assert_eq!(parse(text.as_bytes()), None, "{}", text.escape_debug());
        }
        assert_eq!(parse(b"\0WSN ping \xff"), None);
    }

    #[test]
    fn a_welcome_says_all_that_a_client_needs() {
        let welcome = Welcome {
            session: 0x1_0000_0002,
            token: "t",
            expires: Duration::from_hours(24),
            window: Duration::from_millis(60_900),
            buffer: 65_536,
            idle: Duration::from_millis(74_001),
            received: 3,
            sent: 9,
            outcome: Outcome::Missed(4),
        };
        assert_eq!(
            welcome.payload(),
            "\0WSN welcome 1 session=100000002 token=t expires=86400 window=60 buffer=65536 idle=75 received=3 sent=9 resumed=false \
             reason=missed missed=4"
        );
        let resumed = Welcome { outcome: Outcome::Resumed, ..welcome.clone() };
        assert!(resumed.payload().ends_with("sent=9 resumed=true"));
        let new = Welcome { outcome: Outcome::New, ..welcome };
        assert!(new.payload().ends_with("sent=9 resumed=false"));
        assert!(is_control(new.payload().as_bytes()) && is_control(pong("1").as_bytes()));
    }
}
