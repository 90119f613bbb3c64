//! What comes out of a decoder.

use crate::websocket::deflate::Compressed;
use bytes::Bytes;

/// Whether a message is text, which is valid UTF-8 always, or anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the words that the type explains")]
pub enum Kind {
    Text,
    Binary,
}

/// Bytes of a message: a view of what was read, or a buffer of its own where it was put together from parts.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// Valid until the next read.
    Borrowed(&'a [u8]),
    /// Shared by reference.
    Owned(Bytes),
}

impl Payload<'_> {
    /// The bytes as they can be kept: copied only if they are a view.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Owned(bytes) => bytes,
        }
    }

    pub(crate) fn into_owned(self) -> Payload<'static> {
        Payload::Owned(self.into_bytes())
    }
}

impl std::ops::Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// One thing that the peer said.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A whole message.
    Message {
        /// Text only if it is valid UTF-8.
        kind: Kind,
        /// Unmasked, and put together from its fragments.
        payload: Payload<'a>,
    },
    /// A whole message that is yet to be inflated; only where [compression was agreed to](crate::Decoder::deflate_websocket).
    Compressed(Compressed<'a>),
    /// RFC 6455, section 5.5.2: to be answered with a pong of the same payload, at most 125 bytes.
    Ping(Payload<'a>),
    /// RFC 6455, section 5.5.3.
    Pong(Payload<'a>),
    /// RFC 6455, section 5.5.1: code and reason, if the frame had them. Nothing that follows is decoded.
    Close(Option<(u16, Box<str>)>),
}

impl Event<'_> {
    /// The same, as it can be kept.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Message { kind, payload } => Event::Message { kind, payload: payload.into_owned() },
            Self::Compressed(message) => Event::Compressed(message.into_owned()),
            Self::Ping(payload) => Event::Ping(payload.into_owned()),
            Self::Pong(payload) => Event::Pong(payload.into_owned()),
            Self::Close(said) => Event::Close(said),
        }
    }
}

/// What [`Decoder::decode`](crate::Decoder::decode) made of the bytes it was offered.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// How many of the bytes are dealt with. All of them when there is no event.
    pub consumed: usize,
    /// `None`: more bytes are needed.
    pub event: Option<Event<'a>>,
}

impl<'a> Decoded<'a> {
    pub(crate) const fn more(consumed: usize) -> Self {
        Self { consumed, event: None }
    }

    pub(crate) const fn message(consumed: usize, kind: Kind, payload: Payload<'a>) -> Self {
        Self { consumed, event: Some(Event::Message { kind, payload }) }
    }
}
