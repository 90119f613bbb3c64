//! How fast connections are told that they end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time that one takes: 10,000 a second on a worker.
const EACH: Duration = Duration::from_micros(100);
/// So many may go at once.
const BURST: u32 = 32;

/// One datagram tells a client of its connection's end, and it is not sent again to one that says nothing. Where thousands end in the
/// same instant they would meet full buffers: of the line, and of clients that share a socket.
#[derive(Debug)]
pub(crate) struct Goodbyes {
    /// When the bucket will be full again.
    full_at: Mutex<Instant>,
}

impl Goodbyes {
    pub(crate) fn new() -> Self {
        Self { full_at: Mutex::new(Instant::now()) }
    }

    /// When the next may go, if not at once.
    pub(crate) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (*full_at).max(now);
        *full_at = before + EACH;
        let at = before.checked_sub(EACH * BURST)?;
        (at > now).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_and_then_the_rate_is_kept() {
        let goodbyes = Goodbyes::new();
        let began = Instant::now();
        for _ in 0..=BURST {
            assert_eq!(goodbyes.next(), None);
        }
        for number in 1..=1_000 {
            assert_eq!(goodbyes.next(), Some(began + EACH * number));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(goodbyes.next(), None);
    }
}
