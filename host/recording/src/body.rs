//! Payloads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A payload, or how long one was that is not in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// `None`: it was left out.
    bytes: Option<Vec<u8>>,
    /// Bytes of the whole, before anything was redacted.
    size: u64,
}

impl Body {
    /// A payload as it was.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { size: bytes.len() as u64, bytes: Some(bytes) }
    }

    /// A payload that is not in the file.
    pub fn left_out(size: u64) -> Self {
        Self { bytes: None, size }
    }

    /// The same payload with something else in place of its secrets.
    #[must_use]
    pub fn with(&self, bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), size: self.size }
    }

    /// What is in the file of it; `None`: it was left out.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// Bytes of the whole, before anything was redacted.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// As it is in the file: text as such where the bytes are UTF-8, else base64 (RFC 4648, section 4).
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    size: u64,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (text, base64) = match self.bytes.as_deref().map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => (None, None),
            Some((_, Ok(text))) => (Some(text.to_owned()), None),
            Some((bytes, Err(_))) => (None, Some(STANDARD.encode(bytes))),
        };
        Written { text, base64, size: self.size }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { text, base64, size } = Written::deserialize(deserializer)?;
        let bytes = match (text, base64) {
            (Some(_), Some(_)) => return Err(D::Error::custom("a payload is text or base64, not both")),
            (Some(text), None) => Some(text.into_bytes()),
            (None, Some(base64)) => Some(STANDARD.decode(base64).map_err(D::Error::custom)?),
            (None, None) => None,
        };
        Ok(Self { bytes, size })
    }
}
