//! One decoder for all protocols.

use crate::framing::checked::CheckedHeader;
use crate::framing::delimited::{Delimited, End};
use crate::framing::headed::Headed;
use crate::framing::length::LengthHeader;
use crate::framing::raw::Raw;
use crate::websocket;
use crate::{Decoded, Framing, Kind, Payload, WireError};
use std::sync::Arc;

/// Turns what a peer sends into [`Event`](crate::Event)s: one for each connection, or for each lane of one that has several.
///
/// # Contract
/// Offer what has arrived to [`decode`](Self::decode), then what it did not consume, until there is no event or nothing is left.
/// Without an event everything was consumed: the rest of the frame comes with the next read. When the peer sends no more, call
/// [`finish`](Self::finish). After an error the connection cannot go on, and what the decoder says is of no use; it does not panic.
///
/// Between frames it owns no memory but itself. In the middle of a frame it holds what has arrived of it: its buffer at most doubles
/// what is there, and at most reaches the limit and a header.
#[derive(Debug)]
pub struct Decoder(Protocol);

#[derive(Debug)]
enum Protocol {
    Length(Headed<LengthHeader>),
    Checked(Headed<CheckedHeader>),
    Delimited(Delimited),
    Raw(Raw),
    Datagrams(Kind),
    WebSocket(websocket::decoder::Decoder),
}

impl Decoder {
    /// For a stream with one of the TCP framings. All its messages are of `kind`, except that checked frames say their own; text
    /// that is not UTF-8 is refused.
    pub fn framed(framing: &Framing, kind: Kind) -> Self {
        Self(match *framing {
            Framing::Length { prefix, max } => {
                Protocol::Length(Headed::new(LengthHeader { prefix, max, kind }))
            }
            Framing::Checked { max } => Protocol::Checked(Headed::new(CheckedHeader { max })),
            Framing::Line { max } => Protocol::Delimited(Delimited::new(End::Line, max, kind)),
            Framing::Delimiter { ref delimiter, max } => {
                Protocol::Delimited(Delimited::new(End::Delimiter(Arc::clone(delimiter)), max, kind))
            }
            Framing::Raw { max } => Protocol::Raw(Raw::new(max, kind)),
        })
    }

    /// For a stream after the WebSocket handshake. `role` is this end's.
    pub const fn websocket(role: websocket::Role, limits: websocket::Limits) -> Self {
        Self(Protocol::WebSocket(websocket::decoder::Decoder::new(role, limits, false)))
    }

    /// For a stream after a handshake that agreed to permessage-deflate. `limits` are of messages as they were before they were
    /// compressed.
    pub const fn deflate_websocket(role: websocket::Role, limits: websocket::Limits) -> Self {
        Self(Protocol::WebSocket(websocket::decoder::Decoder::new(role, limits, true)))
    }

    /// For datagrams: each slice that is offered is one whole message, an empty one too.
    pub const fn datagrams(kind: Kind) -> Self {
        Self(Protocol::Datagrams(kind))
    }

    /// Takes bytes that arrived, up to the first event. They are changed in place, for WebSocket payloads are masked.
    ///
    /// A payload is a view of `input` when the whole frame is in it, and is put together in a buffer of its own otherwise.
    ///
    /// # Errors
    /// The peer broke its protocol or a limit. A header is refused as soon as the byte that shows it has arrived, and so is WebSocket
    /// text; a checksum, and the text of a TCP framing, when the frame is whole. How the bytes were cut into reads does not matter.
    pub fn decode<'a>(&mut self, input: &'a mut [u8]) -> Result<Decoded<'a>, WireError> {
        match &mut self.0 {
            Protocol::Length(frames) => frames.decode(input),
            Protocol::Checked(frames) => frames.decode(input),
            Protocol::Delimited(frames) => frames.decode(input),
            Protocol::Raw(stream) => stream.decode(input),
            Protocol::WebSocket(frames) => frames.decode(input),
            &mut Protocol::Datagrams(kind) => {
                if kind == Kind::Text {
                    crate::utf8::check(input)?;
                }
                Ok(Decoded::message(input.len(), kind, Payload::Borrowed(input)))
            }
        }
    }

    /// The peer will send no more.
    ///
    /// # Errors
    /// [`WireError::Truncated`] in the middle of a frame, of a line without its end or of a fragmented message.
    pub fn finish(&mut self) -> Result<(), WireError> {
        if self.is_idle() { Ok(()) } else { Err(WireError::Truncated) }
    }

    /// Whether it is between frames, and for WebSocket between messages: nothing is buffered.
    pub const fn is_idle(&self) -> bool {
        match &self.0 {
            Protocol::Length(frames) => frames.is_idle(),
            Protocol::Checked(frames) => frames.is_idle(),
            Protocol::Delimited(frames) => frames.is_idle(),
            Protocol::Raw(stream) => stream.is_idle(),
            Protocol::Datagrams(_) => true,
            Protocol::WebSocket(frames) => frames.is_idle(),
        }
    }

    /// Bytes of memory that it holds besides itself; 0 when idle.
    pub fn buffered(&self) -> usize {
        match &self.0 {
            Protocol::Length(frames) => frames.buffered(),
            Protocol::Checked(frames) => frames.buffered(),
            Protocol::Delimited(frames) => frames.buffered(),
            Protocol::Raw(_) | Protocol::Datagrams(_) => 0,
            Protocol::WebSocket(frames) => frames.buffered(),
        }
    }
}
