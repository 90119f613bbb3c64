//! What is shown of messages, validated.

use crate::listener::Pointer;

/// What `weir tap` may show of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tap {
    /// No payload is shown.
    pub hides_payload: bool,
    /// Values in JSON payloads that are not shown; `*` is every member or item.
    pub redact: Vec<Pointer>,
}
