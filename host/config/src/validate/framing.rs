//! Framings.

use super::{Check, MAX_MESSAGE};
use crate::value::Size;
use crate::words::{FramingWord, PrefixWord};
use crate::{Framing, Prefix, raw, zero};
use toml::Spanned;

/// The most bytes of a delimiter: what may be split over two reads must be searched for again.
const MAX_DELIMITER: usize = 64;

impl Check<'_> {
    /// The framing, or the one of zero configuration where none is named.
    pub(super) fn framing(&mut self, framing: Option<&Spanned<raw::Framing>>) -> Option<Framing> {
        let Some(framing) = framing else { return Some(zero::framing()) };
        let (place, raw) = (framing.span(), framing.get_ref());
        let kind = self.read(&raw.kind, "type").map(|(kind, _)| *kind);
        let max = self.size(&raw.max, "max", 1..=MAX_MESSAGE, 4);
        let prefix = self.read(&raw.prefix, "prefix");
        let delimiter = self.read(&raw.delimiter, "delimiter");
        let kind = kind?;
        let this = format!("\"{}\"", kind.as_str());
        if kind != FramingWord::Length {
            self.belongs(raw.prefix.span(), "prefix", "framing of type \"length\"", &this);
        }
        if kind != FramingWord::Delimiter {
            self.belongs(raw.delimiter.span(), "delimiter", "framing of type \"delimiter\"", &this);
        }
        Some(match kind {
            FramingWord::Length => {
                let Some((word, _)) = prefix else {
                    if raw.prefix.span().is_none() {
                        self.blame(&place, "framing of type \"length\" needs `prefix`, such as \"u32be\"");
                    }
                    return None;
                };
                let prefix = prefix_of(*word);
                let counts = match prefix {
                    Prefix::U8 => usize::from(u8::MAX),
                    Prefix::U16Be | Prefix::U16Le => usize::from(u16::MAX),
                    _ => MAX_MESSAGE,
                };
                if let Some(span) = raw.max.span().filter(|_| max > counts && max <= MAX_MESSAGE) {
                    let (word, max) = (word.as_str(), Size(max));
                    self.blame(
                        span,
                        format!("`max` must be {counts} at most with a {word} prefix, not {max}"),
                    );
                }
                Framing::Length { prefix, max }
            }
            FramingWord::Delimiter => {
                let Some((text, span)) = delimiter else {
                    if raw.delimiter.span().is_none() {
                        self.blame(
                            &place,
                            "framing of type \"delimiter\" needs `delimiter`, such as \"\\r\\n\"",
                        );
                    }
                    return None;
                };
                if text.is_empty() || text.len() > MAX_DELIMITER {
                    self.blame(
                        span,
                        format!("`delimiter` must be 1 to {MAX_DELIMITER} bytes, not {}", text.len()),
                    );
                }
                Framing::Delimiter { delimiter: text.as_bytes().into(), max }
            }
            FramingWord::Line => Framing::Line { max },
            FramingWord::Checked => Framing::Checked { max },
            FramingWord::Raw => {
                // Text is cut between characters, and the longest has four bytes.
                if let Some(span) = raw.max.span().filter(|_| (1..4).contains(&max)) {
                    self.blame(
                        span,
                        format!("`max` must be 4 bytes at least with raw framing, not {}", Size(max)),
                    );
                }
                Framing::Raw { max }
            }
        })
    }
}

const fn prefix_of(word: PrefixWord) -> Prefix {
    match word {
        PrefixWord::U8 => Prefix::U8,
        PrefixWord::U16Be => Prefix::U16Be,
        PrefixWord::U16Le => Prefix::U16Le,
        PrefixWord::U32Be => Prefix::U32Be,
        PrefixWord::U32Le => Prefix::U32Le,
        PrefixWord::Varint => Prefix::Varint,
    }
}

/// The most bytes of a message.
pub(super) const fn max_of(framing: &Framing) -> usize {
    match framing {
        Framing::Length { max, .. }
        | Framing::Line { max }
        | Framing::Delimiter { max, .. }
        | Framing::Checked { max }
        | Framing::Raw { max } => *max,
    }
}
