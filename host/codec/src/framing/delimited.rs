//! Payloads that go on until a line ends, or until a delimiter.

use crate::{Decoded, EncodeError, Kind, Payload, WireError, buffer, utf8};
use memchr::{memchr, memmem};
use std::sync::Arc;

/// What ends a payload.
#[derive(Debug)]
pub(crate) enum End {
    /// LF, or CR LF.
    Line,
    Delimiter(Arc<[u8]>),
}

/// Finds the frames.
#[derive(Debug)]
pub(crate) struct Delimited {
    end: End,
    max: usize,
    kind: Kind,
    /// `None` between frames, always.
    partial: Option<Box<Partial>>,
}

/// A frame as far as it has arrived: searched, and without a whole delimiter. It is not searched again, but for the few bytes at
/// its end that a delimiter may begin with.
#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
}

impl End {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Line => b"\n",
            Self::Delimiter(delimiter) => delimiter,
        }
    }
}

impl Delimited {
    pub(crate) const fn new(end: End, max: usize, kind: Kind) -> Self {
        Self { end, max, kind, partial: None }
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<Partial>() + partial.bytes.capacity())
    }

    pub(crate) fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, WireError> {
        let end = self.end.bytes();
        // So many bytes hold the longest frame with its end, a CR included. If there is no end in them, the frame is longer.
        let longest = match self.end {
            End::Line => self.max.saturating_add(2),
            End::Delimiter(_) => self.max.saturating_add(end.len()),
        };
        let before = match &mut self.partial {
            Some(partial) => {
                let before = partial.bytes.len();
                let overlap = end.len().saturating_sub(1);
                buffer::append(&mut partial.bytes, &input[..overlap.min(input.len())], longest);
                let from = before.saturating_sub(overlap);
                if let Some(found) = find(&partial.bytes[from..], end) {
                    let consumed = from + found + end.len() - before;
                    partial.bytes.truncate(from + found);
                    return self.assembled(consumed);
                }
                partial.bytes.truncate(before);
                before
            }
            None => 0,
        };
        let room = longest - before;
        let searched = &input[..room.min(input.len())];
        match (find(searched, end), &mut self.partial) {
            (Some(found), None) => {
                let consumed = found + end.len();
                let payload = self.payload(&searched[..found])?;
                Ok(Decoded::message(consumed, self.kind, Payload::Borrowed(payload)))
            }
            (Some(found), Some(partial)) => {
                let consumed = found + end.len();
                buffer::append(&mut partial.bytes, &searched[..found], longest);
                self.assembled(consumed)
            }
            (None, _) if searched.len() == room => Err(self.too_long()),
            (None, Some(partial)) => {
                buffer::append(&mut partial.bytes, searched, longest);
                Ok(Decoded::more(input.len()))
            }
            (None, None) => {
                if !searched.is_empty() {
                    self.partial = Some(Box::new(Partial { bytes: searched.to_vec() }));
                }
                Ok(Decoded::more(input.len()))
            }
        }
    }

    /// The message that the partial frame has become.
    fn assembled<'a>(&mut self, consumed: usize) -> Result<Decoded<'a>, WireError> {
        let mut bytes = self.partial.take().map_or_else(Vec::new, |partial| partial.bytes);
        let length = self.payload(&bytes)?.len();
        bytes.truncate(length);
        Ok(Decoded::message(consumed, self.kind, Payload::Owned(bytes.into())))
    }

    /// What is left when the end is taken off, if it may be a message.
    fn payload<'a>(&self, frame: &'a [u8]) -> Result<&'a [u8], WireError> {
        let payload = match (&self.end, frame) {
            (End::Line, [line @ .., b'\r']) => line,
            _ => frame,
        };
        if payload.len() > self.max {
            return Err(self.too_long());
        }
        if self.kind == Kind::Text {
            utf8::check(payload)?;
        }
        Ok(payload)
    }

    const fn too_long(&self) -> WireError {
        WireError::TooLong { claimed: (self.max as u64).saturating_add(1), limit: self.max }
    }
}

fn find(bytes: &[u8], end: &[u8]) -> Option<usize> {
    match end {
        [] => None,
        [byte] => memchr(*byte, bytes),
        _ => memmem::find(bytes, end),
    }
}

/// Whether the payload can be sent as a line.
pub(crate) fn check_line(max: usize, payload: &[u8]) -> Result<(), EncodeError> {
    check_length(max, payload)?;
    // A CR at its end would be taken for the line's.
    if payload.last() == Some(&b'\r') || memchr(b'\n', payload).is_some() {
        return Err(EncodeError::ContainsDelimiter);
    }
    Ok(())
}

/// Whether the delimiter that follows the payload is the first that a reader finds.
pub(crate) fn check_delimited(max: usize, delimiter: &[u8], payload: &[u8]) -> Result<(), EncodeError> {
    check_length(max, payload)?;
    // `a-` before `--` reads as `a`: the payload's end together with the delimiter's beginning can be one too.
    let straddles = (1..delimiter.len())
        .any(|k| payload.ends_with(&delimiter[..k]) && delimiter[k..] == delimiter[..delimiter.len() - k]);
    if delimiter.is_empty() || straddles || find(payload, delimiter).is_some() {
        return Err(EncodeError::ContainsDelimiter);
    }
    Ok(())
}

const fn check_length(max: usize, payload: &[u8]) -> Result<(), EncodeError> {
    if payload.len() > max {
        return Err(EncodeError::TooLong { length: payload.len(), limit: max });
    }
    Ok(())
}
