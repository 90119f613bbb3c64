//! What connections say, with places to fill in.

use crate::Error;
use std::path::Path;

/// A text with places: `{payload}`, `{size}` (of the payload, in bytes), `{group}`, `{n}` (the connection's number, from 0). Any other
/// brace is a brace: JSON needs no quoting. `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN` are those bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Payload,
    Size,
    Group,
    Number,
}

const PLACES: [(&str, Part); 4] =
    [("{payload}", Part::Payload), ("{size}", Part::Size), ("{group}", Part::Group), ("{n}", Part::Number)];

/// What is filled in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filling<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) group: u32,
    pub(crate) number: u32,
}

impl Template {
    /// From an option: a text with escapes, or `@FILE`, whose bytes are taken as they are.
    pub(crate) fn option(name: &'static str, text: &str) -> Result<Self, Error> {
        match text.strip_prefix('@') {
            Some(path) => {
                let path = Path::new(path);
                let bytes =
                    std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
                Ok(Self::of(&bytes))
            }
            None => Ok(Self::of(&unescape(name, text)?)),
        }
    }

    /// Bytes as they are, but for the places.
    pub(crate) fn of(mut bytes: &[u8]) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        while !bytes.is_empty() {
            let place = PLACES.iter().find(|(name, _)| bytes.starts_with(name.as_bytes()));
            if let Some((name, part)) = place {
                parts.push(part.clone());
                bytes = &bytes[name.len()..];
                continue;
            }
            match parts.last_mut() {
                Some(Part::Bytes(last)) => last.push(bytes[0]),
                _ => parts.push(Part::Bytes(vec![bytes[0]])),
            }
            bytes = &bytes[1..];
        }
        Self { parts }
    }

    /// Whether it is the payload and nothing else, so that nothing need be filled in.
    pub(crate) fn is_payload(&self) -> bool {
        self.parts == [Part::Payload]
    }

    /// Whether there is a place for the payload.
    pub(crate) fn has_payload(&self) -> bool {
        self.parts.contains(&Part::Payload)
    }

    /// Appends it, filled in.
    pub(crate) fn fill(&self, filling: Filling<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Payload => out.extend_from_slice(filling.payload),
                Part::Size => decimal(filling.payload.len() as u64, out),
                Part::Group => decimal(filling.group.into(), out),
                Part::Number => decimal(filling.number.into(), out),
            }
        }
    }

    /// The same as a text.
    pub(crate) fn text(&self, filling: Filling<'_>) -> String {
        let mut out = Vec::new();
        self.fill(filling, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn decimal(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// The bytes that a text with escapes means.
pub(crate) fn unescape(name: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (byte, length) = match rest {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            // JSON inside of JSON, as some protocols have it: a quotation mark that stays quoted.
            [b'"', ..] => {
                out.push(b'\\');
                (b'"', 1)
            }
            [b'x', high, low, ..] => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => (high << 4 | low, 3),
                None => return Err(Error::Escape { option: name }),
            },
            _ => return Err(Error::Escape { option: name }),
        };
        out.push(byte);
        rest = &rest[length..];
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let template = Template::option("publish", text).unwrap();
        template.text(Filling { payload: b"hello", group: 12, number: 0 })
    }

    #[test]
    fn templates_of_real_protocols() {
        assert_eq!(filled(r"PUB bench.{group} {size}\r\n{payload}\r\n"), "PUB bench.12 5\r\nhello\r\n");
        assert_eq!(
            filled(
                r#"{"event":"client-b","channel":"private-{group}","data":"{\"n\":{n},\"p\":\"{payload}\"}"}"#
            ),
            r#"{"event":"client-b","channel":"private-12","data":"{\"n\":0,\"p\":\"hello\"}"}"#
        );
        assert_eq!(filled("{other} {} {{payload}}"), "{other} {} {hello}");
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("x", r"\r\n\t\0\\\x41é").unwrap(), "\r\n\t\0\\Aé".as_bytes());
        for broken in [r"\", r"\q", r"\x", r"\x4", r"\xgg"] {
            assert!(unescape("x", broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_file_is_taken_as_it_is() {
        let path = std::env::temp_dir().join(format!("weir-bench-template-{}", std::process::id()));
        std::fs::write(&path, br"a\n{payload}").unwrap();
        assert_eq!(filled(&format!("@{}", path.display())), r"a\nhello");
        std::fs::remove_file(&path).unwrap();
        let error = Template::option("hello", "@/nowhere/at/all").unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn the_payload_alone_needs_no_filling() {
        assert!(Template::of(b"{payload}").is_payload());
        assert!(!Template::of(b"{payload}\n").is_payload() && Template::of(b"{payload}\n").has_payload());
        assert!(!Template::of(b"{n}").has_payload());
    }
}
