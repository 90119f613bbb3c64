//! A whole application unit on its way through the gateway.

use crate::id::{Lane, SessionId};
pub use weir_codec::{Kind, Payload};

/// Which way a message goes: from the client into the gateway, or out to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the words that the type explains")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// How the client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "names of transports")]
pub enum Transport {
    Tcp,
    WebSocket,
    Quic,
    WebTransport,
}

impl Transport {
    /// Whether a connection has several ordered ways inside, and asks by itself whether its peer is there (RFC 9000).
    pub(crate) const fn has_lanes(self) -> bool {
        matches!(self, Self::Quic | Self::WebTransport)
    }

    /// The word for logs, metrics and the attribute `weir.transport`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::WebSocket => "websocket",
            Self::Quic => "quic",
            Self::WebTransport => "webtransport",
        }
    }
}

/// A message and where it came from.
#[derive(Debug)]
pub struct Message<'a> {
    /// The session whose client sent it (inbound) or will receive it (outbound).
    pub session: SessionId,
    /// From 1, per session and direction, in the order in which messages were accepted.
    pub sequence: u64,
    /// Inbound or outbound.
    pub direction: Direction,
    /// Text is valid UTF-8, always.
    pub kind: Kind,
    /// The bytes, as a view where nothing needs them for longer than the call.
    pub payload: Payload<'a>,
    /// Where it came in, or where it must go out; `None` outbound: the first open lane.
    pub lane: Option<Lane>,
    /// How many plugin sends led to it; see [`MAX_HOPS`](crate::MAX_HOPS).
    pub hops: u8,
    /// Outbound: its source stops sending while the receiver's queue is full, so it is never refused for that.
    pub pressed: bool,
}
