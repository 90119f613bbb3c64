//! What is shown of messages.

use super::Check;
use crate::words::TapPayload;
use crate::{Pointer, Tap, raw};

/// Each costs a look into every payload that is shown.
const MOST: usize = 64;

impl Check<'_> {
    pub(super) fn tap(&mut self, raw: &raw::Tap) -> Tap {
        let payload = self.read_or(&raw.payload, "payload", TapPayload::On);
        let written = self.list(raw.redact.as_ref(), "redact").unwrap_or_default();
        if let Some((_, span)) = written.get(MOST) {
            self.blame(span, format!("`redact` has {} places; the most is {MOST}", written.len()));
        }
        let mut redact = Vec::new();
        for (text, span) in written {
            if let Some(pointer) = Pointer::parse(text) {
                redact.push(pointer);
            } else {
                let shown = text.escape_debug();
                let message =
                    format!("`redact` must be like \"/password\" or \"/user/email\", not \"{shown}\"");
                self.blame_with_help(span, message, Pointer::HELP);
            }
        }
        Tap { hides_payload: payload == TapPayload::Off, redact }
    }
}
