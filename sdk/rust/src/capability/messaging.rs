//! Messages that a plugin sends of its own, and the release of those it holds. A capability: `messaging`.

use super::host::messaging;
use crate::{Kind, MessageId, Target, Verdict};

/// Sends a text message. An effect: it leaves when the call has returned, before the message in hand goes on.
///
/// [`Target::Echo`] means the session of the call in hand. What is sent to a client passes the outbound chain.
pub fn send_text(to: impl Into<Target>, text: impl AsRef<str>) {
    send(&to.into(), Kind::Text, text.as_ref().as_bytes());
}

/// Sends a binary message. An effect, as [`send_text`].
pub fn send_binary(to: impl Into<Target>, payload: impl AsRef<[u8]>) {
    send(&to.into(), Kind::Binary, payload.as_ref());
}

/// Sends a message of the given kind. An effect, as [`send_text`].
pub fn send(to: &Target, kind: Kind, payload: &[u8]) {
    messaging::send(to, kind, payload);
}

/// The verdict on a message of any session that this binding holds. An effect.
pub fn release(message: MessageId, verdict: &Verdict) {
    messaging::release(message.session, message.direction, message.sequence, verdict);
}
