//! What the simulated clients say: who says it, by which way it goes, and its number among those.

/// `m:<origin>:<path>:<sequence>:<filler>`, where the path is an order to the router plugin; see [`crate::plugin`].
pub(crate) fn write(origin: usize, path: &str, sequence: u64, filler: usize) -> Vec<u8> {
    let mut text = format!("m:{origin}:{path}:{sequence}:").into_bytes();
    text.extend((0..filler).map(|at| b'a' + (at % 26) as u8));
    text
}

/// Origin, path and sequence; `None`: a plugin's own words.
pub(crate) fn read(payload: &[u8]) -> Option<(usize, String, u64)> {
    let mut parts = payload.strip_prefix(b"m:")?.splitn(4, |byte| *byte == b':');
    let mut part = || std::str::from_utf8(parts.next()?).ok();
    Some((part()?.parse().ok()?, part()?.to_owned(), part()?.parse().ok()?))
}

/// What an upstream answers: the same, by another path.
pub(crate) fn answer(payload: &[u8]) -> Vec<u8> {
    match read(payload) {
        Some((origin, path, sequence)) => write(origin, &format!("A{path}"), sequence, 3),
        None => b"p:answer".to_vec(),
    }
}
