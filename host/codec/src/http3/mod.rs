//! HTTP/3 (RFC 9114) as far as a server of WebTransport needs it: what a client's streams begin with, its settings, its requests, and
//! the capsules (RFC 9297) of a session.
//!
//! Everything is held to a limit before it is kept. The dynamic table of QPACK is off: it is announced with no room (RFC 9204, section
//! 3.2.3), so what clients send can be decoded by itself.

mod control;
mod fields;
mod head;
mod record;
mod request;
mod session;
mod varint;

pub use control::{Control, settings};
pub use head::{Head, Headed};
pub use request::{Asked, Request, response};
pub use session::{SessionEvent, SessionStream, close_capsule, drain_capsule};

/// A rule that the client broke, for which the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HTTP/3: {rule}")]
pub struct Fault {
    /// For the `CONNECTION_CLOSE` frame; see [`code`].
    pub code: u64,
    /// Which rule.
    pub rule: &'static str,
}

impl Fault {
    const fn new(code: u64, rule: &'static str) -> Self {
        Self { code, rule }
    }
}

/// Error codes (RFC 9114, section 8.1; RFC 9204, section 6; RFC 9297, section 5.2; draft-ietf-webtrans-http3, section 9.5).
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub mod code {
    pub const DATAGRAM_ERROR: u64 = 0x33;
    pub const NO_ERROR: u64 = 0x100;
    pub const STREAM_CREATION_ERROR: u64 = 0x103;
    pub const CLOSED_CRITICAL_STREAM: u64 = 0x104;
    pub const FRAME_UNEXPECTED: u64 = 0x105;
    pub const FRAME_ERROR: u64 = 0x106;
    pub const EXCESSIVE_LOAD: u64 = 0x107;
    pub const ID_ERROR: u64 = 0x108;
    pub const SETTINGS_ERROR: u64 = 0x109;
    pub const MISSING_SETTINGS: u64 = 0x10a;
    pub const REQUEST_CANCELLED: u64 = 0x10c;
    pub const MESSAGE_ERROR: u64 = 0x10e;
    pub const DECOMPRESSION_FAILED: u64 = 0x200;
    /// A stream of a session that is not there.
    pub const BUFFERED_STREAM_REJECTED: u64 = 0x3994_bd84;
    /// The application code 0 of a WebTransport stream, as HTTP/3 carries it.
    pub const FIRST_APPLICATION_CODE: u64 = 0x52e4_a40f_a8db;
}

/// Types of unidirectional streams (RFC 9114, section 6.2; RFC 9204, section 4.2; draft-ietf-webtrans-http3, section 4.2).
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub mod stream {
    pub const CONTROL: u64 = 0x00;
    pub const PUSH: u64 = 0x01;
    pub const QPACK_ENCODER: u64 = 0x02;
    pub const QPACK_DECODER: u64 = 0x03;
    pub const WEBTRANSPORT: u64 = 0x54;
}

/// Types of frames (RFC 9114, section 7.2; draft-ietf-webtrans-http3, section 4.3).
mod frame {
    pub(super) const DATA: u64 = 0x00;
    pub(super) const HEADERS: u64 = 0x01;
    pub(super) const CANCEL_PUSH: u64 = 0x03;
    pub(super) const SETTINGS: u64 = 0x04;
    pub(super) const PUSH_PROMISE: u64 = 0x05;
    pub(super) const GOAWAY: u64 = 0x07;
    pub(super) const MAX_PUSH_ID: u64 = 0x0d;
    pub(super) const WEBTRANSPORT_STREAM: u64 = 0x41;

    /// Those that HTTP/2 had and HTTP/3 has not (RFC 9114, section 7.2.8).
    pub(super) const fn is_of_http2(kind: u64) -> bool {
        matches!(kind, 0x02 | 0x06 | 0x08 | 0x09)
    }
}

/// A `GOAWAY` frame that says that the connection is going to end. It names the highest stream that there can be, so that no client takes
/// one that it has open for one that is not looked at (RFC 9114, section 5.2).
pub fn goaway() -> Vec<u8> {
    let mut id = Vec::new();
    varint::encode(varint::MAX - 3, &mut id);
    let mut out = Vec::new();
    record::encode(frame::GOAWAY, &id, &mut out);
    out
}

/// A datagram's payload and the session that it is of (RFC 9297, section 2.1).
///
/// # Errors
/// It does not begin with a quarter stream id.
pub fn datagram(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let broken = Fault::new(code::DATAGRAM_ERROR, "a datagram has no quarter stream id");
    let (quarter, length) = varint::decode(bytes).ok_or(broken)?;
    let session = quarter.checked_mul(4).filter(|id| *id <= varint::MAX).ok_or(broken)?;
    Ok((session, &bytes[length..]))
}

/// What a session's datagrams begin with.
pub fn datagram_prefix(session: u64) -> Vec<u8> {
    let mut prefix = Vec::new();
    varint::encode(session / 4, &mut prefix);
    prefix
}

/// How many bytes are still needed to know a stream's type, and the type when it is known.
///
/// # Errors
/// How many bytes to read.
pub fn stream_type(bytes: &[u8]) -> Result<u64, usize> {
    match (varint::decode(bytes), bytes.first()) {
        (Some((kind, _)), _) => Ok(kind),
        (None, None) => Err(1),
        (None, Some(first)) => Err(varint::length(*first) - bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_names_its_session() {
        assert_eq!(datagram(b"\x01abc"), Ok((4, &b"abc"[..])));
        assert_eq!(datagram(b"\0"), Ok((0, &b""[..])));
        assert_eq!(datagram_prefix(4), [1]);
        for broken in [&b""[..], b"\x40", &[0xff; 8]] {
            assert_eq!(datagram(broken).unwrap_err().code, code::DATAGRAM_ERROR, "{broken:?}");
        }
    }

    #[test]
    fn a_streams_type_is_asked_for_byte_by_byte() {
        assert_eq!(stream_type(b""), Err(1));
        assert_eq!(stream_type(b"\x40"), Err(1));
        assert_eq!(stream_type(b"\x40\x54"), Ok(stream::WEBTRANSPORT));
        assert_eq!(stream_type(b"\xc0\0"), Err(6));
    }

    #[test]
    fn goaway_is_as_in_the_rfc() {
        assert_eq!(goaway(), [7, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc]);
    }
}
