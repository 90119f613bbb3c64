//! How the buffer of a partial frame grows.

/// Appends `part`. The capacity doubles as bytes arrive, so that a claim alone allocates nothing, and stops at `total`, which is
/// what is known to be the whole: a buffer that ends up full becomes a message without another allocation.
pub(crate) fn append(buffer: &mut Vec<u8>, part: &[u8], total: usize) {
    let needed = buffer.len() + part.len();
    if needed > buffer.capacity() {
        let target = (buffer.capacity() * 2).min(total).max(needed);
        buffer.reserve_exact(target - buffer.len());
    }
    buffer.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn grows_with_what_arrives_and_ends_at_the_total() {
        let mut buffer = Vec::new();
        append(&mut buffer, &[1; 10], 1000);
        assert!(buffer.capacity() < 64, "{}", buffer.capacity());
        for _ in 0..99 {
            append(&mut buffer, &[1; 10], 1000);
        }
        assert_eq!((buffer.len(), buffer.capacity()), (1000, 1000));
    }
}
