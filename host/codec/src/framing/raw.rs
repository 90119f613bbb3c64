//! Whatever has arrived.

use crate::utf8::Utf8;
use crate::{Decoded, Kind, Payload, WireError};
use bytes::Bytes;

/// Makes messages of a stream without frames. It never holds more than three bytes, of a character that has not arrived whole.
#[derive(Debug)]
pub(crate) struct Raw {
    max: usize,
    kind: Kind,
    utf8: Utf8,
}

impl Raw {
    pub(crate) fn new(max: usize, kind: Kind) -> Self {
        // The longest character must fit, or there would be no progress.
        let least = if kind == Kind::Text { 4 } else { 1 };
        Self { max: max.max(least), kind, utf8: Utf8::default() }
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.utf8.is_complete()
    }

    pub(crate) fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, WireError> {
        if !self.utf8.is_complete() {
            let (consumed, character) = self.utf8.resume(input)?;
            return Ok(match character {
                Some(character) => {
                    let payload = Bytes::copy_from_slice(character.as_bytes());
                    Decoded::message(consumed, self.kind, Payload::Owned(payload))
                }
                None => Decoded::more(consumed),
            });
        }
        let chunk = &input[..self.max.min(input.len())];
        let length = match self.kind {
            Kind::Binary => chunk.len(),
            Kind::Text => match simdutf8::compat::from_utf8(chunk) {
                Ok(_) => chunk.len(),
                // What is valid goes first, so that it does not matter how the stream was cut.
                Err(error) if error.valid_up_to() > 0 => error.valid_up_to(),
                Err(error) if error.error_len().is_none() => {
                    self.utf8.begin(chunk);
                    return Ok(Decoded::more(chunk.len()));
                }
                Err(_) => return Err(WireError::InvalidUtf8),
            },
        };
        if length == 0 {
            return Ok(Decoded::more(0));
        }
        Ok(Decoded::message(length, self.kind, Payload::Borrowed(&chunk[..length])))
    }
}
