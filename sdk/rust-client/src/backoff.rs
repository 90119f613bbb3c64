//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential backoff with full jitter: a random time from nothing up to a ceiling that doubles with every attempt. Clients
/// that were cut at the same moment come back spread.
#[derive(Debug)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(base: Duration, max: Duration) -> Self {
        Self { base, max, attempts: 0 }
    }

    /// Attempts since the last reset.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The time to wait, on top of what the gateway asked for. `random`: from 0 to 1.
    pub(crate) fn next(&mut self, at_least: Duration, random: f64) -> Duration {
        let doubled = 2_u32.checked_pow(self.attempts).and_then(|factor| self.base.checked_mul(factor));
        let ceiling = doubled.map_or(self.max, |doubled| doubled.min(self.max));
        self.attempts = self.attempts.saturating_add(1);
        at_least + ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// A connection has lasted: the next loss is a new one.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(32);

    #[test]
    fn the_ceiling_doubles_up_to_32_seconds() {
        let mut backoff = Backoff::new(BASE, MAX);
        let delays: Vec<_> = (0..40).map(|_| backoff.next(Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(delays[..8], [500, 1000, 2000, 4000, 8000, 16000, 32000, 32000]);
        assert!(delays[8..].iter().all(|&delay| delay == 32_000));
        backoff.reset();
        assert_eq!(backoff.next(Duration::ZERO, 1.0), BASE);
    }

    #[test]
    fn jitter_is_all_of_it_and_what_the_gateway_asks_for_is_a_minimum() {
        assert_eq!(Backoff::new(BASE, MAX).next(Duration::ZERO, 0.0), Duration::ZERO);
        let asked = Duration::from_millis(4321);
        assert_eq!(Backoff::new(BASE, MAX).next(asked, 0.5), Duration::from_millis(4571));
    }
}
