//! A header with a checksum, then the payload.

use super::headed::{Extent, Header};
use crate::wire::Head;
use crate::{EncodeError, Kind, WireError, utf8};

const MAGIC: u16 = 0x424d;
const VERSION: u8 = 1;
const TEXT: u16 = 1;
const BINARY: u16 = 2;
/// Where the checksum stands: it covers what is before it, and the payload.
const COVERED: usize = 9;
const LENGTH: usize = 13;

#[derive(Debug)]
pub(crate) struct CheckedHeader {
    pub(crate) max: usize,
}

impl Header for CheckedHeader {
    fn parse(&self, bytes: &[u8]) -> Result<Option<Extent>, WireError> {
        let Some(&[high, low]) = bytes.first_chunk() else { return Ok(None) };
        let found = u16::from_be_bytes([high, low]);
        if found != MAGIC {
            return Err(WireError::BadMagic { found });
        }
        let Some(&found) = bytes.get(2) else { return Ok(None) };
        if found != VERSION {
            return Err(WireError::BadVersion { found });
        }
        let Some(&[high, low]) = bytes.get(3..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        kind(u16::from_be_bytes([high, low]))?;
        let Some(length) = bytes.get(5..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
        let claimed = u32::from_be_bytes(*length);
        if u64::from(claimed) > self.max as u64 {
            return Err(WireError::TooLong { claimed: claimed.into(), limit: self.max });
        }
        Ok((bytes.len() >= LENGTH).then_some(Extent { header: LENGTH, payload: claimed as usize }))
    }

    fn check(&self, header: &[u8], payload: &[u8]) -> Result<Kind, WireError> {
        let (covered, checksum) = header.split_at(COVERED);
        let found = checksum.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let computed = crc(covered, payload);
        if found != computed {
            return Err(WireError::BadChecksum { found, computed });
        }
        let kind = kind(u16::from_be_bytes([header[3], header[4]]))?;
        if kind == Kind::Text {
            utf8::check(payload)?;
        }
        Ok(kind)
    }
}

const fn kind(found: u16) -> Result<Kind, WireError> {
    match found {
        TEXT => Ok(Kind::Text),
        BINARY => Ok(Kind::Binary),
        _ => Err(WireError::BadKind { found }),
    }
}

fn crc(covered: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(covered);
    hasher.update(payload);
    hasher.finalize()
}

/// Writes the header of a payload.
pub(crate) fn head(max: usize, kind: Kind, payload: &[u8], head: &mut Head) -> Result<(), EncodeError> {
    let limit = max.min(u32::MAX as usize);
    if payload.len() > limit {
        return Err(EncodeError::TooLong { length: payload.len(), limit });
    }
    let kind = match kind {
        Kind::Text => TEXT,
        Kind::Binary => BINARY,
    };
    head.push(MAGIC.to_be_bytes());
    head.push([VERSION]);
    head.push(kind.to_be_bytes());
    head.push((payload.len() as u32).to_be_bytes());
    let checksum = crc(head.as_bytes(), payload);
    head.push(checksum.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u16, length: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x42, 0x4d, 1];
        frame.extend(kind.to_be_bytes());
        frame.extend(length.to_be_bytes());
        let checksum = crc(&frame, payload);
        frame.extend(checksum.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// Whole, and byte by byte: the header must not need more bytes than it takes to know.
    fn refusal(frame: &[u8]) -> (WireError, usize) {
        let header = CheckedHeader { max: 100 };
        let mut known = None;
        for length in 0..=frame.len() {
            match header.parse(&frame[..length]) {
                Err(error) => {
                    known = Some((error, length));
                    break;
                }
                Ok(Some(extent)) if length == extent.header + extent.payload => {
                    let (head, payload) = frame.split_at(extent.header);
                    known = Some((header.check(head, payload).unwrap_err(), length));
                }
                Ok(_) => {}
            }
        }
        known.expect("refused")
    }

    #[test]
    fn every_field_is_checked_as_soon_as_it_is_there() {
        let mut magic = frame(1, 2, b"ok");
        magic[0] = 0x43;
        assert_eq!(refusal(&magic), (WireError::BadMagic { found: 0x434d }, 2));
        let mut version = frame(1, 2, b"ok");
        version[2] = 2;
        assert_eq!(refusal(&version), (WireError::BadVersion { found: 2 }, 3));
        assert_eq!(refusal(&frame(3, 2, b"ok")), (WireError::BadKind { found: 3 }, 5));
        assert_eq!(refusal(&frame(0, 2, b"ok")).0.close_code(), 1002);
        assert_eq!(refusal(&frame(1, 101, b"")), (WireError::TooLong { claimed: 101, limit: 100 }, 9));
        assert_eq!(refusal(&frame(1, 2, &[0xc3, 0x28])), (WireError::InvalidUtf8, 15));
    }

    #[test]
    fn one_changed_bit_anywhere_is_seen() {
        let sound = frame(2, 5, b"hello");
        for bit in 0..sound.len() * 8 {
            let mut changed = sound.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let header = CheckedHeader { max: 100 };
            // A changed length may also ask for more bytes than there are: then there is no frame yet.
            let Ok(Some(extent)) = header.parse(&changed) else { continue };
            let Some(frame) = changed.get(..extent.header + extent.payload) else { continue };
            let (head, payload) = frame.split_at(extent.header);
            let refused = header.check(head, payload).unwrap_err();
            assert!(matches!(refused, WireError::BadChecksum { .. }), "bit {bit}: {refused}");
            assert_eq!(refused.close_code(), 1002);
        }
    }

    #[test]
    fn the_header_is_as_documented() {
        // CRC-32 of IEEE 802.3 has 0xcbf43926 for the nine digits.
        assert_eq!(crc(b"1234", b"56789"), 0xcbf4_3926);
        let written = |kind, payload: &[u8]| {
            let mut written = Head::default();
            head(100, kind, payload, &mut written).map(|()| written.as_bytes().to_vec())
        };
        assert_eq!(written(Kind::Text, b"hi").unwrap(), frame(1, 2, b"hi")[..13]);
        assert_eq!(written(Kind::Binary, b"").unwrap(), frame(2, 0, b""));
        assert_eq!(written(Kind::Binary, &[0; 101]), Err(EncodeError::TooLong { length: 101, limit: 100 }));
    }
}
