//! What messages for slow clients are about.

use super::Check;
use crate::source::Span;
use crate::{Pointer, raw};
use weir_core::SlowConsumer;

impl Check<'_> {
    /// Where payloads say what they are about, if messages are conflated.
    pub(super) fn conflate(&mut self, raw: &raw::Limits, slow_consumer: SlowConsumer) -> Option<Pointer> {
        let conflates = slow_consumer == SlowConsumer::Conflate;
        let Some(written) = &raw.conflate else {
            if let (true, Some(span)) = (conflates, raw.slow_consumer.span()) {
                let help = "such as `conflate = { pointer = \"/symbol\" }`";
                self.blame_with_help(span, "`slow_consumer = \"conflate\"` needs `conflate`", help);
            }
            return None;
        };
        if !conflates {
            let message = "`conflate` means nothing without `slow_consumer = \"conflate\"`";
            self.blame(&written.span(), message);
        }
        let (pointer, span) = self.read(&written.get_ref().pointer, "pointer")?;
        self.pointer(pointer, "`pointer`", span)
    }

    /// A place in a JSON document.
    pub(super) fn pointer(&mut self, pointer: &str, what: &str, span: &Span) -> Option<Pointer> {
        let Some(pointer) = Pointer::parse(pointer) else {
            let shown = pointer.escape_debug();
            let message = format!("{what} must be like \"/symbol\" or \"/quote/id\", not \"{shown}\"");
            self.blame_with_help(span, message, Pointer::HELP);
            return None;
        };
        Some(pointer)
    }
}
