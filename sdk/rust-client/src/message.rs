//! Messages of the application.

use bytes::Bytes;

/// A whole message, to or from the gateway. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    payload: Bytes,
    kind: Kind,
}

/// Whether a message is text, which is valid UTF-8, or bytes. On framed TCP what arrives is always [`Kind::Binary`]: the
/// frames do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self { payload: Bytes::from(text.into()), kind: Kind::Text }
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { payload: bytes.into(), kind: Kind::Binary }
    }

    /// Bytes that are known to be UTF-8.
    pub(crate) fn from_text_bytes(payload: Bytes) -> Self {
        Self { payload, kind: Kind::Text }
    }

    /// Its bytes.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Its bytes, without a copy.
    pub fn into_payload(self) -> Bytes {
        self.payload
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// It as text, if its bytes are UTF-8, whatever its kind.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::binary(bytes)
    }
}
