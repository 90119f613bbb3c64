//! Huffman-coded strings (RFC 7541, section 5.2 and appendix B).

use super::{BROKEN, NotFields};

/// How long the code of each byte is in bits, and last that of the end of a string. Codes of the same length count up with their bytes,
/// and shorter ones come before longer ones: so the lengths say all.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const LONGEST: usize = 30;
/// What ends a string, which is never sent.
const END: u16 = 256;

/// By length: the first code, how many there are, and where the first one's symbol is in [`SYMBOLS`].
const FIRST: [u32; LONGEST + 1] = codes().0;
const COUNT: [u16; LONGEST + 1] = codes().1;
const START: [u16; LONGEST + 1] = codes().2;
/// In the order of their codes.
const SYMBOLS: [u16; 257] = symbols();

const fn codes() -> ([u32; LONGEST + 1], [u16; LONGEST + 1], [u16; LONGEST + 1]) {
    let (mut first, mut count, mut start) = ([0; LONGEST + 1], [0; LONGEST + 1], [0; LONGEST + 1]);
    let mut symbol = 0;
    while symbol < LENGTHS.len() {
        count[LENGTHS[symbol] as usize] += 1;
        symbol += 1;
    }
    let mut length = 1;
    while length <= LONGEST {
        first[length] = (first[length - 1] + count[length - 1] as u32) << 1;
        start[length] = start[length - 1] + count[length - 1];
        length += 1;
    }
    (first, count, start)
}

const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let mut at = 0;
    let mut length = 1;
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

/// Decodes a string that may come to `limit` bytes.
pub(super) fn decode(bytes: &[u8], limit: usize) -> Result<Vec<u8>, NotFields> {
    let mut decoded = Vec::new();
    let (mut code, mut length) = (0, 0);
    for byte in bytes {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(byte >> bit & 1);
            length += 1;
            if length > LONGEST {
                return Err(BROKEN);
            }
            let Some(at) = code.checked_sub(FIRST[length]).filter(|at| *at < u32::from(COUNT[length])) else {
                continue;
            };
            match SYMBOLS[usize::from(START[length]) + at as usize] {
                END => return Err(BROKEN),
                _ if decoded.len() == limit => return Err(NotFields::TooLarge),
                symbol => decoded.push(symbol as u8),
            }
            (code, length) = (0, 0);
        }
    }
    // What fills the last byte is the beginning of the end's code: all ones.
    if length < 8 && code == (1 << length) - 1 { Ok(decoded) } else { Err(BROKEN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let code = |symbol: u16| {
            let at = SYMBOLS.iter().position(|known| *known == symbol).unwrap();
            let length = usize::from(LENGTHS[usize::from(symbol)]);
            (FIRST[length] + (at - usize::from(START[length])) as u32, length)
        };
        for (symbol, expected) in [
            (0, (0x1ff8, 13)),
            (b'0'.into(), (0x0, 5)),
            (b' '.into(), (0x14, 6)),
            (b'~'.into(), (0x1ffd, 13)),
            (127, (0x0fff_fffc, 28)),
            (203, (0x07ff_ffde, 27)),
            (255, (0x03ff_ffee, 26)),
            (256, (0x3fff_ffff, 30)),
        ] {
            assert_eq!(code(symbol), expected, "{symbol}");
        }
    }

    #[test]
    fn strings_end_as_they_must() {
        assert_eq!(decode(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], 100).unwrap(), b"no-cache");
        assert_eq!(decode(&[], 0).unwrap(), b"");
        assert_eq!(decode(&[0x07], 1).unwrap(), b"0");
        assert_eq!(decode(&[0x07], 0), Err(NotFields::TooLarge));
        assert_eq!(decode(&[0x00], 9), Err(BROKEN), "filled with zeroes");
        assert_eq!(decode(&[0x07, 0xff], 9), Err(BROKEN), "filled with a whole byte");
        assert_eq!(decode(&[0xff; 4], 9), Err(BROKEN), "the end is sent");
    }
}
