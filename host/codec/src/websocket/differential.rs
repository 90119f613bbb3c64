//! Against tungstenite: on valid streams and on damaged ones, the same is said, or both refuse.
//!
//! Where this crate is stricter on purpose:
//! - Lengths in more bytes than needed are refused (RFC 6455, section 5.2), in control frames as lengths beyond 125 (section 5.5);
//!   tungstenite takes them.
//! - A close code that may not be sent is refused (section 7.4); tungstenite reports the frame and answers with 1002.
//!   It takes 1014 for such a code too, which is registered with IANA and passes here.
//! - What is wrong is refused when the byte that shows it has arrived; tungstenite waits for the header, or for the frame, and
//!   sees a stream that ends before.

use super::tests::Frame;
use super::{Limits, Role};
use crate::fuzzing::{Said, drive};
use crate::{Decoder, Kind, WireError};
use proptest::prelude::*;
use std::io::{self, Read, Write};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{self, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

const LIMIT: usize = 1000;

/// A stream that has all arrived, and takes any answer.
struct Arrived<'a>(&'a [u8]);

impl Read for Arrived<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Arrived<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// After a close frame.
    Closed,
    /// The stream ended, within a frame or between two.
    Ended,
    Refused,
}

fn oracle(role: Role, stream: &[u8]) -> (Vec<Said>, End) {
    let role = match role {
        Role::Server => protocol::Role::Server,
        Role::Client => protocol::Role::Client,
    };
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Arrived(stream), role, Some(config));
    let mut said = Vec::new();
    loop {
        said.push(match socket.read() {
            Ok(Message::Text(text)) => Said::Message(Kind::Text, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => Said::Message(Kind::Binary, bytes.to_vec()),
            Ok(Message::Ping(bytes)) => Said::Ping(bytes.to_vec()),
            Ok(Message::Pong(bytes)) => Said::Pong(bytes.to_vec()),
            Ok(Message::Close(close)) => {
                let close = close.map(|close| (close.code.into(), close.reason.as_str().into()));
                said.push(Said::Close(close));
                return (said, End::Closed);
            }
            Ok(Message::Frame(_)) => unreachable!("never read"),
            Err(Error::ConnectionClosed | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                return (said, End::Ended);
            }
            Err(_) => return (said, End::Refused),
        });
    }
}

fn compare(role: Role, stream: &[u8], reads: &[usize]) -> Result<(), TestCaseError> {
    let limits = Limits { message: LIMIT, fragments: usize::MAX };
    let reads = reads.iter().copied().cycle();
    let mut ours = drive(Decoder::websocket(role, limits), stream, reads, LIMIT + 512);
    let (theirs, end) = oracle(role, stream);
    if let Some(Said::Close(Some(close @ (1014, _)))) = ours.said.last_mut() {
        *close = (1002, "Protocol violation".into());
    }
    match ours.end {
        Err(WireError::WebSocket(
            "length is written with more bytes than it needs" | "control frame is longer than 125 bytes",
        )) => {
            prop_assert!(theirs.starts_with(&ours.said));
        }
        Err(WireError::WebSocket("close code that may not be sent")) => {
            if end == End::Refused {
                // The reason is not text either.
                prop_assert_eq!(&theirs, &ours.said);
            } else {
                let reported =
                    theirs.split_last().map(|(last, before)| (matches!(last, Said::Close(Some(_))), before));
                prop_assert_eq!(reported, Some((true, &ours.said[..])));
            }
        }
        Ok(()) | Err(WireError::Truncated) => {
            prop_assert_eq!(&theirs, &ours.said);
            let closed = matches!(ours.said.last(), Some(Said::Close(_)));
            prop_assert_eq!(end, if closed { End::Closed } else { End::Ended });
        }
        Err(error) => {
            prop_assert_eq!(&theirs, &ours.said, "{}", error);
            prop_assert!(matches!(end, End::Refused | End::Ended), "{:?} and {}", end, error);
        }
    }
    Ok(())
}

/// First byte, payload, mask, and how long the length is written if not as it should be.
type Spoken = (u8, Vec<u8>, [u8; 4], Option<usize>);

/// Frames that make sense more often than not.
fn frames() -> impl Strategy<Value = Vec<Spoken>> {
    let first = prop_oneof![
        12 => prop::sample::select(&[0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a][..]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zκ€🦀]{0,40}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..8),
        1 => prop::collection::vec(any::<u8>(), 120..130),
        1 => prop::collection::vec(Just(b'x'), 0..1100),
        2 => (990..1020_u16, "[a-z€]{0,9}").prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ];
    let extended = prop_oneof![9 => Just(None), 1 => prop::sample::select(&[Some(2), Some(8)][..])];
    prop::collection::vec((first, payload, any::<[u8; 4]>(), extended), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_same_is_said_or_both_refuse(
        server in any::<bool>(),
        frames in frames(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
        reads in prop::collection::vec(1..200_usize, 1..5),
    ) {
        let mut stream: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload, mask, extended)| {
                Frame { first: *first, mask: server.then_some(*mask), payload, extended: *extended }.bytes()
            })
            .collect();
        if !stream.is_empty() {
            for (at, byte) in damage {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
            if let Some(cut) = cut {
                stream.truncate(cut.index(stream.len()));
            }
        }
        compare(if server { Role::Server } else { Role::Client }, &stream, &reads)?;
    }
}
