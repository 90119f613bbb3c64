//! Compressed messages of a peer (RFC 7692, section 7.2.2).

use super::{FLUSHED, RETAINED};
use crate::{Kind, Payload, WireError, utf8};
use flate2::{Decompress, FlushDecompress, Status};

/// What stands behind the payload for the inflater: the end of a flush, which is not sent, and an empty last block. Only where the
/// payload ended with a whole block is that the end of all.
const TAIL: [u8; 9] = [FLUSHED[0], FLUSHED[1], FLUSHED[2], FLUSHED[3], 1, 0, 0, 0xff, 0xff];

const INVALID: WireError = WireError::WebSocket("compressed data is not valid");

/// A whole message as it came over the wire: at most a little longer than its limit.
#[derive(Clone, Debug)]
pub struct Compressed<'a> {
    pub(crate) kind: Kind,
    pub(crate) payload: Payload<'a>,
    pub(crate) limit: usize,
}

impl Compressed<'_> {
    pub(crate) fn into_owned(self) -> Compressed<'static> {
        let Self { kind, payload, limit } = self;
        Compressed { kind, payload: payload.into_owned(), limit }
    }

    /// What its first frame said.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes on the wire.
    pub fn length(&self) -> usize {
        self.payload.len()
    }
}

/// Inflates messages, each by itself: for all connections of a thread.
///
/// It owns no memory until the first compressed message comes; then the state of the decompressor and 64 KiB of output.
#[derive(Debug, Default)]
pub struct Inflater {
    context: Option<Decompress>,
    output: Vec<u8>,
}

impl Inflater {
    /// The message. A view of this, if it is not longer than 64 KiB; a longer one is inflated twice, first only to learn how long it
    /// is. So what is too long never takes memory, and nothing is copied as a buffer grows.
    ///
    /// # Errors
    /// [`WireError::TooLong`] as soon as there is more than the limit; data that is not valid or not whole; text that is not UTF-8.
    pub fn inflate(&mut self, message: &Compressed<'_>) -> Result<Payload<'_>, WireError> {
        let context = self.context.get_or_insert_with(|| Decompress::new(false));
        self.output.resize(RETAINED, 0);
        let length = measure(context, &message.payload, &mut self.output, message.limit)?;
        let payload = if length <= self.output.len() {
            Payload::Borrowed(&self.output[..length])
        } else {
            let mut whole = vec![0; length];
            Stream::new(context, &message.payload).fill(&mut whole)?;
            Payload::Owned(whole.into())
        };
        if message.kind == Kind::Text {
            // RFC 6455, section 8.1, on the message that was sent (RFC 7692, section 6.2).
            utf8::check(&payload)?;
        }
        Ok(payload)
    }
}

/// How long the message is. It is in `output`, if it is not longer than that.
fn measure(
    context: &mut Decompress,
    deflated: &[u8],
    output: &mut [u8],
    limit: usize,
) -> Result<usize, WireError> {
    let mut stream = Stream::new(context, deflated);
    let mut length = 0;
    loop {
        let filled = stream.fill(output)?;
        length += filled;
        if length > limit {
            return Err(WireError::TooLong { claimed: length as u64, limit });
        }
        if filled < output.len() {
            return Ok(length);
        }
    }
}

/// A message on its way through a decompressor.
struct Stream<'a> {
    context: &'a mut Decompress,
    /// What is left of the payload, and of what stands behind it.
    rest: [&'a [u8]; 2],
}

impl<'a> Stream<'a> {
    fn new(context: &'a mut Decompress, deflated: &'a [u8]) -> Self {
        context.reset(false);
        Self { context, rest: [deflated, &TAIL] }
    }

    /// Inflates until `output` is full or the message has ended: how many bytes there were.
    fn fill(&mut self, output: &mut [u8]) -> Result<usize, WireError> {
        let mut filled = 0;
        while filled < output.len() {
            let at = usize::from(self.rest[0].is_empty());
            let rest = &mut self.rest[at];
            let before = (self.context.total_in(), self.context.total_out());
            let status = self.context.decompress(rest, &mut output[filled..], FlushDecompress::None);
            let taken = (self.context.total_in() - before.0) as usize;
            let given = (self.context.total_out() - before.1) as usize;
            *rest = &rest[taken..];
            filled += given;
            match status {
                Err(_) => return Err(INVALID),
                Ok(Status::StreamEnd) if self.rest.iter().all(|rest| rest.is_empty()) => break,
                // A block that says it is the last is not the last of the message (section 7.2.3.4).
                Ok(Status::StreamEnd) => self.context.reset(false),
                // Nothing is left, and it expects more.
                Ok(_) if taken == 0 && given == 0 => return Err(INVALID),
                Ok(_) => {}
            }
        }
        Ok(filled)
    }
}
