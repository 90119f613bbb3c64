//! Whose fault it was, and what a peer is told.

/// A peer's bytes that break its protocol. The connection cannot go on: what follows cannot be trusted to begin at a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Claimed or grown beyond the limit; found before anything of that size was allocated. Close code 1009.
    #[error("message of {claimed} bytes or more, the limit is {limit}")]
    TooLong {
        /// What the frame claims, or what has arrived, whichever was known first.
        claimed: u64,
        /// The limit of the listener or cluster.
        limit: usize,
    },
    /// Close code 1009.
    #[error("more than {limit} fragments in a message")]
    TooManyFragments {
        /// The limit of the listener or cluster.
        limit: usize,
    },
    /// Close code 1007.
    #[error("text that is not UTF-8")]
    InvalidUtf8,
    /// Close code 1002.
    #[error("checked frame begins with {found:#06x}, not 0x424d")]
    BadMagic {
        /// What stood there.
        found: u16,
    },
    /// Close code 1002.
    #[error("checked frame of version {found}, this gateway speaks 1")]
    BadVersion {
        /// What stood there.
        found: u8,
    },
    /// Close code 1002.
    #[error("checked frame of kind {found}, this gateway knows 1 (text) and 2 (binary)")]
    BadKind {
        /// What stood there.
        found: u16,
    },
    /// Close code 1002.
    #[error("checked frame's CRC-32 is {found:#010x}, its bytes give {computed:#010x}")]
    BadChecksum {
        /// What stood there.
        found: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// A length prefix that no sender of this framing would write. Close code 1002.
    #[error("length prefix is not a valid varint")]
    BadLength,
    /// The peer ended in the middle of a frame or of a fragmented message. Nobody is left to be told a code.
    #[error("connection ended in the middle of a frame")]
    Truncated,
    /// RFC 6455 broken; the text says which rule. Close code 1002.
    #[error("WebSocket: {0}")]
    WebSocket(&'static str),
    /// RFC 9114 broken, or what is built on it; the text says which rule. The connection is closed with HTTP/3's own code; where a
    /// session is told, close code 1002.
    #[error("HTTP/3: {0}")]
    Http3(&'static str),
}

impl WireError {
    /// The close code (RFC 6455, section 7.4.1) that tells the peer.
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::TooLong { .. } | Self::TooManyFragments { .. } => 1009,
            Self::InvalidUtf8 => 1007,
            _ => 1002,
        }
    }
}

/// A message that a wire format cannot carry. The message is dropped, the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// More bytes than the framing's maximum, or than its prefix can count.
    #[error("message of {length} bytes, the framing carries {limit}")]
    TooLong {
        /// Of the message.
        length: usize,
        /// Of the framing.
        limit: usize,
    },
    /// The message contains what ends a frame of this framing.
    #[error("message contains the framing's delimiter")]
    ContainsDelimiter,
    /// A raw stream has nothing to show that an empty message was there.
    #[error("an empty message is nothing on a raw stream")]
    Empty,
}
