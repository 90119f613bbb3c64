//! How fast clients may send.

use super::{Check, MINUTE, Seen};
use crate::field::Field;
use crate::raw;
use crate::value::Size;
use crate::words::RateWord;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{MAX_ATTRIBUTE_NAME, Rate, RatePolicy, SharedRate};

/// No worker is faster.
const MESSAGES: u64 = 10_000_000;
/// Nor is a network.
const BYTES: usize = 100 << 30;
/// Each message is taken from each of them.
const SHARED: usize = 8;

impl Check<'_> {
    /// The rates of a session, those that sessions share, and what happens above them.
    pub(super) fn rates(&mut self, raw: &raw::Limits) -> (Rate, Arc<[SharedRate]>, RatePolicy) {
        let rate = self.rate(&raw.messages_per_second, &raw.bytes_per_second);
        let policy = match self.read_or(&raw.rate_policy, "rate_policy", RateWord::Pause) {
            RateWord::Pause => RatePolicy::Pause,
            RateWord::Drop => RatePolicy::Drop,
            RateWord::Close => RatePolicy::Close,
        };
        let mut seen = Seen::default();
        let mut shared = Vec::new();
        for (at, written) in raw.shared.iter().enumerate() {
            let (place, raw) = (written.span(), written.get_ref());
            if at == SHARED {
                self.blame(&place, format!("there are more than {SHARED} shared rates"));
            }
            let rate = self.rate(&raw.messages_per_second, &raw.bytes_per_second);
            if rate == Rate::default() {
                let message = "a shared rate needs `messages_per_second` or `bytes_per_second`";
                self.blame(&place, message);
            }
            let Some((attribute, span)) = self.read(&raw.attribute, "attribute") else { continue };
            if !(1..=MAX_ATTRIBUTE_NAME).contains(&attribute.len()) {
                let length = attribute.len();
                let message = format!("`attribute` has 1 to {MAX_ATTRIBUTE_NAME} bytes, not {length}");
                self.blame(span, message);
            }
            let shown = attribute.escape_debug();
            self.differ(&mut seen, attribute, span, format!("two shared rates are of \"{shown}\""));
            shared.push(SharedRate { attribute: attribute.as_str().into(), rate });
        }
        (rate, shared.into(), policy)
    }

    fn rate(&mut self, messages: &Field<u64>, bytes: &Field<Size>) -> Rate {
        Rate {
            messages: self.count(messages, "messages_per_second", 0..=MESSAGES, 0),
            bytes: self.size(bytes, "bytes_per_second", 0..=BYTES, 0) as u64,
        }
    }

    /// A client that stands still is not asked whether it is there: one message is not to make it stand still for long.
    pub(super) fn long_pauses(&mut self, raw: &raw::Limits, message: usize) {
        let shared = raw.shared.iter().map(|shared| &shared.get_ref().bytes_per_second);
        for field in [&raw.bytes_per_second].into_iter().chain(shared) {
            let Some((rate, span)) =
                field.0.as_ref().and_then(|written| Some((written.value.as_ref().ok()?.0, &written.span)))
            else {
                continue;
            };
            let pause = Duration::from_secs((message / rate.max(1)) as u64);
            if rate == 0 || pause <= MINUTE {
                continue;
            }
            let (longest, pause) = (Size(message), humantime::format_duration(pause));
            let message =
                format!("`bytes_per_second` is too little: a message of {longest} would take {pause}");
            let help = "raise it, or lower the longest message (`max` of `framing`, or `message`)";
            self.blame_with_help(span, message, help);
        }
    }
}
