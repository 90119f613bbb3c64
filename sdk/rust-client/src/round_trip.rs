//! How long answers take.

use std::time::Duration;

const FLOOR: Duration = Duration::from_secs(2);
const CEILING: Duration = Duration::from_secs(8);

/// Smoothed round trip and its deviation (RFC 6298, section 2).
#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    known: Option<(Duration, Duration)>,
}

impl RoundTrip {
    pub(crate) fn sample(&mut self, took: Duration) {
        self.known = Some(match self.known {
            None => (took, took / 2),
            Some((smoothed, deviation)) => {
                (smoothed * 7 / 8 + took / 8, deviation * 3 / 4 + smoothed.abs_diff(took) / 4)
            }
        });
    }

    /// After this an answer is overdue: one and a half times what is usual, from 2 to 8 seconds.
    pub(crate) fn deadline(&self) -> Duration {
        let usual = |(smoothed, deviation): (Duration, Duration)| (smoothed + deviation * 4) * 3 / 2;
        self.known.map_or(CEILING, |known| usual(known).clamp(FLOOR, CEILING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_follow_what_is_usual() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.deadline(), CEILING);
        (0..50).for_each(|_| round_trip.sample(Duration::from_millis(20)));
        assert_eq!(round_trip.deadline(), FLOOR);
        (0..200).for_each(|_| round_trip.sample(Duration::from_secs(3)));
        assert!(round_trip.deadline().abs_diff(Duration::from_millis(4500)) < Duration::from_millis(10));
        (0..200).for_each(|_| round_trip.sample(Duration::from_mins(1)));
        assert_eq!(round_trip.deadline(), CEILING);
    }
}
