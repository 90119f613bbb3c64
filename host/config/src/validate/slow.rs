//! What messages for slow clients are about.

use super::Check;
use crate::source::Span;
use crate::{Pointer, raw};
use weir_core::SlowConsumer;

/// Deeper documents are not looked into.
const DEPTH: usize = 16;

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
        let tokens: Option<Vec<String>> = match pointer.strip_prefix('/') {
            Some(rest) => rest.split('/').map(unescape).collect(),
            None => None,
        };
        let Some(tokens) = tokens.filter(|tokens| tokens.len() <= DEPTH) else {
            let shown = pointer.escape_debug();
            let message = format!("{what} must be like \"/symbol\" or \"/quote/id\", not \"{shown}\"");
            let help = format!(
                "RFC 6901: names with \"/\" before each, at most {DEPTH}; \"~1\" is a \"/\" in a name, \"~0\" a \"~\""
            );
            self.blame_with_help(span, message, help);
            return None;
        };
        Some(Pointer(tokens))
    }
}

/// RFC 6901, section 4. `None`: a `~` that escapes nothing.
fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(1)?;
        plain.push(match escaped {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn names_are_unescaped_as_the_rfc_says() {
        for (token, plain) in [
            ("", Some("")),
            ("a~1b", Some("a/b")),
            ("~01", Some("~1")),
            ("~", None),
            ("a~2", None),
            ("~ü", None),
        ] {
            assert_eq!(unescape(token).as_deref(), plain, "{token}");
        }
    }
}
