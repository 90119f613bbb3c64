//! Frame headers of a peer (RFC 6455, section 5.2).

use super::{Limits, Role, deflate};
use crate::WireError;

/// Two bytes, eight of length, four of mask.
pub(crate) const LONGEST: usize = 14;

/// RFC 6455, section 11.8; with the numbers of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    const fn from_wire(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A header that has passed all checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    /// Of a compressed message.
    pub(crate) compressed: bool,
    /// Present if, and only if, the peer is a client.
    pub(crate) mask: Option<[u8; 4]>,
    /// Of the payload, in bytes; within the limit, together with the fragments before it. Of a compressed message that says little
    /// of how long it is, and is bounded all the same.
    pub(crate) length: usize,
    /// Of the header, in bytes.
    pub(crate) size: usize,
}

/// A message of which not all fragments have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) fragments: usize,
    /// Bytes of the fragments.
    pub(crate) length: usize,
    pub(crate) compressed: bool,
}

/// Reads the header at the beginning of `bytes`, which may be cut short anywhere and may go on with the payload. Refuses what can
/// be refused already, in the order of the bytes: so it does not matter how they were cut. `deflating`: compression was agreed to.
#[inline]
pub(crate) fn parse(
    bytes: &[u8],
    role: Role,
    limits: &Limits,
    begun: Option<Begun>,
    deflating: bool,
) -> Result<Option<Header>, WireError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let fin = first & 0x80 != 0;
    // Section 5.2: without an extension that gives them a meaning, the reserved bits and opcodes fail the connection.
    if first & 0x30 != 0 || (first & 0x40 != 0 && !deflating) {
        return Err(WireError::WebSocket("reserved bit is set"));
    }
    let Some(opcode) = Opcode::from_wire(first & 0x0f) else {
        return Err(WireError::WebSocket("reserved opcode"));
    };
    let compressed = first & 0x40 != 0;
    // RFC 7692, section 6.1: the first frame of a message says it, for all of them; control frames are never compressed.
    if compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(WireError::WebSocket("compressed frame that does not begin a message"));
    }
    match (opcode, begun) {
        // Section 5.5.
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) if !fin => {
            return Err(WireError::WebSocket("control frame is fragmented"));
        }
        // Section 5.4.
        (Opcode::Continuation, None) => return Err(WireError::WebSocket("continuation of no message")),
        (Opcode::Text | Opcode::Binary, Some(_)) => {
            return Err(WireError::WebSocket("message begins before the last one has ended"));
        }
        (Opcode::Continuation, Some(begun)) if begun.fragments >= limits.fragments => {
            return Err(WireError::TooManyFragments { limit: limits.fragments });
        }
        _ => {}
    }

    let Some(&second) = bytes.get(1) else { return Ok(None) };
    let masked = second & 0x80 != 0;
    // Section 5.1.
    match (role, masked) {
        (Role::Server, false) => return Err(WireError::WebSocket("frame of a client is not masked")),
        (Role::Client, true) => return Err(WireError::WebSocket("frame of a server is masked")),
        _ => {}
    }
    let short = second & 0x7f;
    if opcode.is_control() && short > 125 {
        // Section 5.5.
        return Err(WireError::WebSocket("control frame is longer than 125 bytes"));
    }
    if opcode == Opcode::Close && short == 1 {
        // Section 5.5.1: the first two bytes are the code.
        return Err(WireError::WebSocket("close frame with half a code"));
    }
    let (size, claimed, least) = match short {
        126 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
            Some(length) => (4, u64::from(u16::from_be_bytes(*length)), 126),
            None => return Ok(None),
        },
        127 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
            Some(length) => (10, u64::from_be_bytes(*length), 0x1_0000),
            None => return Ok(None),
        },
        _ => (2, u64::from(short), 0),
    };
    // Section 5.2: the least number of bytes.
    if claimed < least {
        return Err(WireError::WebSocket("length is written with more bytes than it needs"));
    }
    let before = if opcode.is_control() { 0 } else { begun.map_or(0, |begun| begun.length) };
    let message = claimed.saturating_add(before as u64);
    let compressed =
        compressed || (opcode == Opcode::Continuation && begun.is_some_and(|begun| begun.compressed));
    let longest = if compressed { deflate::longest(limits.message) } else { limits.message };
    if !opcode.is_control() && message > longest as u64 {
        return Err(WireError::TooLong { claimed: message, limit: limits.message });
    }
    // Section 5.2. After the limit, because a peer that claims so much is told that it is too much, as for any other length.
    let Ok(length) = usize::try_from(claimed & !(1 << 63)) else {
        return Err(WireError::TooLong { claimed: message, limit: limits.message });
    };
    if claimed >> 63 != 0 {
        return Err(WireError::WebSocket("highest bit of the length is set"));
    }
    if !masked {
        return Ok(Some(Header { fin, opcode, compressed, mask: None, length, size }));
    }
    let Some(&mask) = bytes.get(size..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    Ok(Some(Header { fin, opcode, compressed, mask: Some(mask), length, size: size + 4 }))
}
