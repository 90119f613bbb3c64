//! Whether an endpoint is passed over.

use std::time::Duration;
use tokio::time::Instant;

/// For so long an endpoint is passed over after its first failure; each further one in a row doubles it.
const FIRST: Duration = Duration::from_millis(500);
/// No longer than this, or an endpoint that is back would stay unused.
const LONGEST: Duration = Duration::from_secs(30);

/// What the last attempts say. Success clears all of it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Times passed over since the last success.
    streak: u32,
    /// `None` only with a streak of zero.
    until: Option<Instant>,
}

impl Health {
    pub(crate) fn is_passed_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// An attempt failed that began at `began`. If that was before the endpoint's last return, it is no news: a thousand sessions
    /// that meet the same outage double the time once, not a thousand times.
    pub(crate) fn failed(&mut self, began: Instant, now: Instant) {
        if self.is_passed_over(began) {
            return;
        }
        let time = FIRST.saturating_mul(1_u32.checked_shl(self.streak).unwrap_or(u32::MAX)).min(LONGEST);
        self.streak = self.streak.saturating_add(1);
        self.until = Some(now + time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_success_clears_it() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        assert!(!health.is_passed_over(now));
        for milliseconds in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            health.failed(now, now);
            let time = Duration::from_millis(milliseconds);
            assert!(health.is_passed_over(now + time.checked_sub(Duration::from_nanos(1)).unwrap()));
            now += time;
            assert!(!health.is_passed_over(now), "after {time:?}");
        }
        for _ in 0..100 {
            health.failed(now, now);
            now += LONGEST;
        }
        health.succeeded();
        health.failed(now, now);
        assert!(!health.is_passed_over(now + FIRST));
    }

    #[test]
    fn one_outage_counts_once() {
        let (mut health, began) = (Health::default(), Instant::now());
        let later = began + Duration::from_secs(3);
        health.failed(began, later);
        for _ in 0..1_000 {
            // Begun together with the first, or let through while everybody was passed over.
            health.failed(began, later);
            health.failed(later, later);
        }
        assert!(health.is_passed_over(later));
        assert!(!health.is_passed_over(later + FIRST));
    }
}
