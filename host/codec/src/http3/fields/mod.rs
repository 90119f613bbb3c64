//! Header fields without a dynamic table (QPACK, RFC 9204, section 4.5).

mod huffman;
mod table;

use super::control::FIELDS;
use super::{Fault, code};
use table::STATIC;

/// Fields of a request.
const COUNT: usize = 64;
/// What each counts beside its name and value (RFC 9114, section 4.2.2).
const OVERHEAD: usize = 32;

/// A name and a value as they came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Box<[u8]>,
    pub(super) value: Box<[u8]>,
}

/// Why there are no fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotFields {
    /// They come to more than is allowed.
    TooLarge,
    Broken(Fault),
}

const BROKEN: NotFields =
    NotFields::Broken(Fault::new(code::DECOMPRESSION_FAILED, "fields that cannot be decompressed"));

/// Decodes a field section. Nothing is allocated beyond the limit, whatever it claims.
pub(super) fn decode(mut block: &[u8]) -> Result<Vec<Field>, NotFields> {
    let block = &mut block;
    // The required insert count and the base: with no dynamic table both are 0.
    if integer(block, 8)? != 0 {
        return Err(BROKEN);
    }
    integer(block, 7)?;
    let mut room = FIELDS;
    let mut fields = Vec::new();
    while let Some(first) = block.first().copied() {
        if fields.len() == COUNT {
            return Err(NotFields::TooLarge);
        }
        take(&mut room, OVERHEAD)?;
        let field = match first {
            // Indexed, in the static table.
            0b1100_0000.. => {
                let (name, value) = known(block, 6)?;
                take(&mut room, name.len() + value.len())?;
                Field { name: name.as_bytes().into(), value: value.as_bytes().into() }
            }
            // A literal with a name of the static table.
            0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
                let (name, _) = known(block, 4)?;
                take(&mut room, name.len())?;
                Field { name: name.as_bytes().into(), value: string(block, 7, &mut room)? }
            }
            // A literal with a literal name.
            0b0010_0000..=0b0011_1111 => {
                let name = string(block, 3, &mut room)?;
                Field { name, value: string(block, 7, &mut room)? }
            }
            // The dynamic table, in which nothing is.
            _ => return Err(BROKEN),
        };
        fields.push(field);
    }
    Ok(fields)
}

/// Encodes fields as literals, but for those that the static table has.
pub(super) fn encode(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![0, 0];
    for (name, value) in fields {
        if let Some(at) = STATIC.iter().position(|known| known == &(*name, *value)) {
            put_integer(at, 6, 0b1100_0000, &mut out);
            continue;
        }
        if let Some(at) = STATIC.iter().position(|(known, _)| known == name) {
            put_integer(at, 4, 0b0101_0000, &mut out);
        } else {
            put_integer(name.len(), 3, 0b0010_0000, &mut out);
            out.extend_from_slice(name.as_bytes());
        }
        put_integer(value.len(), 7, 0, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    out
}

fn take(room: &mut usize, length: usize) -> Result<(), NotFields> {
    *room = room.checked_sub(length).ok_or(NotFields::TooLarge)?;
    Ok(())
}

fn known(block: &mut &[u8], bits: u32) -> Result<(&'static str, &'static str), NotFields> {
    STATIC.get(integer(block, bits)?).copied().ok_or(BROKEN)
}

/// A string whose length has so many bits in its first byte, after the bit that says whether it is Huffman-coded.
fn string(block: &mut &[u8], bits: u32, room: &mut usize) -> Result<Box<[u8]>, NotFields> {
    let coded = block.first().is_some_and(|first| first & (1 << bits) != 0);
    let length = integer(block, bits)?;
    let bytes = block.get(..length).ok_or(BROKEN)?;
    *block = &block[length..];
    if !coded {
        take(room, length)?;
        return Ok(bytes.into());
    }
    let decoded = huffman::decode(bytes, *room)?;
    take(room, decoded.len())?;
    Ok(decoded.into())
}

/// An integer whose first byte has so many bits of it (RFC 7541, section 5.1).
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, NotFields> {
    let mut next = || {
        let (first, rest) = block.split_first().ok_or(BROKEN)?;
        *block = rest;
        Ok(*first)
    };
    let mask = u8::MAX >> (8 - bits);
    let first = next()? & mask;
    let mut value = u32::from(first);
    if first < mask {
        return Ok(value as usize);
    }
    // Three bytes more are two million, which nothing here can be.
    for shift in [0, 7, 14] {
        let byte = next()?;
        value += u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value as usize);
        }
    }
    Err(BROKEN)
}

fn put_integer(value: usize, bits: u32, mark: u8, out: &mut Vec<u8>) {
    let mask = usize::from(u8::MAX >> (8 - bits));
    if value < mask {
        out.push(mark | value as u8);
        return;
    }
    out.push(mark | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(block: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        decode(block).unwrap().iter().map(|field| (text(&field.name), text(&field.value))).collect()
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 9204, appendix B.1.
        let block = b"\x00\x00\x51\x0b/index.html";
        assert_eq!(pairs(block), [(":path".to_owned(), "/index.html".to_owned())]);
        assert_eq!(encode(&[(":path", "/index.html")]), block);
    }

    #[test]
    fn fields_come_back_as_they_went() {
        let long = "v".repeat(5000);
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "webtransport"),
            ("x-name-of-its-own", &*long),
            ("te", ""),
        ];
        let back = pairs(&encode(&fields));
        assert_eq!(back, fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn huffman_coded_strings_are_read() {
        // RFC 7541, appendix C.4.1, in a literal with a name of its own.
        let mut block = b"\0\0\x21x\x8c".to_vec();
        block.extend_from_slice(&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]);
        assert_eq!(pairs(&block), [("x".to_owned(), "www.example.com".to_owned())]);
    }

    #[test]
    fn nothing_is_kept_beyond_the_limits() {
        let mut lines = vec![0, 0];
        lines.resize(2 + COUNT, 0b1100_0001);
        assert_eq!(decode(&lines).unwrap().len(), COUNT);
        lines.push(0b1100_0001);
        assert_eq!(decode(&lines).unwrap_err(), NotFields::TooLarge);
        let long = "v".repeat(FIELDS - OVERHEAD - 1);
        assert!(decode(&encode(&[("x", &long)])).is_ok());
        assert_eq!(decode(&encode(&[("xy", &long)])).unwrap_err(), NotFields::TooLarge);
        // Five bits a letter: what it comes to is what counts.
        let mut block = b"\0\0\x21x\xff".to_vec();
        put_integer(16_000, 7, 0x80, &mut block);
        let block = &mut block[5..];
        let mut whole = b"\0\0\x21x".to_vec();
        whole.extend_from_slice(block);
        whole.resize(whole.len() + 16_000, 0);
        assert_eq!(decode(&whole).unwrap_err(), NotFields::TooLarge);
    }

    #[test]
    fn what_names_the_dynamic_table_is_broken() {
        for block in [
            &b"\x01\0\x80"[..],
            b"\0\0\x80",
            b"\0\0\x40\0",
            b"\0\0\x10",
            b"\0\0\0\0",
            b"\0\0\xff\x80\x80\x80\x80\x80\x80",
            b"\0\0\xff\x40",
            b"\0\0\x21",
            b"\0\0\x21x\x05ab",
            b"\0",
            b"",
        ] {
            assert_eq!(decode(block).unwrap_err(), BROKEN, "{block:?}");
        }
    }
}
