//! Masking (RFC 6455, section 5.3).

/// Masks or unmasks bytes that begin `offset` bytes into their frame's payload.
#[inline]
pub(crate) fn apply(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let mask = u32::from_le_bytes(mask).rotate_right(8 * (offset % 4) as u32);
    let wide = u64::from(mask) << 32 | u64::from(mask);
    // Eight at a time in a plain loop, which compiles to the widest vectors there are.
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_le_bytes()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn is_the_sum_of_the_rfc_at_every_length_and_offset() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for length in 0..70 {
            let plain: Vec<u8> = (0..length).collect();
            let expected: Vec<u8> = plain.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            for split in 0..=plain.len() {
                let mut masked = plain.clone();
                let (first, second) = masked.split_at_mut(split);
                apply(first, mask, 0);
                apply(second, mask, split);
                assert_eq!(masked, expected, "{length} bytes split at {split}");
            }
        }
    }
}
