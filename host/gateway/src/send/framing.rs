//! `--framing`: the framings of TCP as one word.

use anyhow::bail;
use weir_codec::Framing;
use weir_codec::framing::Prefix;

/// The client's limit for what comes back: 64 MiB.
const MAX: usize = 64 << 20;

pub(super) fn parse(word: &str) -> anyhow::Result<Framing> {
    let (kind, rest) = word.split_once(':').map_or((word, None), |(kind, rest)| (kind, Some(rest)));
    Ok(match (kind, rest) {
        ("length", prefix) => Framing::Length { prefix: parse_prefix(prefix.unwrap_or("u32be"))?, max: MAX },
        ("line", None) => Framing::Line { max: MAX },
        ("checked", None) => Framing::Checked { max: MAX },
        ("raw", None) => Framing::Raw { max: MAX },
        ("delimiter", Some(delimiter)) if !delimiter.is_empty() => {
            Framing::Delimiter { delimiter: delimiter.as_bytes().to_vec().into(), max: MAX }
        }
        _ => bail!(
            "{word:?} is no framing; use length:u32be (or u8, u16be, u16le, u32le, varint), line, checked, raw or delimiter:TEXT"
        ),
    })
}

fn parse_prefix(word: &str) -> anyhow::Result<Prefix> {
    Ok(match word {
        "u8" => Prefix::U8,
        "u16be" => Prefix::U16Be,
        "u16le" => Prefix::U16Le,
        "u32be" => Prefix::U32Be,
        "u32le" => Prefix::U32Le,
        "varint" => Prefix::Varint,
        _ => bail!("{word:?} is no length prefix; use u8, u16be, u16le, u32be, u32le or varint"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framing_has_a_word() {
        for word in ["length", "length:u8", "length:varint", "line", "checked", "raw", "delimiter:||"] {
            assert!(parse(word).is_ok(), "{word}");
        }
        for word in ["", "lines", "length:u64", "delimiter", "delimiter:"] {
            assert!(parse(word).is_err(), "{word}");
        }
    }
}
