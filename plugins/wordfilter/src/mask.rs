//! Masking, in plain text and in the strings of JSON text.

use std::ops::Range;
use weir_plugin_json::Pointer;

/// A string in JSON text.
pub(crate) struct JsonString {
    /// Where it stands, with its quotes.
    pub(crate) span: Range<usize>,
    /// What it says, escapes resolved.
    pub(crate) value: String,
}

/// The strings that the pointers name, in order, each once; what they name that is no string is left out. An error if
/// the text is not JSON.
pub(crate) fn strings(text: &str, pointers: &[Pointer]) -> serde_json::Result<Vec<JsonString>> {
    let mut spans = Vec::new();
    for pointer in pointers {
        spans.extend(pointer.find(text)?.into_iter().filter(|span| text[span.clone()].starts_with('"')));
    }
    spans.sort_unstable_by_key(|span| span.start);
    spans.dedup();
    let strings = spans.into_iter().map(|span| {
        let value = serde_json::from_str(&text[span.clone()])?;
        Ok(JsonString { span, value })
    });
    strings.collect()
}

/// The text with `mask` for each character of the stretches; `None` if there are none.
pub(crate) fn text(text: &str, spans: &[Range<usize>], mask: char) -> Option<String> {
    let masked = spans.iter().map(|span| {
        let characters = text[span.clone()].chars().count();
        (span.clone(), std::iter::repeat_n(mask, characters).collect())
    });
    splice(text, masked.collect())
}

/// The text with other text for some stretches, which are in order and apart; `None` if there are none.
pub(crate) fn splice(text: &str, replaced: Vec<(Range<usize>, String)>) -> Option<String> {
    if replaced.is_empty() {
        return None;
    }
    let mut spliced = String::with_capacity(text.len());
    let mut done = 0;
    for (span, replacement) in replaced {
        spliced.push_str(&text[done..span.start]);
        spliced.push_str(&replacement);
        done = span.end;
    }
    spliced.push_str(&text[done..]);
    Some(spliced)
}
