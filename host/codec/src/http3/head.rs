//! What a client's bidirectional stream begins with: a request, or the name of the session that it is a stream of.

use super::control::FIELDS;
use super::record::{Part, Records};
use super::request::Asked;
use super::{Fault, code, fields, frame};

/// Reads the beginning of one bidirectional stream, and no byte beyond it.
#[derive(Debug, Default)]
pub struct Head {
    frames: Records,
    /// Of the request.
    block: Option<Vec<u8>>,
    /// Something came already that is of no use.
    begun: bool,
}

/// What the stream is.
#[derive(Debug)]
pub enum Headed {
    /// One of the session's streams; what follows is the application's.
    Stream {
        /// The id of the stream on which the session was asked for.
        session: u64,
    },
    /// A request.
    Request(Asked),
}

impl Head {
    /// How many bytes may be read next.
    pub fn wants(&self) -> usize {
        self.frames.wants()
    }

    /// So many bytes at most as [`wants`](Self::wants) says.
    ///
    /// # Errors
    /// Which rule they break.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Headed>, Fault> {
        while let Some(part) = self.frames.next(&mut bytes) {
            match part {
                Part::Begin(frame::WEBTRANSPORT_STREAM, session) => {
                    if self.begun {
                        return Err(Fault::new(code::FRAME_ERROR, "a session is named behind another frame"));
                    }
                    if !session.is_multiple_of(4) {
                        return Err(Fault::new(code::ID_ERROR, "no session can have this id"));
                    }
                    return Ok(Some(Headed::Stream { session }));
                }
                Part::Begin(frame::HEADERS, length) => {
                    if length > FIELDS as u64 {
                        return Ok(Some(Headed::Request(Asked::TooLarge)));
                    }
                    self.block = Some(Vec::new());
                }
                Part::Begin(
                    frame::DATA
                    | frame::CANCEL_PUSH
                    | frame::SETTINGS
                    | frame::PUSH_PROMISE
                    | frame::GOAWAY
                    | frame::MAX_PUSH_ID,
                    _,
                ) => {
                    return Err(Fault::new(code::FRAME_UNEXPECTED, "a request begins with its headers"));
                }
                Part::Begin(kind, _) if frame::is_of_http2(kind) => {
                    return Err(Fault::new(code::FRAME_UNEXPECTED, "a frame of HTTP/2"));
                }
                Part::Begin(..) => {}
                Part::Value(value) => {
                    if let Some(block) = &mut self.block {
                        block.extend_from_slice(value);
                    }
                }
                Part::End => {
                    if let Some(block) = self.block.take() {
                        return Ok(Some(Headed::Request(Asked::of(fields::decode(&block))?)));
                    }
                }
            }
            self.begun = true;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http3::record;
    use crate::http3::request::tests::CONNECT;

    fn read(bytes: &[u8]) -> (Result<Option<Headed>, u64>, usize) {
        let mut head = Head::default();
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + head.wants());
            let part = head.take(&bytes[at..end]);
            at = end;
            match part {
                Ok(None) => {}
                Ok(headed) => return (Ok(headed), at),
                Err(fault) => return (Err(fault.code), at),
            }
        }
        (Ok(None), at)
    }

    #[test]
    fn nothing_is_read_beyond_the_head() {
        let (headed, at) = read(b"\x40\x41\x04abc");
        assert!(matches!(headed, Ok(Some(Headed::Stream { session: 4 }))), "{headed:?}");
        assert_eq!(at, 3);
        let mut bytes = b"\x21\x02xx".to_vec();
        record::encode(frame::HEADERS, &fields::encode(CONNECT), &mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(b"\0\x03abc");
        let (headed, at) = read(&bytes);
        assert!(matches!(headed, Ok(Some(Headed::Request(Asked::For(_))))), "{headed:?}");
        assert_eq!(at, length);
    }

    #[test]
    fn what_is_neither_breaks_a_rule() {
        for (bytes, broken) in [
            (&b"\x21\0\x40\x41\0"[..], code::FRAME_ERROR),
            (b"\x40\x41\x01", code::ID_ERROR),
            (b"\0\x03", code::FRAME_UNEXPECTED),
            (b"\x04\0", code::FRAME_UNEXPECTED),
            (b"\x08\0", code::FRAME_UNEXPECTED),
            (b"\x01\x02\0\0", code::MESSAGE_ERROR),
        ] {
            match read(bytes).0 {
                Err(found) => assert_eq!(found, broken, "{bytes:?}"),
                Ok(Some(Headed::Request(Asked::Malformed(_)))) => assert_eq!(broken, code::MESSAGE_ERROR),
                other => panic!("{bytes:?}: {other:?}"),
            }
        }
        let (headed, at) = read(b"\x01\x80\0\x40\x01xxxx");
        assert!(matches!(headed, Ok(Some(Headed::Request(Asked::TooLarge)))), "{headed:?}");
        assert_eq!(at, 5, "nothing of it is kept");
    }
}
