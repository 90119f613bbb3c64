//! Messages that are compressed on the wire (RFC 7692): inflated when they come, compressed when they go.

use super::{Flow, Worker};
use crate::id::{ConnId, Lane};
use crate::message::Kind;
use crate::reason::DropReason;
use bytes::{Bytes, BytesMut};
use weir_codec::Wire;
use weir_codec::websocket::deflate::{Compressed, Deflater};
use weir_codec::websocket::encode_compressed;

/// A frame that all receivers of a wire format share.
#[derive(Debug)]
pub(crate) struct SharedFrame {
    pub(crate) bytes: Bytes,
    /// The length of its payload, if that is compressed.
    pub(crate) compressed: Option<usize>,
}

impl Worker {
    /// A whole message came from the peer of a session, compressed. It is inflated, unless nothing is taken from this peer any more,
    /// and is [`received`](Self::received) then. Gives how many bytes that came to, for the caller's budget: they are work that the
    /// length of what was read does not show.
    pub fn received_compressed(&mut self, id: ConnId, lane: Lane, message: &Compressed<'_>) -> (usize, Flow) {
        if self.state.flow(id) == Flow::Stop {
            return (0, Flow::Stop);
        }
        let payload = match self.inflater.inflate(message) {
            Ok(payload) => payload,
            Err(error) => return (0, self.broken(id, &error)),
        };
        let length = payload.len();
        if let Some(session) = self.state.conns.get(id).and_then(|conn| conn.session()) {
            let stats = &self.state.stats.listeners[session.listener.index()];
            stats.inflated.add(message.length(), length);
        }
        self.state.received(&self.snapshot, id, lane, message.kind(), payload);
        self.state.run(&self.snapshot);
        (length, self.state.flow(id))
    }
}

/// Frames a message for all receivers of one wire format, compressed where they agreed to that and it is worth it.
pub(crate) fn share(
    deflater: &mut Deflater,
    wire: &Wire,
    kind: Kind,
    payload: &[u8],
) -> Result<SharedFrame, DropReason> {
    let mut frame = BytesMut::new();
    if let Wire::DeflateWebSocket { window } = wire
        && let Some(deflated) = deflater.deflate(*window, payload)
    {
        encode_compressed(kind, &deflated, &mut frame);
        return Ok(SharedFrame { bytes: frame.freeze(), compressed: Some(deflated.len()) });
    }
    wire.encode(kind, payload, [0; 4], &mut frame).map_err(|error| DropReason::from(&error))?;
    Ok(SharedFrame { bytes: frame.freeze(), compressed: None })
}
