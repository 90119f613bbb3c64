//! A length, then the payload.

use super::Prefix;
use super::headed::{Extent, Header};
use crate::wire::Head;
use crate::{EncodeError, Kind, WireError, utf8};

/// Most bytes of a varint of 64 bits.
const LONGEST_VARINT: usize = 10;

#[derive(Debug)]
pub(crate) struct LengthHeader {
    pub(crate) prefix: Prefix,
    pub(crate) max: usize,
    pub(crate) kind: Kind,
}

impl Header for LengthHeader {
    fn parse(&self, bytes: &[u8]) -> Result<Option<Extent>, WireError> {
        let read = match self.prefix {
            Prefix::U8 => bytes.first().map(|byte| (1, u64::from(*byte))),
            Prefix::U16Be => bytes.first_chunk().map(|bytes| (2, u16::from_be_bytes(*bytes).into())),
            Prefix::U16Le => bytes.first_chunk().map(|bytes| (2, u16::from_le_bytes(*bytes).into())),
            Prefix::U32Be => bytes.first_chunk().map(|bytes| (4, u32::from_be_bytes(*bytes).into())),
            Prefix::U32Le => bytes.first_chunk().map(|bytes| (4, u32::from_le_bytes(*bytes).into())),
            Prefix::Varint => read_varint(bytes)?,
        };
        let Some((header, claimed)) = read else { return Ok(None) };
        match usize::try_from(claimed) {
            Ok(payload) if payload <= self.max => Ok(Some(Extent { header, payload })),
            _ => Err(WireError::TooLong { claimed, limit: self.max }),
        }
    }

    fn check(&self, _: &[u8], payload: &[u8]) -> Result<Kind, WireError> {
        if self.kind == Kind::Text {
            utf8::check(payload)?;
        }
        Ok(self.kind)
    }
}

/// How many bytes, and the number.
fn read_varint(bytes: &[u8]) -> Result<Option<(usize, u64)>, WireError> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(LONGEST_VARINT) {
        let last = byte & 0x80 == 0;
        // The tenth byte holds the 64th bit alone; a last byte of zero adds nothing but length.
        if at == LONGEST_VARINT - 1 && byte > 1 || last && byte == 0 && at > 0 {
            return Err(WireError::BadLength);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if last {
            return Ok(Some((at + 1, value)));
        }
    }
    Ok(None)
}

/// Writes the prefix of a payload of `length` bytes.
pub(crate) fn head(prefix: Prefix, max: usize, length: usize, head: &mut Head) -> Result<(), EncodeError> {
    let countable = match prefix {
        Prefix::U8 => u8::MAX.into(),
        Prefix::U16Be | Prefix::U16Le => u16::MAX.into(),
        Prefix::U32Be | Prefix::U32Le => u32::MAX as usize,
        Prefix::Varint => usize::MAX,
    };
    let limit = max.min(countable);
    if length > limit {
        return Err(EncodeError::TooLong { length, limit });
    }
    match prefix {
        Prefix::U8 => head.push([length as u8]),
        Prefix::U16Be => head.push((length as u16).to_be_bytes()),
        Prefix::U16Le => head.push((length as u16).to_le_bytes()),
        Prefix::U32Be => head.push((length as u32).to_be_bytes()),
        Prefix::U32Le => head.push((length as u32).to_le_bytes()),
        Prefix::Varint => {
            let mut rest = length;
            while rest >= 0x80 {
                head.push([rest as u8 | 0x80]);
                rest >>= 7;
            }
            head.push([rest as u8]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(prefix: Prefix, max: usize) -> LengthHeader {
        LengthHeader { prefix, max, kind: Kind::Binary }
    }

    #[test]
    fn varints_are_read_as_protocol_buffers_write_them() {
        for (bytes, expected) in [
            (&[][..], Ok(None)),
            (&[0x80], Ok(None)),
            (&[0], Ok(Some((1, 0)))),
            (&[0x7f, 9], Ok(Some((1, 127)))),
            (&[0x80, 0x01], Ok(Some((2, 128)))),
            (&[0x96, 0x01], Ok(Some((2, 150)))),
            (&[0xff; 9], Ok(None)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(Some((10, u64::MAX)))),
            // More than 64 bits, more than ten bytes, longer than needed.
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Err(WireError::BadLength)),
            (&[0xff; 10], Err(WireError::BadLength)),
            (&[0x80, 0x00], Err(WireError::BadLength)),
            (&[0x81, 0x80, 0x00], Err(WireError::BadLength)),
        ] {
            assert_eq!(read_varint(bytes), expected, "{bytes:x?}");
        }
        assert_eq!(WireError::BadLength.close_code(), 1002);
    }

    #[test]
    fn a_claim_beyond_the_limit_is_refused_by_the_header_alone() {
        for (prefix, bytes, claimed) in [
            (Prefix::U8, &[101][..], 101),
            (Prefix::U16Be, &[1, 0], 256),
            (Prefix::U16Le, &[0, 1], 256),
            (Prefix::U32Be, &[0xff; 4], 0xffff_ffff),
            (Prefix::U32Le, &[0, 0, 0, 0x80], 1 << 31),
            (Prefix::Varint, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 1 << 63),
        ] {
            let refused = header(prefix, 100).parse(bytes).unwrap_err();
            assert_eq!(refused, WireError::TooLong { claimed, limit: 100 });
            assert_eq!(refused.close_code(), 1009);
        }
        assert_eq!(header(Prefix::U8, 100).parse(&[100]), Ok(Some(Extent { header: 1, payload: 100 })));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 16_383, 16_384, 65_535, 65_536, 1 << 24] {
            for prefix in
                [Prefix::U8, Prefix::U16Be, Prefix::U16Le, Prefix::U32Be, Prefix::U32Le, Prefix::Varint]
            {
                let max = 1 << 24;
                let mut written = Head::default();
                match head(prefix, max, length, &mut written) {
                    Ok(()) => assert_eq!(
                        header(prefix, max).parse(written.as_bytes()),
                        Ok(Some(Extent { header: written.as_bytes().len(), payload: length }))
                    ),
                    Err(EncodeError::TooLong { limit, .. }) => assert!(limit < length),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let mut none = Head::default();
        assert_eq!(
            head(Prefix::U8, 1000, 256, &mut none),
            Err(EncodeError::TooLong { length: 256, limit: 255 })
        );
        assert_eq!(
            head(Prefix::U32Be, 10, 11, &mut none),
            Err(EncodeError::TooLong { length: 11, limit: 10 })
        );
        assert_eq!(none, Head::default());
    }
}
