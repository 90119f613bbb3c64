//! How fast connections are accepted.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// So much of the rate may come at once.
const BURST: Duration = Duration::from_millis(100);

/// A token bucket that makes the accept loop wait: connections queue in the kernel's backlog and are not refused.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Time that one connection takes; zero: no limit.
    interval: Duration,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Rate {
    /// One worker's part of `rate` connections a second; 0: no limit.
    pub(crate) fn new(rate: u32, workers: usize) -> Self {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX);
        let interval = Duration::from_secs(1).checked_div(rate).map_or(Duration::ZERO, |each| each * workers);
        Self { interval, full_at: Instant::now() }
    }

    /// Waits for the next token and takes it.
    pub(crate) async fn ready(&mut self) {
        if self.interval.is_zero() {
            return;
        }
        let now = Instant::now();
        let allowed = self.full_at.checked_sub(BURST).unwrap_or(now);
        if allowed > now {
            sleep_until(allowed).await;
        }
        self.full_at = self.full_at.max(Instant::now()) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_the_rate_is_kept() {
        let mut rate = Rate::new(1_000, 2);
        let start = Instant::now();
        for _ in 0..50 {
            rate.ready().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..1_000 {
            rate.ready().await;
        }
        // 500 a second is this worker's part.
        let elapsed = start.elapsed();
        assert!(
            (Duration::from_millis(1_990)..Duration::from_millis(2_010)).contains(&elapsed),
            "{elapsed:?}"
        );
    }
}
