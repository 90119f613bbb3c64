//! UTF-8 that arrives in parts (RFC 3629).

use crate::WireError;

/// Whether `bytes` are UTF-8 as a whole.
pub(crate) fn check(bytes: &[u8]) -> Result<(), WireError> {
    simdutf8::basic::from_utf8(bytes).map(drop).map_err(|_| WireError::InvalidUtf8)
}

/// A check that goes on where the last part ended. A byte that cannot be right is refused when it arrives.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    /// A character as far as it has arrived.
    pending: Character,
}

/// At most one character's bytes.
#[derive(Debug, Default)]
pub(crate) struct Character {
    bytes: [u8; 4],
    length: u8,
}

impl Character {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Utf8 {
    /// Whether what has arrived ends with a whole character.
    pub(crate) const fn is_complete(&self) -> bool {
        self.pending.length == 0
    }

    /// Checks the next part.
    pub(crate) fn push(&mut self, part: &[u8]) -> Result<(), WireError> {
        let (used, _) = self.resume(part)?;
        let part = &part[used..];
        match simdutf8::compat::from_utf8(part) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                self.begin(&part[error.valid_up_to()..]);
                Ok(())
            }
            Err(_) => Err(WireError::InvalidUtf8),
        }
    }

    /// Takes bytes for the character that is pending: how many, and the character if that completed it.
    pub(crate) fn resume(&mut self, part: &[u8]) -> Result<(usize, Option<Character>), WireError> {
        for (at, &byte) in part.iter().enumerate() {
            if self.is_complete() {
                return Ok((at, None));
            }
            // Three bytes that could still become a character do become one with any fourth, or that one is refused.
            self.pending.bytes[usize::from(self.pending.length)] = byte;
            self.pending.length += 1;
            match std::str::from_utf8(self.pending.as_bytes()) {
                Ok(_) => return Ok((at + 1, Some(std::mem::take(&mut self.pending)))),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(WireError::InvalidUtf8),
            }
        }
        Ok((part.len(), None))
    }

    /// Remembers the beginning of a character, at most three bytes.
    pub(crate) fn begin(&mut self, beginning: &[u8]) {
        self.pending.bytes[..beginning.len()].copy_from_slice(beginning);
        self.pending.length = beginning.len() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes are refused, and at which of them at the latest.
    fn refused_at(bytes: &[u8]) -> Option<usize> {
        let mut utf8 = Utf8::default();
        let refused = bytes.iter().position(|byte| utf8.push(&[*byte]).is_err());
        refused.or((!utf8.is_complete()).then_some(bytes.len()))
    }

    #[test]
    fn is_refused_at_the_first_byte_that_cannot_be_right() {
        for (bytes, expected) in [
            (&b"plain"[..], None),
            ("κόσμε €uro 🦀 \u{10ffff}".as_bytes(), None),
            (&[0x80], Some(0)),
            (&[b'a', 0xc0], Some(1)),
            (&[0xc1, 0xbf], Some(0)),
            (&[0xe0, 0x80, 0x80], Some(1)),
            (&[0xed, 0xa0, 0x80], Some(1)),
            (&[0xf0, 0x8f, 0xbf, 0xbf], Some(1)),
            (&[0xf4, 0x90, 0x80, 0x80], Some(1)),
            (&[0xf5], Some(0)),
            (&[0xf0, 0x9f, 0xa6], Some(3)),
            (&[0xe2, 0x82, b'a'], Some(2)),
        ] {
            assert_eq!(refused_at(bytes), expected, "{bytes:x?}");
        }
    }

    #[test]
    fn parts_give_what_the_whole_gives() {
        let text = "a€κ🦀\u{7ff}\u{800}\u{ffff}\u{10000}z".as_bytes();
        for flipped in 0..=text.len() {
            let mut bytes = text.to_vec();
            if let Some(byte) = bytes.get_mut(flipped) {
                *byte ^= 0x40;
            }
            let expected = check(&bytes).is_ok();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let mut utf8 = Utf8::default();
                    let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let valid = parts.iter().all(|part| utf8.push(part).is_ok()) && utf8.is_complete();
                    assert_eq!(valid, expected, "{bytes:x?} split at {first} and {second}");
                }
            }
        }
    }
}
