//! Frames that begin with a header which says how long the payload is.

use crate::{Decoded, Kind, Payload, WireError, buffer};

/// Longest header of any such framing.
const LONGEST: usize = 13;

/// What a framing reads from its header.
pub(crate) trait Header {
    /// Reads the header at the beginning of `bytes`, which may be cut short anywhere and may go on with the payload. Refuses what
    /// can be refused already, the limit included, in the order of the bytes: so it does not matter how they were cut.
    fn parse(&self, bytes: &[u8]) -> Result<Option<Extent>, WireError>;

    /// Checks a whole frame.
    fn check(&self, header: &[u8], payload: &[u8]) -> Result<Kind, WireError>;
}

/// Lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) header: usize,
    pub(crate) payload: usize,
}

/// Finds the frames.
#[derive(Debug)]
pub(crate) struct Headed<H> {
    header: H,
    /// `None` between frames, always.
    partial: Option<Box<Partial>>,
}

/// A frame as far as it has arrived.
#[derive(Debug)]
struct Partial {
    header: [u8; LONGEST],
    arrived: usize,
    /// `None` until the header is complete; nothing of the payload is here before.
    extent: Option<Extent>,
    payload: Vec<u8>,
}

impl<H: Header> Headed<H> {
    pub(crate) const fn new(header: H) -> Self {
        Self { header, partial: None }
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<Partial>() + partial.payload.capacity())
    }

    pub(crate) fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, WireError> {
        if self.partial.is_some() {
            return self.resume(input);
        }
        let extent = self.header.parse(input)?;
        if let Some(extent) = extent {
            // A limit near the largest number there is must not make the sum a small one.
            let end = extent.header.saturating_add(extent.payload);
            if let Some(frame) = input.get(..end) {
                let (header, payload) = frame.split_at(extent.header);
                let kind = self.header.check(header, payload)?;
                return Ok(Decoded::message(end, kind, Payload::Borrowed(payload)));
            }
        }
        if !input.is_empty() {
            let (header, payload) = input.split_at(extent.map_or(input.len(), |extent| extent.header));
            let mut partial =
                Partial { header: [0; LONGEST], arrived: header.len(), extent, payload: payload.to_vec() };
            partial.header[..header.len()].copy_from_slice(header);
            self.partial = Some(Box::new(partial));
        }
        Ok(Decoded::more(input.len()))
    }

    fn resume<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, WireError> {
        let Some(partial) = &mut self.partial else { return Ok(Decoded::more(0)) };
        let mut at = 0;
        let extent = if let Some(extent) = partial.extent {
            extent
        } else {
            let taken = input.len().min(LONGEST - partial.arrived);
            partial.header[partial.arrived..][..taken].copy_from_slice(&input[..taken]);
            let Some(extent) = self.header.parse(&partial.header[..partial.arrived + taken])? else {
                partial.arrived += taken;
                return Ok(Decoded::more(taken));
            };
            // What was taken beyond the header is the payload's, and is read again from the input.
            at = extent.header - partial.arrived;
            partial.arrived = extent.header;
            partial.extent = Some(extent);
            extent
        };
        let left = extent.payload - partial.payload.len();
        let rest = &input[at..];
        let Some(part) = rest.get(..left) else {
            buffer::append(&mut partial.payload, rest, extent.payload);
            return Ok(Decoded::more(input.len()));
        };
        let header = &partial.header[..extent.header];
        let (kind, payload) = if partial.payload.is_empty() {
            (self.header.check(header, part)?, Payload::Borrowed(part))
        } else {
            buffer::append(&mut partial.payload, part, extent.payload);
            let kind = self.header.check(header, &partial.payload)?;
            (kind, Payload::Owned(std::mem::take(&mut partial.payload).into()))
        };
        self.partial = None;
        Ok(Decoded::message(at + left, kind, payload))
    }
}
