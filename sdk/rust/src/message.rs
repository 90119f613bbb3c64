//! What a message offers to a plugin.

use crate::{Direction, Kind, Message, SessionId};
use serde::de::DeserializeOwned;

/// Names a message as long as its session lasts: what [`messaging::release`](crate::messaging::release) needs to find
/// a message that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The session that the message belongs to.
    pub session: SessionId,
    /// Which way it goes.
    pub direction: Direction,
    /// Its number, from 1, in that session and direction.
    pub sequence: u64,
}

impl Message {
    /// What names this message.
    pub fn id(&self) -> MessageId {
        MessageId { session: self.session, direction: self.direction, sequence: self.sequence }
    }

    /// The payload, whatever its kind.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload of a text message; `None` for a binary one, and for text that is not UTF-8 (a TCP listener with
    /// `kind = "text"` does not check it).
    pub fn text(&self) -> Option<&str> {
        match self.kind {
            Kind::Text => self.utf8(),
            Kind::Binary => None,
        }
    }

    /// The payload as text whatever its kind says, if it is UTF-8.
    pub fn utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok()
    }

    /// The payload read as JSON, whatever its kind.
    ///
    /// ```
    /// # use weir_sdk::{Message, Verdict};
    /// fn is_ping(message: &Message) -> bool {
    ///     message.json::<weir_sdk::serde_json::Value>().is_ok_and(|value| value["type"] == "ping")
    /// }
    /// ```
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.payload)
    }
}
