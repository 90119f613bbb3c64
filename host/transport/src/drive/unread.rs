//! What was read of a connection before its session began.

use weir_core::Lane;

/// Lanes that the client has opened, and bytes that nobody has decoded.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// In the order in which they were opened.
    pub(crate) lanes: Vec<Lane>,
    /// In the order in which they came; never empty ones, but for datagrams.
    pub(crate) bytes: Vec<(Lane, Vec<u8>)>,
}

impl Unread {
    /// Of a connection with one way.
    pub(crate) fn of(leftover: &[u8]) -> Self {
        let bytes = (!leftover.is_empty()).then(|| (Lane::ONLY, leftover.to_vec()));
        Self { lanes: Vec::new(), bytes: bytes.into_iter().collect() }
    }

    /// More of a lane. Datagrams are not joined.
    pub(crate) fn push(&mut self, lane: Lane, more: &[u8]) {
        match self.bytes.last_mut() {
            Some((last, bytes)) if *last == lane && lane != Lane::DATAGRAMS => bytes.extend_from_slice(more),
            _ => self.bytes.push((lane, more.to_vec())),
        }
    }

    /// So many bytes at the beginning are dealt with.
    pub(crate) fn skip(&mut self, length: usize) {
        let Some((_, bytes)) = self.bytes.first_mut() else { return };
        bytes.drain(..length.min(bytes.len()));
        if bytes.is_empty() {
            self.bytes.remove(0);
        }
    }
}
