//! The packed form of several messages and their answers: interface `batch` of the contract, which says what stands where.
//!
//! Nothing here knows the engine or the core, so that a fuzzer can run it alone.

use bytes::{Buf as _, Bytes};

/// Bytes before each payload.
pub(crate) const HEADER: usize = 24;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Of which session.
    pub(crate) session: u64,
    /// Its number.
    pub(crate) sequence: u64,
    /// As the contract numbers them: 0 inbound, 1 outbound.
    pub(crate) direction: u8,
    /// As the contract numbers them: 0 text, 1 binary.
    pub(crate) kind: u8,
}

/// Packs one message behind those that are there. False: it is too long for that.
pub(crate) fn pack(header: Header, payload: &[u8], into: &mut Vec<u8>) -> bool {
    let Ok(length) = u32::try_from(payload.len()) else { return false };
    let mut head = [0; HEADER];
    head[..8].copy_from_slice(&header.session.to_le_bytes());
    head[8..16].copy_from_slice(&header.sequence.to_le_bytes());
    head[16..20].copy_from_slice(&length.to_le_bytes());
    head[20] = header.direction;
    head[21] = header.kind;
    into.extend_from_slice(&head);
    into.extend_from_slice(payload);
    true
}

/// One answer, as it was given: what it says of names and reasons is text, and nothing else is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The message goes on; with another payload, to another place.
    Forward(Option<Place>, Option<Bytes>),
    /// It ends here.
    Drop(Text),
    /// Its session ends.
    Close(u16, Text),
}

/// Where a message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A cluster of this name.
    Cluster(Text),
    /// A group of this name.
    Group(Text),
    /// A session.
    Session(u64),
    /// Back.
    Echo,
}

/// Bytes that are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(Bytes);

impl Text {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        // It was checked when it was read; that it is checked again costs less than what would be done about it otherwise.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Answers that are no answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Torn {
    /// A length says more than there is, or there is no further answer.
    #[error("its packed answers end in the midst of one")]
    Short,
    /// None of the contract's.
    #[error("its packed answers have an unknown tag, {0}")]
    Tag(u8),
    /// A name or a reason.
    #[error("its packed answers have a text that is not UTF-8")]
    Utf8,
    /// There is something behind the last one.
    #[error("its packed answers have {0} bytes too many")]
    Long(usize),
}

/// Reads answers one after the other. What is read of them are views: nothing is copied, and nothing is allocated.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Bytes);

impl Answers {
    /// What a plugin gave.
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The next one.
    ///
    /// # Errors
    /// It is torn: then so is all that follows.
    pub(crate) fn read(&mut self) -> Result<Answer, Torn> {
        Ok(match self.byte()? {
            0 => Answer::Forward(None, None),
            1 => Answer::Forward(None, Some(self.part()?)),
            2 => Answer::Drop(self.text()?),
            3 => Answer::Close(u16::from_le_bytes(self.array()?), self.text()?),
            4 => {
                let place = match self.byte()? {
                    0 => Place::Cluster(self.text()?),
                    1 => Place::Group(self.text()?),
                    2 => Place::Session(u64::from_le_bytes(self.array()?)),
                    3 => Place::Echo,
                    other => return Err(Torn::Tag(other)),
                };
                let payload = match self.byte()? {
                    0 => None,
                    1 => Some(self.part()?),
                    other => return Err(Torn::Tag(other)),
                };
                Answer::Forward(Some(place), payload)
            }
            other => return Err(Torn::Tag(other)),
        })
    }

    /// That was the last one.
    ///
    /// # Errors
    /// There is more.
    pub(crate) fn end(&self) -> Result<(), Torn> {
        if self.0.is_empty() { Ok(()) } else { Err(Torn::Long(self.0.len())) }
    }

    fn byte(&mut self) -> Result<u8, Torn> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Torn> {
        let array = *self.0.first_chunk().ok_or(Torn::Short)?;
        self.0.advance(N);
        Ok(array)
    }

    fn part(&mut self) -> Result<Bytes, Torn> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        if length > self.0.len() {
            return Err(Torn::Short);
        }
        Ok(self.0.split_to(length))
    }

    fn text(&mut self) -> Result<Text, Torn> {
        let bytes = self.part()?;
        std::str::from_utf8(&bytes).map_err(|_| Torn::Utf8)?;
        Ok(Text(bytes))
    }
}

#[cfg(test)]
mod drive;

#[cfg(test)]
mod tests {
    use super::drive::packed_answers;
    use super::*;

    /// The answers, and why there are no more; `None`: they were as many as were asked for, and all.
    fn read(bytes: &[u8], count: usize) -> (Vec<Answer>, Option<Torn>) {
        let mut answers = Answers::of(bytes.to_vec());
        let mut read = Vec::new();
        for _ in 0..count {
            match answers.read() {
                Ok(answer) => read.push(answer),
                Err(torn) => return (read, Some(torn)),
            }
        }
        (read, answers.end().err())
    }

    fn text(text: &'static str) -> Text {
        Text(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn every_form_is_read() {
        let payload = || Some(Bytes::from_static(b"xy"));
        for (bytes, answer) in [
            (&b"\0"[..], Answer::Forward(None, None)),
            (b"\x01\x02\0\0\0xy", Answer::Forward(None, payload())),
            (b"\x02\x04\0\0\0spam", Answer::Drop(text("spam"))),
            (b"\x03\xa0\x0f\x02\0\0\0no", Answer::Close(4000, text("no"))),
            (b"\x04\x00\x01\0\0\0c\0", Answer::Forward(Some(Place::Cluster(text("c"))), None)),
            (
                b"\x04\x01\x01\0\0\0g\x01\x02\0\0\0xy",
                Answer::Forward(Some(Place::Group(text("g"))), payload()),
            ),
            (b"\x04\x02\x02\x01\0\0\0\0\0\0\0", Answer::Forward(Some(Place::Session(258)), None)),
            (b"\x04\x03\x01\x02\0\0\0xy", Answer::Forward(Some(Place::Echo), payload())),
        ] {
            assert_eq!(read(bytes, 1), (vec![answer], None), "{}", bytes.escape_ascii());
            for length in 0..bytes.len() {
                assert_eq!(read(&bytes[..length], 1), (vec![], Some(Torn::Short)), "{length}");
            }
            packed_answers(bytes);
        }
    }

    #[test]
    fn lies_are_told_apart() {
        for (bytes, torn) in [
            (&b"\x05"[..], Torn::Tag(5)),
            (b"\xff", Torn::Tag(255)),
            (b"\x04\x04", Torn::Tag(4)),
            (b"\x04\x03\x02", Torn::Tag(2)),
            (b"\x01\xff\xff\xff\xff", Torn::Short),
            (b"\x02\x02\0\0\0\xc3\x28", Torn::Utf8),
            (b"\x04\x00\x01\0\0\0\xff\0", Torn::Utf8),
            (b"", Torn::Short),
        ] {
            assert_eq!(read(bytes, 1), (vec![], Some(torn)), "{}", bytes.escape_ascii());
            packed_answers(bytes);
        }
        assert_eq!(read(b"\0\0\0", 2).1, Some(Torn::Long(1)));
        assert_eq!(read(b"\0\0", 3).1, Some(Torn::Short));
    }

    #[test]
    fn packed_answers_hold_on_their_corpus() {
        weir_proof::corpus::run(env!("CARGO_MANIFEST_DIR"), "packed_answers", 20_000, packed_answers);
    }
}
