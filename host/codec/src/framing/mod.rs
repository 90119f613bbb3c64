//! TCP framings: where in a stream of bytes a message begins and ends.

pub(crate) mod checked;
pub(crate) mod delimited;
pub(crate) mod headed;
pub(crate) mod length;
pub(crate) mod raw;
#[cfg(test)]
mod tests;
mod word;

use std::sync::Arc;

/// How a stream is cut into messages. `max` is the longest payload in bytes, both ways: a peer that claims or sends more is
/// refused ([`WireError::TooLong`](crate::WireError::TooLong)) before it is buffered, a message that is longer is not framed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// The length of the payload in bytes, then the payload.
    Length {
        /// How the length is written.
        prefix: Prefix,
        /// Longest payload in bytes.
        max: usize,
    },
    /// A line that ends with LF; a CR before the LF belongs to the end too. Outbound the end is LF alone, and a message that
    /// contains LF or ends with CR is not framed.
    Line {
        /// Longest payload in bytes, without the end of the line.
        max: usize,
    },
    /// A payload that ends with a sequence of bytes which it does not contain.
    Delimiter {
        /// At least one byte. An empty one would end no message.
        delimiter: Arc<[u8]>,
        /// Longest payload in bytes, without the delimiter.
        max: usize,
    },
    /// A header of 13 bytes, all big-endian, then the payload: magic `0x424d` (2 bytes), version 1 (1), kind (2; 1 is text, 2 is
    /// binary), length of the payload (4), CRC-32 of IEEE 802.3 over the nine bytes before it and the payload (4).
    Checked {
        /// Longest payload in bytes.
        max: usize,
    },
    /// Whatever has arrived, as it arrives. Text is cut between characters.
    Raw {
        /// Most bytes of one inbound message, at least 1, for text at least 4. Outbound a stream carries any length.
        max: usize,
    },
}

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// One byte.
    U8,
    /// Two bytes, most significant first.
    U16Be,
    /// Two bytes, least significant first.
    U16Le,
    /// Four bytes, most significant first.
    U32Be,
    /// Four bytes, least significant first.
    U32Le,
    /// Unsigned LEB128 as in Protocol Buffers: seven bits a byte, least significant first, the highest bit set on all bytes but
    /// the last. At most ten bytes, and no more than needed.
    Varint,
}
