//! The first message of a client, before its session begins: it may be a hello.

use crate::drive::{Input, Link, Unread};
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use weir_codec::session::{self, MAX_LENGTH, Said};
use weir_codec::websocket::deflate::Inflater;
use weir_codec::{Decoded, Decoder, Event};
use weir_core::{CloseReason, Lane};

/// A hello in the longest frame that there is around one.
const LIMIT: usize = MAX_LENGTH + 256;

/// For how long a client that need not say hello may be silent before it is taken for one that does not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// What came first.
#[derive(Debug)]
pub(crate) enum First {
    /// A hello. What came behind it is unread.
    Hello { token: Option<Box<str>>, received: u64, unread: Unread },
    /// Something else, or nothing for as long as was waited: all of it is unread.
    Else(Unread),
    /// The client's end.
    Gone(CloseReason),
}

/// Reads until it is known what came first, or until the patience is at its end. `decoder` makes one for what the client sends; the
/// link's own is not touched.
pub(crate) async fn first<L: Link>(
    link: &mut L,
    leftover: &[u8],
    patience: Duration,
    decoder: impl Fn() -> Decoder,
) -> First {
    let end = Instant::now() + patience;
    let mut unread = Unread::of(leftover);
    let mut buffer = vec![0; LIMIT];
    loop {
        match look(&unread, &decoder) {
            Look::More => {}
            Look::Else => return First::Else(unread),
            Look::Hello { token, received, length } => {
                unread.skip(length);
                return First::Hello { token, received, unread };
            }
        }
        let Ok(input) = timeout_at(end, poll_fn(|cx| link.poll_read(cx, &mut buffer))).await else {
            return First::Else(unread);
        };
        match input {
            Ok(Input::Bytes(lane, length)) => unread.push(lane, &buffer[..length]),
            Ok(Input::LaneOpened(lane)) => unread.lanes.push(lane),
            Ok(Input::End | Input::LaneEnded(_)) if !unread.bytes.is_empty() => {
                return First::Gone(CloseReason::Truncated);
            }
            Ok(Input::End | Input::LaneEnded(_) | Input::Closed(_)) => {
                return First::Gone(CloseReason::Client);
            }
            Ok(Input::Broken(error)) => return First::Gone((&error).into()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return First::Gone(CloseReason::IdleTimeout);
            }
            Err(_) => return First::Gone(CloseReason::ClientReset),
        }
    }
}

enum Look {
    More,
    Else,
    Hello { token: Option<Box<str>>, received: u64, length: usize },
}

/// Decodes a copy from its beginning: there are a few hundred bytes, and one read mostly brings all of them.
fn look(unread: &Unread, decoder: impl Fn() -> Decoder) -> Look {
    let (lane, bytes) = match &unread.bytes[..] {
        [] => return Look::More,
        [(lane, bytes)] if *lane != Lane::DATAGRAMS => (*lane, bytes),
        // A hello is said on the first stream, before anything else.
        _ => return Look::Else,
    };
    if unread.lanes.first().is_some_and(|first| *first != lane) {
        return Look::Else;
    }
    let mut copy = bytes.clone();
    let mut decoder = decoder();
    let mut at = 0;
    loop {
        let Ok(Decoded { consumed, event }) = decoder.decode(&mut copy[at..]) else { return Look::Else };
        at += consumed;
        let said = match event {
            None if bytes.len() >= LIMIT => return Look::Else,
            None => return Look::More,
            Some(Event::Ping(_) | Event::Pong(_)) => continue,
            Some(Event::Close(_)) => return Look::Else,
            Some(Event::Message { payload, .. }) => hello(&payload),
            // Browsers compress all that they send.
            Some(Event::Compressed(message)) => match Inflater::default().inflate(&message) {
                Ok(payload) => hello(&payload),
                Err(_) => None,
            },
        };
        return match said {
            Some((token, received)) => Look::Hello { token, received, length: at },
            None => Look::Else,
        };
    }
}

fn hello(payload: &[u8]) -> Option<(Option<Box<str>>, u64)> {
    match session::parse(payload)? {
        Said::Hello { token, received } => Some((token.map(Into::into), received)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_codec::{Framing, Kind, Prefix};

    fn framed() -> Decoder {
        Decoder::framed(&Framing::Length { prefix: Prefix::U8, max: 255 }, Kind::Text)
    }

    fn seen(bytes: &[u8]) -> String {
        match look(&Unread::of(bytes), framed) {
            Look::More => "more".to_owned(),
            Look::Else => "else".to_owned(),
            Look::Hello { token, received, length } => format!("{token:?} {received} {length}"),
        }
    }

    #[test]
    fn a_hello_is_known_when_it_is_whole_and_nothing_else_is_taken_for_one() {
        let said = b"\x21\0WSN hello 1 token=abc received=4\x02xy";
        for length in 0..0x22 {
            assert_eq!(seen(&said[..length]), "more", "{length}");
        }
        assert_eq!(seen(&said[..0x22]), "Some(\"abc\") 4 34");
        assert_eq!(seen(said), "Some(\"abc\") 4 34");
        assert_eq!(seen(b"\x0c\0WSN hello 1"), "None 0 13");
        assert_eq!(seen(b"\x02hi"), "else");
        assert_eq!(seen(b"\x0a\0WSN ack 1"), "else");
        let mut two = Unread::of(b"\x05");
        two.push(Lane(4), b"x");
        assert!(matches!(look(&two, framed), Look::Else));
    }

    #[test]
    fn who_sends_more_than_a_hello_has_is_not_waited_for() {
        let line = || Decoder::framed(&Framing::Line { max: 1 << 20 }, Kind::Text);
        assert!(matches!(look(&Unread::of(&[b'x'; LIMIT - 1]), line), Look::More));
        assert!(matches!(look(&Unread::of(&[b'x'; LIMIT]), line), Look::Else));
    }
}
