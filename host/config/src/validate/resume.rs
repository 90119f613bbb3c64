//! Sessions that wait for clients that lost their connections.

use super::{Check, HOUR};
use crate::{Framing, Protocol, Resume, raw};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;
use weir_core::{Limits, SlowConsumer};

/// For how long sessions wait where nothing is said.
const WINDOW: Duration = Duration::from_mins(1);
const BUFFER: usize = 64 * 1024;
const BUFFERS: RangeInclusive<usize> = 1024..=64 << 20;
const SESSIONS: u64 = 10_000;
const LIFETIME: Duration = Duration::from_hours(24);
/// Longer than any session should be.
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// A welcome in the longest frame.
const LEAST_MESSAGE: usize = 1024;

impl Check<'_> {
    /// `name` is the listener's, its scope where none is said.
    pub(super) fn resume(
        &mut self,
        raw: Option<&Spanned<raw::Resume>>,
        name: &str,
        protocol: &Protocol,
        limits: &Limits,
    ) -> Option<Resume> {
        let written = raw?;
        let (place, raw) = (written.span(), written.get_ref());
        self.resumable_protocol(&place, protocol, limits);
        let window = self.time(&raw.window, "window", Duration::from_secs(1)..=HOUR, WINDOW);
        let buffer = self.size(&raw.buffer, "buffer", BUFFERS, BUFFER.min(limits.queue));
        if buffer > limits.queue {
            let span = raw.buffer.span().unwrap_or(&place);
            let message = format!(
                "`buffer` ({buffer} bytes) is more than `queue` of the limits ({} bytes)",
                limits.queue
            );
            let help = "what was kept is queued when the client is back, so it must fit there";
            self.blame_with_help(span, message, help);
        }
        let sessions = self.count(&raw.sessions, "sessions", 1..=1 << 30, SESSIONS) as usize;
        let token_lifetime =
            self.time(&raw.token_lifetime, "token_lifetime", Duration::from_mins(1)..=LONGEST, LIFETIME);
        let scope = match self.read(&raw.scope, "scope") {
            Some((scope, span)) => {
                self.name(scope, span, "scope");
                scope.clone()
            }
            None => name.to_owned(),
        };
        Some(Resume { window, buffer, sessions, scope, token_lifetime })
    }

    /// Control messages must be told from others, and what is numbered must stay where it is.
    fn resumable_protocol(&mut self, place: &std::ops::Range<usize>, protocol: &Protocol, limits: &Limits) {
        let here = match protocol {
            Protocol::Tcp { framing: Framing::Raw { .. }, .. } => Some("raw framing has no messages"),
            Protocol::Tcp { .. } if limits.message < LEAST_MESSAGE => {
                Some("a message of the gateway's own has up to 1024 bytes, and `max` of the framing is less")
            }
            Protocol::Tcp { .. }
            | Protocol::WebSocket { .. }
            | Protocol::Quic { .. }
            | Protocol::WebTransport { .. } => None,
        };
        if let Some(here) = here {
            self.blame(place, format!("sessions cannot be resumed here: {here}"));
        }
        if matches!(limits.slow_consumer, SlowConsumer::DropOldest | SlowConsumer::Conflate) {
            let help =
                "messages are numbered when they are queued; use \"close\", \"drop-newest\" or \"pause\"";
            let word =
                if limits.slow_consumer == SlowConsumer::Conflate { "conflate" } else { "drop-oldest" };
            let message = format!(
                "sessions cannot be resumed with `slow_consumer = \"{word}\"`, which takes messages out of the queue"
            );
            self.blame_with_help(place, message, help);
        }
    }
}
