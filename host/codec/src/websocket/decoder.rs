//! Frames of a peer to messages (RFC 6455, sections 5 to 8).

use super::deflate::{self, Compressed};
use super::header::{self, Begun, Header, Opcode};
use super::{Limits, Role, mask, may_be_sent};
use crate::utf8::{self, Utf8};
use crate::{Decoded, Event, Kind, Payload, WireError, buffer};

/// Bytes before the payload of a client's message of up to 125 bytes.
const SHORT_HEADER: usize = 6;

/// Finds the messages, and what is said in between.
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    /// A close frame has arrived. What follows means nothing (section 5.5.1).
    closed: bool,
    /// Messages may be compressed (RFC 7692).
    deflating: bool,
    limits: Limits,
    /// `None` between messages, always: the box goes when nothing is in it.
    unfinished: Option<Box<Unfinished>>,
}

/// What has begun and not ended. At least one of the parts is there.
#[derive(Debug, Default)]
struct Unfinished {
    /// A header as far as it has arrived; not beside `frame`.
    header: Vec<u8>,
    /// A frame, of which the header has arrived whole and the payload has not.
    frame: Option<Frame>,
    /// The payload of that frame, unmasked, if it is a control frame.
    control: Vec<u8>,
    /// A message as far as it has arrived, `frame` included if it is one of its fragments.
    message: Option<Message>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    header: Header,
    /// Bytes of the payload.
    arrived: usize,
}

#[derive(Debug)]
struct Message {
    kind: Kind,
    compressed: bool,
    fragments: usize,
    /// Unmasked.
    payload: Vec<u8>,
    /// Of text that is not compressed.
    utf8: Utf8,
}

impl Decoder {
    pub(crate) const fn new(role: Role, limits: Limits, deflating: bool) -> Self {
        Self { role, closed: false, deflating, limits, unfinished: None }
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.unfinished.is_none()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| {
            let message = unfinished.message.as_ref().map_or(0, |message| message.payload.capacity());
            size_of::<Unfinished>() + unfinished.header.capacity() + unfinished.control.capacity() + message
        })
    }

    #[inline]
    pub(crate) fn decode<'a>(&mut self, input: &'a mut [u8]) -> Result<Decoded<'a>, WireError> {
        if self.closed {
            return Ok(Decoded::more(input.len()));
        }
        if let Some((kind, mask, length)) = self.short(input) {
            let payload = &mut input[SHORT_HEADER..SHORT_HEADER + length];
            mask::apply(payload, mask, 0);
            if kind == Kind::Text {
                // Section 8.1.
                utf8::check(payload)?;
            }
            return Ok(Decoded::message(SHORT_HEADER + length, kind, Payload::Borrowed(payload)));
        }
        let mut at = 0;
        loop {
            let Some(frame) = self.frame(input, &mut at)? else { return Ok(Decoded::more(input.len())) };
            let Header { fin, opcode, compressed, mask, length, .. } = frame.header;
            let start = at;
            at += (length - frame.arrived).min(input.len() - start);
            let part = &mut input[start..at];
            if let Some(mask) = mask {
                mask::apply(part, mask, frame.arrived);
            }
            let arrived = frame.arrived + part.len();
            let ended = arrived == length;
            let whole = ended && frame.arrived == 0;
            if part.is_empty() && !ended {
                // Nothing of it is kept yet, so that it is still whole if the next read has all of it.
                self.suspend(frame);
                return Ok(Decoded::more(at));
            }

            let event = match opcode {
                Opcode::Text | Opcode::Binary if whole && fin => {
                    let kind = if opcode == Opcode::Text { Kind::Text } else { Kind::Binary };
                    if kind == Kind::Text && !compressed {
                        // Section 8.1.
                        utf8::check(part)?;
                    }
                    self.message(kind, compressed, Payload::Borrowed(&input[start..at]))
                }
                Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                    self.append(&frame, part)?;
                    if !ended {
                        self.suspend(Frame { arrived, ..frame });
                        return Ok(Decoded::more(at));
                    }
                    match self.end_fragment(fin)? {
                        Some(event) => event,
                        None => continue,
                    }
                }
                Opcode::Close | Opcode::Ping | Opcode::Pong => {
                    let payload = if whole {
                        Payload::Borrowed(&input[start..at])
                    } else {
                        let unfinished = self.unfinished.get_or_insert_default();
                        buffer::append(&mut unfinished.control, part, length);
                        if !ended {
                            self.suspend(Frame { arrived, ..frame });
                            return Ok(Decoded::more(at));
                        }
                        Payload::Owned(std::mem::take(&mut unfinished.control).into())
                    };
                    self.control(opcode, payload)?
                }
            };
            self.release();
            return Ok(Decoded { consumed: at, event: Some(event) });
        }
    }

    /// What is by far the most frequent: a client's short message, not compressed, whole and in one frame. It passes all that
    /// [`header::parse`] checks at a glance; everything else is left to that.
    #[inline]
    fn short(&self, input: &[u8]) -> Option<(Kind, [u8; 4], usize)> {
        let (header, rest) = input.split_first_chunk::<SHORT_HEADER>()?;
        let &[first, second, mask @ ..] = header;
        let kind = match first {
            0x81 => Kind::Text,
            0x82 => Kind::Binary,
            _ => return None,
        };
        // Not masked, the second byte is below; with a longer length behind it, above.
        let length = usize::from(second.checked_sub(0x80)?);
        let fits = length <= 125 && length <= rest.len() && length <= self.limits.message;
        (fits && self.role == Role::Server && self.unfinished.is_none()).then_some((kind, mask, length))
    }

    /// The frame that goes on, or the next one, if its header is there. `at` is moved behind the header.
    #[inline]
    fn frame(&mut self, input: &[u8], at: &mut usize) -> Result<Option<Frame>, WireError> {
        let fresh = &input[*at..];
        let Some(unfinished) = &mut self.unfinished else {
            if let Some(header) = header::parse(fresh, self.role, &self.limits, None, self.deflating)? {
                *at += header.size;
                return Ok(Some(Frame { header, arrived: 0 }));
            }
            if !fresh.is_empty() {
                self.unfinished =
                    Some(Box::new(Unfinished { header: fresh.to_vec(), ..Unfinished::default() }));
            }
            return Ok(None);
        };
        if let Some(frame) = unfinished.frame.take() {
            return Ok(Some(frame));
        }
        let begun = unfinished.message.as_ref().map(Message::begun);
        let before = unfinished.header.len();
        let mut bytes = [0; header::LONGEST];
        bytes[..before].copy_from_slice(&unfinished.header);
        let taken = fresh.len().min(header::LONGEST - before);
        bytes[before..before + taken].copy_from_slice(&fresh[..taken]);
        let bytes = &bytes[..before + taken];
        let Some(header) = header::parse(bytes, self.role, &self.limits, begun, self.deflating)? else {
            unfinished.header.extend_from_slice(&fresh[..taken]);
            return Ok(None);
        };
        // What was taken beyond the header is the payload's, and is read again from the input.
        *at += header.size - before;
        unfinished.header = Vec::new();
        if let (Opcode::Continuation, Some(message)) = (header.opcode, &mut unfinished.message) {
            message.fragments += 1;
        }
        Ok(Some(Frame { header, arrived: 0 }))
    }

    /// Adds a part of a frame to its message.
    fn append(&mut self, frame: &Frame, part: &[u8]) -> Result<(), WireError> {
        let unfinished = self.unfinished.get_or_insert_default();
        let message = unfinished.message.get_or_insert_with(|| Message {
            kind: if frame.header.opcode == Opcode::Text { Kind::Text } else { Kind::Binary },
            compressed: frame.header.compressed,
            fragments: 1,
            payload: Vec::new(),
            utf8: Utf8::default(),
        });
        if message.kind == Kind::Text && !message.compressed {
            // Section 8.1; checked as it arrives, so that a bad byte is not waited out.
            message.utf8.push(part)?;
        }
        // With more fragments to come the whole is not known, but for the limit.
        let total = if frame.header.fin {
            message.payload.len() + (frame.header.length - frame.arrived)
        } else if message.compressed {
            deflate::longest(self.limits.message)
        } else {
            self.limits.message
        };
        buffer::append(&mut message.payload, part, total);
        Ok(())
    }

    /// The message, if that was its last fragment.
    fn end_fragment(&mut self, fin: bool) -> Result<Option<Event<'static>>, WireError> {
        if !fin {
            return Ok(None);
        }
        let message = self.unfinished.as_mut().and_then(|unfinished| unfinished.message.take());
        let Some(Message { kind, compressed, payload, utf8, .. }) = message else { return Ok(None) };
        if !utf8.is_complete() {
            return Err(WireError::InvalidUtf8);
        }
        Ok(Some(self.message(kind, compressed, Payload::Owned(payload.into()))))
    }

    const fn message<'a>(&self, kind: Kind, compressed: bool, payload: Payload<'a>) -> Event<'a> {
        if compressed {
            Event::Compressed(Compressed { kind, payload, limit: self.limits.message })
        } else {
            Event::Message { kind, payload }
        }
    }

    fn control<'a>(&mut self, opcode: Opcode, payload: Payload<'a>) -> Result<Event<'a>, WireError> {
        Ok(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                let close = parse_close(&payload)?;
                self.closed = true;
                self.unfinished = None;
                Event::Close(close)
            }
        })
    }

    fn suspend(&mut self, frame: Frame) {
        self.unfinished.get_or_insert_default().frame = Some(frame);
    }

    /// Gives the memory back when nothing is left in it.
    #[inline]
    fn release(&mut self) {
        if self.unfinished.as_ref().is_some_and(|unfinished| unfinished.is_empty()) {
            self.unfinished = None;
        }
    }
}

impl Unfinished {
    const fn is_empty(&self) -> bool {
        self.header.is_empty() && self.frame.is_none() && self.message.is_none()
    }
}

impl Message {
    const fn begun(&self) -> Begun {
        Begun { fragments: self.fragments, length: self.payload.len(), compressed: self.compressed }
    }
}

/// Section 5.5.1: nothing, or a code and perhaps a reason.
fn parse_close(payload: &[u8]) -> Result<Option<(u16, Box<str>)>, WireError> {
    let Some((code, reason)) = payload.split_first_chunk() else { return Ok(None) };
    let code = u16::from_be_bytes(*code);
    // Section 7.4.
    if !may_be_sent(code) {
        return Err(WireError::WebSocket("close code that may not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| WireError::InvalidUtf8)?;
    Ok(Some((code, reason.into())))
}
