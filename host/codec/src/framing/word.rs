//! Framings as one word, for command lines.

use super::{Framing, Prefix};

impl Framing {
    /// The words there are, for messages.
    pub const WORDS: &'static str =
        "length:u32be (or u8, u16be, u16le, u32le, varint), line, checked, raw or delimiter:TEXT";

    /// The framing that a word names, with a longest payload of `max` bytes; `None`: it names none.
    pub fn parse(word: &str, max: usize) -> Option<Self> {
        let (kind, rest) = word.split_once(':').map_or((word, None), |(kind, rest)| (kind, Some(rest)));
        Some(match (kind, rest) {
            ("length", prefix) => Self::Length { prefix: Prefix::parse(prefix.unwrap_or("u32be"))?, max },
            ("line", None) => Self::Line { max },
            ("checked", None) => Self::Checked { max },
            ("raw", None) => Self::Raw { max },
            ("delimiter", Some(delimiter)) if !delimiter.is_empty() => {
                Self::Delimiter { delimiter: delimiter.as_bytes().to_vec().into(), max }
            }
            _ => return None,
        })
    }
}

impl Prefix {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "u8" => Self::U8,
            "u16be" => Self::U16Be,
            "u16le" => Self::U16Le,
            "u32be" => Self::U32Be,
            "u32le" => Self::U32Le,
            "varint" => Self::Varint,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framing_has_a_word() {
        for word in ["length", "length:u8", "length:varint", "line", "checked", "raw", "delimiter:||"] {
            assert!(Framing::parse(word, 1).is_some(), "{word}");
        }
        for word in ["", "lines", "length:u64", "delimiter", "delimiter:"] {
            assert!(Framing::parse(word, 1).is_none(), "{word}");
        }
    }
}
