//! Variable-length integers (RFC 9000, section 16).

/// The largest.
pub(super) const MAX: u64 = (1 << 62) - 1;

/// How many bytes one has that begins with this.
pub(super) const fn length(first: u8) -> usize {
    1 << (first >> 6)
}

/// The integer at the beginning, and how many bytes it has; `None`: there are not enough.
pub(super) fn decode(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = length(*bytes.first()?);
    let (first, rest) = bytes.get(..length)?.split_first()?;
    let value = rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// Appends one. What is larger than [`MAX`] is cut; nothing here is.
pub(super) fn encode(value: u64, out: &mut Vec<u8>) {
    let bytes = value.min(MAX).to_be_bytes();
    let (length, mark) = match value {
        0..=0x3f => (1, 0x00),
        0x40..=0x3fff => (2, 0x40),
        0x4000..=0x3fff_ffff => (4, 0x80),
        _ => (8, 0xc0),
    };
    let start = out.len();
    out.extend_from_slice(&bytes[8 - length..]);
    out[start] |= mark;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, value) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ] {
            assert_eq!(decode(bytes), Some((value, bytes.len())));
            let mut out = Vec::new();
            encode(value, &mut out);
            assert_eq!(out, bytes);
            for short in 0..bytes.len() {
                assert_eq!(decode(&bytes[..short]), None);
            }
        }
        assert_eq!(decode(&[0x40, 0x25]), Some((37, 2)), "longer than it need be");
    }
}
