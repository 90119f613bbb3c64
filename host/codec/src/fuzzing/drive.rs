//! Runs a decoder over a stream and checks what must hold at every step.

use crate::websocket::deflate::Inflater;
use crate::{Decoder, Event, Kind, WireError};

/// All that a decoder said to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In order, up to the end or the error.
    pub said: Vec<Said>,
    /// How it ended: in order, in the middle of a frame, or with the peer's fault.
    pub end: Result<(), WireError>,
}

/// An [`Event`] that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of Event")]
pub enum Said {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, Box<str>)>),
}

impl Outcome {
    /// The same with all messages as one.
    #[must_use]
    pub fn joined(self) -> Self {
        let mut whole: Option<(Kind, Vec<u8>)> = None;
        for said in self.said {
            let Said::Message(kind, payload) = said else { continue };
            whole.get_or_insert((kind, Vec::new())).1.extend(payload);
        }
        Self {
            said: whole.into_iter().map(|(kind, payload)| Said::Message(kind, payload)).collect(),
            end: self.end,
        }
    }
}

/// Offers the stream in reads of the given lengths.
///
/// # Panics
/// The decoder breaks its contract, or holds more than `bound` bytes.
pub fn drive(
    mut decoder: Decoder,
    stream: &[u8],
    reads: impl IntoIterator<Item = usize>,
    bound: usize,
) -> Outcome {
    let mut said = Vec::new();
    let mut inflater = Inflater::default();
    let mut stream = stream.to_vec();
    let mut rest = &mut stream[..];
    for length in reads {
        if rest.is_empty() {
            break;
        }
        let (mut read, after) = rest.split_at_mut(length.min(rest.len()));
        rest = after;
        while !read.is_empty() {
            let offered = read.len();
            let decoded = match decoder.decode(read) {
                Ok(decoded) => decoded,
                Err(error) => return Outcome { said, end: Err(error) },
            };
            let consumed = decoded.consumed;
            assert!(consumed <= offered, "consumes what it was offered");
            match decoded.event {
                None => assert_eq!(consumed, offered, "without an event all is consumed"),
                Some(Event::Message { kind, payload }) => {
                    assert!(kind == Kind::Binary || std::str::from_utf8(&payload).is_ok(), "text is UTF-8");
                    said.push(Said::Message(kind, payload.into_bytes().into()));
                }
                Some(Event::Compressed(message)) => match inflater.inflate(&message) {
                    Ok(payload) => {
                        let kind = message.kind();
                        assert!(
                            kind == Kind::Binary || std::str::from_utf8(&payload).is_ok(),
                            "text is UTF-8"
                        );
                        said.push(Said::Message(kind, payload.into_bytes().into()));
                    }
                    Err(error) => return Outcome { said, end: Err(error) },
                },
                Some(Event::Ping(payload)) => said.push(Said::Ping(payload.to_vec())),
                Some(Event::Pong(payload)) => said.push(Said::Pong(payload.to_vec())),
                Some(Event::Close(close)) => said.push(Said::Close(close)),
            }
            let held = decoder.buffered();
            assert!(held <= bound, "holds {held} bytes, {bound} are allowed");
            assert!(held == 0 || !decoder.is_idle(), "idle, and holds {held} bytes");
            read = &mut read[consumed..];
        }
    }
    Outcome { said, end: decoder.finish() }
}
