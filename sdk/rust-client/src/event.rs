//! What a client tells.

use crate::{Error, Message, ResumePoint};
use std::time::Duration;

/// What happened, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Connected: for the first time, or again.
    Open(Opened),
    /// A message of the application.
    Message(Message),
    /// The connection is lost, or could not be made. The client tries again by itself after `delay`.
    Reconnecting {
        /// Until the next attempt.
        delay: Duration,
        /// Attempts since a connection lasted.
        attempt: u32,
        /// Why there is no connection.
        cause: Error,
    },
    /// The last event: the client will not come back.
    Closed(Closed),
}

/// A connection, and what it is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Whether the gateway would give the session back after a loss. If not, nothing below is known of it.
    pub resumable: bool,
    /// Whether the session is the former one and nothing is missing.
    pub resumed: bool,
    /// Why it is not, if one was asked for: `missed`, `expired` or `unknown`.
    pub reason: Option<String>,
    /// With `missed`: how many messages to this client are gone. Attributes and groups are as they were.
    pub missed: u64,
    /// The gateway's name of the session, for logs.
    pub session: Option<String>,
    /// How long the gateway waits for a client that is lost.
    pub window: Duration,
    /// The WebSocket subprotocol that the gateway chose.
    pub subprotocol: Option<String>,
    /// With a new session: messages that were sent in the former one and of which nobody knows whether they arrived. They are
    /// not sent again by themselves.
    pub unconfirmed: Vec<Message>,
    /// Messages that the gateway had confirmed and says it has lost. Always 0, unless it is broken.
    pub lost: u64,
    /// Where the next hello would begin.
    pub(crate) point: Option<ResumePoint>,
}

/// The end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// Why.
    pub cause: Error,
    /// Messages that were sent, and of which nobody knows whether they arrived.
    pub unconfirmed: Vec<Message>,
    /// Messages that were never sent.
    pub unsent: Vec<Message>,
}
