//! What came from the gateway, and when to confirm it.

use std::time::Duration;
use tokio::time::Instant;

/// Confirmed at the latest after so many messages, so many bytes (a quarter of a gateway's default buffer), so long.
const MESSAGES: u64 = 32;
const BYTES: u64 = 16 << 10;
const DELAY: Duration = Duration::from_secs(1);

/// Counts messages of a session.
#[derive(Debug)]
pub(crate) struct Receipts {
    received: u64,
    confirmed: u64,
    bytes: u64,
    limit: u64,
    due: Option<Instant>,
}

impl Receipts {
    pub(crate) fn new(received: u64) -> Self {
        Self { received, confirmed: received, bytes: 0, limit: BYTES, due: None }
    }

    /// A connection begins: the next message is number `received` + 1. `buffer`: the gateway's, in bytes; 0 if unsaid.
    pub(crate) fn start(&mut self, received: u64, buffer: u64) {
        *self = Self::new(received);
        if buffer > 0 {
            self.limit = buffer / 4;
        }
    }

    /// The number of the last message.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// A message was handed to the application.
    pub(crate) fn took(&mut self, bytes: usize, now: Instant) {
        self.received += 1;
        self.bytes += bytes as u64;
        let at_once = self.received - self.confirmed >= MESSAGES || self.bytes >= self.limit;
        let due = if at_once { now } else { now + DELAY };
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }

    /// When to confirm next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The number to confirm, if it is time.
    pub(crate) fn confirm(&mut self, now: Instant) -> Option<u64> {
        self.due.filter(|&due| due <= now)?;
        (self.due, self.bytes, self.confirmed) = (None, 0, self.received);
        Some(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_count_by_bytes_and_after_a_second() {
        let start = Instant::now();
        let mut receipts = Receipts::new(0);
        for _ in 0..31 {
            receipts.took(1, start);
            assert_eq!(receipts.confirm(start), None);
        }
        receipts.took(1, start);
        assert_eq!(receipts.confirm(start), Some(32));
        assert_eq!(receipts.due(), None);
        receipts.took(16 << 10, start);
        assert_eq!(receipts.confirm(start), Some(33));
        receipts.took(1, start);
        receipts.took(1, start + DELAY / 2);
        assert_eq!(receipts.due(), Some(start + DELAY), "the first one counts");
        assert_eq!(receipts.confirm(start + DELAY), Some(35));
        receipts.start(7, 400);
        receipts.took(100, start);
        assert_eq!(receipts.confirm(start), Some(8), "a quarter of the gateway's buffer");
    }
}
