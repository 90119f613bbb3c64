//! Heartbeats as messages, for transports whose frames have none of their own.
//!
//! A heartbeat is the payload of a binary message: the magic `00 57 48 42` (`\0WHB`), one byte that says which it is (1 request,
//! 2 response), the sender's clock in milliseconds (8 bytes, most significant first), and filler: as many bytes of anything as the
//! sender likes. A response has the clock and the filler of its request.

use bytes::{BufMut, BytesMut};

/// What a heartbeat begins with.
pub const MAGIC: [u8; 4] = *b"\0WHB";
/// A heartbeat without filler.
pub const LENGTH: usize = MAGIC.len() + 1 + size_of::<u64>();
/// More filler than this is not sent back: a heartbeat costs its sender as much as it costs the other.
pub const MAX_FILLER: usize = 1024;

/// Which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asks.
    Request,
    /// Answers.
    Response,
}

/// A heartbeat that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat<'a> {
    /// Which it is.
    pub stage: Stage,
    /// Of the clock of whoever asked, whenever that began: nobody else makes anything of it.
    pub milliseconds: u64,
    /// Whatever the sender filled it with.
    pub filler: &'a [u8],
}

/// The heartbeat that a payload is; `None`: it is a message like any other.
pub fn parse(payload: &[u8]) -> Option<Heartbeat<'_>> {
    let rest = payload.strip_prefix(&MAGIC)?;
    let (stage, rest) = rest.split_first()?;
    let (milliseconds, filler) = rest.split_first_chunk()?;
    let stage = match stage {
        1 => Stage::Request,
        2 => Stage::Response,
        _ => return None,
    };
    Some(Heartbeat { stage, milliseconds: u64::from_be_bytes(*milliseconds), filler })
}

impl Heartbeat<'_> {
    /// Its payload. Of its filler there are at most [`MAX_FILLER`] bytes.
    pub fn payload(&self) -> BytesMut {
        let filler = &self.filler[..self.filler.len().min(MAX_FILLER)];
        let mut out = BytesMut::with_capacity(LENGTH + filler.len());
        out.put_slice(&MAGIC);
        out.put_u8(match self.stage {
            Stage::Request => 1,
            Stage::Response => 2,
        });
        out.put_u64(self.milliseconds);
        out.put_slice(filler);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_what_is_written_of_it() {
        let request = Heartbeat { stage: Stage::Request, milliseconds: 0x0102, filler: b"xy" };
        assert_eq!(&request.payload()[..], b"\0WHB\x01\0\0\0\0\0\0\x01\x02xy");
        assert_eq!(parse(&request.payload()), Some(request));
        let response = Heartbeat { stage: Stage::Response, milliseconds: u64::MAX, filler: b"" };
        assert_eq!(response.payload().len(), LENGTH);
        assert_eq!(parse(&response.payload()), Some(response));
    }

    #[test]
    fn what_only_looks_like_one_is_a_message() {
        let whole = Heartbeat { stage: Stage::Request, milliseconds: 1, filler: b"" }.payload();
        assert!((0..whole.len()).all(|length| parse(&whole[..length]).is_none()));
        assert_eq!(parse(b"\0WHB\x03\0\0\0\0\0\0\0\0"), None);
        assert_eq!(parse(b"1WHB\x01\0\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn no_more_filler_goes_back_than_is_allowed() {
        let filler = [7; MAX_FILLER + 1];
        let long = Heartbeat { stage: Stage::Response, milliseconds: 1, filler: &filler };
        assert_eq!(long.payload().len(), LENGTH + MAX_FILLER);
    }
}
