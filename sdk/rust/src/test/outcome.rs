//! What came of a call.

use crate::{Kind, MessageId, Rejection, SessionId, Target, Verdict, log::Level};
use std::ops::Deref;

/// What a plugin asked for, as the gateway would carry it out after the call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// `messaging::send…`
    Send {
        /// Where to.
        to: Target,
        /// Text or binary.
        kind: Kind,
        /// What is sent.
        payload: Vec<u8>,
    },
    /// `messaging::release`
    Release {
        /// Which message.
        message: MessageId,
        /// What becomes of it.
        verdict: Verdict,
    },
    /// `groups::join`
    Join {
        /// Who joins.
        session: SessionId,
        /// Which group.
        group: String,
    },
    /// `groups::leave`
    Leave {
        /// Who leaves.
        session: SessionId,
        /// Which group.
        group: String,
    },
    /// `attributes::set`, or `attributes::remove` where there is no value
    Attribute {
        /// Whose attribute.
        session: SessionId,
        /// Its name.
        name: String,
        /// Its new value; `None`: removed.
        value: Option<String>,
    },
}

impl Effect {
    /// The text of a message that was sent, if this is one.
    pub fn sent_text(&self) -> Option<&str> {
        match self {
            Self::Send { kind: Kind::Text, payload, .. } => std::str::from_utf8(payload).ok(),
            _ => None,
        }
    }
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: Level,
    /// Its text.
    pub text: String,
}

/// What came of a call: what the plugin returned, and what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome<T> {
    /// What the plugin returned. The outcome also dereferences to it.
    pub returned: T,
    /// What it asked for, in that order.
    pub effects: Vec<Effect>,
    /// What it logged, in that order.
    pub logs: Vec<LogLine>,
}

impl<T> Deref for Outcome<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.returned
    }
}

impl Outcome<Verdict> {
    /// The verdict.
    pub fn verdict(&self) -> &Verdict {
        &self.returned
    }

    /// The new payload of a message that goes on changed.
    pub fn new_payload(&self) -> Option<&[u8]> {
        match &self.returned {
            Verdict::Forward(forwarding) => forwarding.payload.as_deref(),
            _ => None,
        }
    }

    /// The new payload of a message that goes on changed, as text.
    pub fn new_text(&self) -> Option<&str> {
        self.new_payload().map(|payload| std::str::from_utf8(payload).expect("the new payload is not UTF-8"))
    }
}

impl Outcome<Result<(), Rejection>> {
    /// Whether the session may go on.
    pub fn accepted(&self) -> bool {
        self.returned.is_ok()
    }
}
