//! What a plugin decides, and what else it asks for.

use crate::id::SessionId;
use crate::message::{Direction, Kind};
use bytes::Bytes;
use std::sync::Arc;

/// Where a message can go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An upstream connection of the session to this cluster, by name.
    Cluster(Arc<str>),
    /// Every session in this group.
    Group(Arc<str>),
    /// One session.
    Session(SessionId),
    /// Back to its sender, through the outbound chain.
    Echo,
}

/// Why a session is closed: a code (RFC 6455, section 7.4, on every transport) and a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// 1000 to 1003, 1007 to 1014 or 3000 to 4999; see [`Rejection::new`].
    pub code: u16,
    /// At most 123 bytes, so that it fits a WebSocket close frame.
    pub reason: Box<str>,
}

impl Rejection {
    /// The most bytes that a reason can have (RFC 6455, section 5.5: control frames carry 125, the code takes two).
    pub const MAX_REASON: usize = 123;

    /// A rejection whose reason is cut at a character boundary to fit. A code that may not be sent (RFC 6455, section 7.4) becomes
    /// 1008, policy violation.
    pub fn new(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(Self::MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let code = if weir_codec::websocket::may_be_sent(code) { code } else { 1008 };
        Self { code, reason: reason[..end].into() }
    }
}

/// What a plugin decides on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on, perhaps changed, perhaps elsewhere.
    Forward(Forwarding),
    /// Consumed here; the reason is a short constant that is counted per plugin.
    Drop(Arc<str>),
    /// The session ends.
    Close(Rejection),
    /// Kept for at most this many milliseconds, until a release names it; then the binding's `on_failure` applies.
    Hold(u32),
}

impl Verdict {
    /// Whether the message goes on as it is, where it goes.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Forward(Forwarding { payload: None, route: None }))
    }

    /// Whether it puts what is not UTF-8 in the place of a payload.
    pub(crate) fn is_garbled_text(&self) -> bool {
        let Self::Forward(Forwarding { payload: Some(payload), .. }) = self else { return false };
        std::str::from_utf8(payload).is_err()
    }
}

/// How a message goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// `None`: the payload stays as it is.
    pub payload: Option<Bytes>,
    /// `None`: the listener's own route, or what an earlier plugin of the chain chose.
    pub route: Option<Target>,
}

/// What a plugin asked for beside its verdict. Applied in order when the call has returned, before the message in hand goes on; a
/// call that fails has no effects.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A message of the plugin's own. `Echo` means the session of the call in hand.
    Send {
        /// Where to.
        to: Target,
        /// Text must be valid UTF-8: otherwise the send is dropped and counted.
        kind: Kind,
        /// The bytes.
        payload: Bytes,
    },
    /// The verdict on a held message.
    Release {
        /// Whose message.
        session: SessionId,
        /// Which of the two sequences the number is of.
        direction: Direction,
        /// Which message.
        sequence: u64,
        /// What becomes of it; `Hold` holds it anew.
        verdict: Verdict,
    },
    /// The session receives what is published to the group from now on.
    Join {
        /// Who.
        session: SessionId,
        /// What.
        group: Arc<str>,
    },
    /// The opposite of `Join`.
    Leave {
        /// Who.
        session: SessionId,
        /// What.
        group: Arc<str>,
    },
    /// Sets an attribute of a session; `None` removes it.
    SetAttribute {
        /// Whose.
        session: SessionId,
        /// At most 64 bytes; names that begin with `weir.` are the gateway's own and cannot be set.
        name: Arc<str>,
        /// At most 1 KiB.
        value: Option<Arc<str>>,
    },
    /// Calls the binding's `on-timer` every so many milliseconds; 0 stops it.
    Every {
        /// The interval.
        milliseconds: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        assert_eq!(&*Rejection::new(1000, "short").reason, "short");
        assert_eq!(Rejection::new(1000, &"x".repeat(124)).reason.len(), 123);
        // The 123rd byte is the first of two.
        assert_eq!(Rejection::new(1000, &format!("{}üü", "x".repeat(122))).reason.len(), 122);
        assert_eq!(Rejection::new(1000, &"😀".repeat(40)).reason.len(), 120);
    }

    #[test]
    fn a_code_that_may_not_be_sent_becomes_another() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(Rejection::new(code, "").code, 1008);
        }
        for code in [1000, 1001, 1013, 3000, 4999] {
            assert_eq!(Rejection::new(code, "").code, code);
        }
    }
}
