//! The stream on which a session was asked for: capsules (RFC 9297, section 3; draft-ietf-webtrans-http3, sections 4.7 and 6).

use super::record::{Part, Records};
use super::{Fault, code, frame, record};

/// `CLOSE_WEBTRANSPORT_SESSION`: a code of four bytes and a reason.
const CLOSE: u64 = 0x2843;
/// `DRAIN_WEBTRANSPORT_SESSION`, which is empty.
const DRAIN: u64 = 0x78ae;
/// Bytes of a reason.
const REASON: usize = 1024;

/// Reads what a client says behind its request.
#[derive(Debug, Default)]
pub struct SessionStream {
    frames: Records,
    in_data: bool,
    capsules: Records,
    /// The value of a close capsule, as far as it has come.
    close: Option<Vec<u8>>,
}

/// What it said.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The session has ended, with this code and reason.
    Closed(u32, Box<str>),
}

impl SessionStream {
    /// More of the stream. After an event nothing more is to be taken.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Option<SessionEvent>, Fault> {
        while let Some(part) = self.frames.next(&mut bytes) {
            match part {
                Part::Begin(frame::DATA, _) => self.in_data = true,
                Part::Begin(
                    frame::HEADERS
                    | frame::CANCEL_PUSH
                    | frame::SETTINGS
                    | frame::PUSH_PROMISE
                    | frame::GOAWAY
                    | frame::MAX_PUSH_ID
                    | frame::WEBTRANSPORT_STREAM,
                    _,
                ) => {
                    return Err(Fault::new(
                        code::FRAME_UNEXPECTED,
                        "a frame that does not belong behind CONNECT",
                    ));
                }
                Part::Begin(kind, _) if frame::is_of_http2(kind) => {
                    return Err(Fault::new(code::FRAME_UNEXPECTED, "a frame of HTTP/2"));
                }
                Part::Value(value) if self.in_data => {
                    if let Some(event) = self.capsules(value)? {
                        return Ok(Some(event));
                    }
                }
                Part::Begin(..) | Part::Value(_) => {}
                Part::End => self.in_data = false,
            }
        }
        Ok(None)
    }

    fn capsules(&mut self, mut bytes: &[u8]) -> Result<Option<SessionEvent>, Fault> {
        let broken = Fault::new(
            code::MESSAGE_ERROR,
            "the capsule that closes a session has no code, or too long a reason",
        );
        while let Some(part) = self.capsules.next(&mut bytes) {
            match (part, &mut self.close) {
                (Part::Begin(CLOSE, length), close) => {
                    if !(4..=4 + REASON as u64).contains(&length) {
                        return Err(broken);
                    }
                    *close = Some(Vec::new());
                }
                (Part::Value(value), Some(close)) => close.extend_from_slice(value),
                (Part::End, Some(close)) => {
                    let (number, reason) = close.split_first_chunk().ok_or(broken)?;
                    let reason = String::from_utf8_lossy(reason).into();
                    return Ok(Some(SessionEvent::Closed(u32::from_be_bytes(*number), reason)));
                }
                // The other capsules are for what is not negotiated, and a client that drains goes by itself.
                _ => {}
            }
        }
        Ok(None)
    }
}

/// A `DATA` frame with the capsule that ends a session. A reason that is longer than 1024 bytes is cut.
pub fn close_capsule(number: u32, reason: &str) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    value.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(REASON)]);
    in_data(CLOSE, &value)
}

/// A `DATA` frame with the capsule that says that the session is going to end.
pub fn drain_capsule() -> Vec<u8> {
    in_data(DRAIN, &[])
}

fn in_data(kind: u64, value: &[u8]) -> Vec<u8> {
    let (mut capsule, mut out) = (Vec::new(), Vec::new());
    record::encode(kind, value, &mut capsule);
    record::encode(frame::DATA, &capsule, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], cut: usize) -> Result<Option<SessionEvent>, u64> {
        let mut stream = SessionStream::default();
        for part in bytes.chunks(cut) {
            if let Some(event) = stream.take(part).map_err(|fault| fault.code)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_close_is_understood_however_it_is_cut_and_framed() {
        let mut bytes = drain_capsule();
        // A capsule that nobody knows, in two frames with another between them.
        bytes.extend_from_slice(b"\0\x04\x17\x05ab\x21\x02zz\0\x03cde");
        bytes.extend_from_slice(&close_capsule(4000, "that was all"));
        for cut in 1..=bytes.len() {
            let closed = SessionEvent::Closed(4000, "that was all".into());
            assert_eq!(read(&bytes, cut), Ok(Some(closed)), "{cut}");
        }
        assert_eq!(read(&bytes[..bytes.len() - 1], 3), Ok(None));
    }

    #[test]
    fn reasons_are_bounded_both_ways() {
        let long = "ж".repeat(1000);
        let Ok(Some(SessionEvent::Closed(1, reason))) = read(&close_capsule(1, &long), 100) else { panic!() };
        assert_eq!(reason.len(), 1024);
        for capsule in [in_data(CLOSE, b"abc"), in_data(CLOSE, &[b'x'; 1029])] {
            assert_eq!(read(&capsule, 7), Err(code::MESSAGE_ERROR));
        }
        assert_eq!(read(b"\x01\0", 1), Err(code::FRAME_UNEXPECTED));
        // Of a capsule that is skipped nothing is kept, however long it says it is.
        let mut endless = b"\0\xff\xff\xff\xff\xff\xff\xff\xff\x17\xff\xff\xff\xff\xff\xff\xff\xff".to_vec();
        endless.extend_from_slice(&[0; 10_000]);
        assert_eq!(read(&endless, 1000), Ok(None));
    }

    #[test]
    fn the_capsules_are_as_in_the_draft() {
        assert_eq!(drain_capsule(), [0, 5, 0x80, 0, 0x78, 0xae, 0]);
        assert_eq!(close_capsule(1001, "x"), [0, 8, 0x68, 0x43, 5, 0, 0, 3, 0xe9, b'x']);
    }
}
