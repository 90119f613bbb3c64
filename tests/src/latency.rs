//! How long things took: counts in buckets of a sixteenth of an octave, so that half an hour of them takes no memory.

use std::time::Duration;

/// Buckets of an octave.
const STEPS: u32 = 16;

/// Durations, to the microsecond below 32 µs and to 6 % above.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    buckets: Vec<u64>,
    count: u64,
    longest: u64,
}

impl Latency {
    /// Counts one.
    pub fn record(&mut self, micros: u64) {
        let bucket = bucket(micros);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.longest = self.longest.max(micros);
    }

    /// How many were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub const fn longest(&self) -> Duration {
        Duration::from_micros(self.longest)
    }

    /// So long did this part of them take at most, e.g. 0.99; zero if there were none.
    pub fn quantile(&self, part: f64) -> Duration {
        let rank = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return Duration::from_micros(bound(bucket).min(self.longest));
            }
        }
        self.longest()
    }
}

fn bucket(micros: u64) -> usize {
    let octave = micros.max(1).ilog2().saturating_sub(STEPS.ilog2());
    ((octave * STEPS) as usize) + (micros >> octave) as usize
}

/// The longest that is counted there.
fn bound(bucket: usize) -> u64 {
    let octave = (bucket as u32 / STEPS).saturating_sub(1);
    let step = bucket as u64 - u64::from(octave * STEPS);
    ((step + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_sixteenth() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.99), Duration::ZERO);
        (1..=100_000).for_each(|micros| latency.record(micros));
        for (part, exact) in [(0.5, 50_000_f64), (0.99, 99_000.), (0.00005, 5.), (1., 100_000.)] {
            let found = latency.quantile(part).as_micros() as f64;
            assert!((exact..=exact * 1.07).contains(&found), "{part}: {found}");
        }
        assert_eq!((latency.count(), latency.longest().as_millis()), (100_000, 100));
    }
}
