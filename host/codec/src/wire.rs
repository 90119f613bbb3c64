//! How a message becomes a frame.

use crate::framing::{checked, delimited, length};
use crate::websocket::deflate::Window;
use crate::websocket::{Role, encode, mask};
use crate::{EncodeError, Framing, Kind};
use bytes::BytesMut;
use std::sync::Arc;

/// A wire format as its sender knows it. Two connections of equal formats that are [shareable](Self::is_shareable) take the same
/// bytes for the same message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// A stream with one of the TCP framings.
    Framed(Arc<Framing>),
    /// RFC 6455: one unfragmented frame a message.
    WebSocket {
        /// This end's.
        role: Role,
    },
    /// The same, of a server that agreed to permessage-deflate (RFC 7692). Messages may be sent compressed, and need not be: what
    /// is not worth it, [`encode`](Self::encode) frames as it is.
    DeflateWebSocket {
        /// For the [`Deflater`](crate::websocket::deflate::Deflater).
        window: Window,
    },
    /// The payload is the datagram. How long it may be is the transport's to say.
    Datagram,
}

impl Wire {
    /// Appends the frame of one message. Text must be UTF-8, as [`Kind`] promises: it is not checked again. `mask` must be
    /// unpredictable, and is used by the WebSocket client alone (RFC 6455, section 5.3).
    ///
    /// # Errors
    /// The format cannot carry the message. Nothing is appended.
    pub fn encode(
        &self,
        kind: Kind,
        payload: &[u8],
        mask: [u8; 4],
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let masking = matches!(self, Self::WebSocket { role: Role::Client });
        let mut head = Head::default();
        let tail = self.around(kind, payload, masking.then_some(mask), &mut head)?;
        let head = head.as_bytes();
        out.reserve(head.len() + payload.len() + tail.len());
        out.extend_from_slice(head);
        let start = out.len();
        out.extend_from_slice(payload);
        if masking {
            mask::apply(&mut out[start..], mask, 0);
        }
        out.extend_from_slice(tail);
        Ok(())
    }

    /// What stands before and after the payload, which can then be sent by reference. `None` where the payload has to be
    /// rewritten, which is the WebSocket client's way: use [`encode`](Self::encode).
    ///
    /// # Errors
    /// As `encode`.
    pub fn envelope(&self, kind: Kind, payload: &[u8]) -> Result<Option<Envelope<'_>>, EncodeError> {
        if !self.is_shareable() {
            return Ok(None);
        }
        let mut head = Head::default();
        let tail = self.around(kind, payload, None, &mut head)?;
        Ok(Some(Envelope { head, tail }))
    }

    /// Which end of a WebSocket this is; `None`: it is none.
    pub const fn websocket(&self) -> Option<Role> {
        match self {
            Self::WebSocket { role } => Some(*role),
            Self::DeflateWebSocket { .. } => Some(Role::Server),
            Self::Framed(_) | Self::Datagram => None,
        }
    }

    /// Whether the frame of a message is the same for all receivers, which a masked one is not.
    pub const fn is_shareable(&self) -> bool {
        !matches!(self, Self::WebSocket { role: Role::Client })
    }

    /// Writes what stands before the payload, gives what stands after it.
    fn around(
        &self,
        kind: Kind,
        payload: &[u8],
        mask: Option<[u8; 4]>,
        head: &mut Head,
    ) -> Result<&[u8], EncodeError> {
        let framing = match self {
            Self::Framed(framing) => framing,
            Self::WebSocket { .. } | Self::DeflateWebSocket { .. } => {
                encode::head(encode::opcode(kind), payload.len(), mask, head);
                return Ok(&[]);
            }
            Self::Datagram => return Ok(&[]),
        };
        match &**framing {
            Framing::Length { prefix, max } => length::head(*prefix, *max, payload.len(), head)?,
            Framing::Checked { max } => checked::head(*max, kind, payload, head)?,
            Framing::Line { max } => {
                delimited::check_line(*max, payload)?;
                return Ok(b"\n");
            }
            Framing::Delimiter { delimiter, max } => {
                delimited::check_delimited(*max, delimiter, payload)?;
                return Ok(delimiter);
            }
            Framing::Raw { .. } if payload.is_empty() => return Err(EncodeError::Empty),
            Framing::Raw { .. } => {}
        }
        Ok(&[])
    }
}

/// What stands around a payload on the wire.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    head: Head,
    tail: &'a [u8],
}

impl Envelope<'_> {
    /// Before the payload: at most 14 bytes, none for some formats.
    pub fn head(&self) -> &[u8] {
        self.head.as_bytes()
    }

    /// After the payload: as long as the delimiter, and none for most formats.
    pub const fn tail(&self) -> &[u8] {
        self.tail
    }
}

/// A header, in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    bytes: [u8; 14],
    length: u8,
}

impl Head {
    #[inline]
    pub(crate) fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        let start = usize::from(self.length);
        self.bytes[start..start + N].copy_from_slice(&bytes);
        self.length += N as u8;
    }

    /// Sets bits of the first byte.
    pub(crate) const fn set_first(&mut self, bits: u8) {
        self.bytes[0] |= bits;
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}
