//! What one thread counted.

use crate::shared::Nanos;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Longest latency that is told from longer ones: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// Nanoseconds, to three significant digits.
pub(crate) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, LONGEST, 3).unwrap_or_else(|_| unreachable_bounds());
    histogram.auto(false);
    histogram
}

#[expect(clippy::panic, reason = "the bounds are constants that are valid")]
fn unreachable_bounds() -> Histogram<u64> {
    panic!("1 to {LONGEST} at 3 digits are valid bounds")
}

/// Something that went wrong: how often, and a sentence about the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) count: u64,
    pub(crate) about: String,
}

/// Counters and latencies of a thread; those of all threads are added up in the end.
#[derive(Debug)]
pub(crate) struct Tally {
    /// From when a message was sent, or should have been, to when it came back; of those sent in the window.
    pub(crate) latency: Histogram<u64>,
    /// How long after its time a message of a schedule was sent.
    pub(crate) lateness: Histogram<u64>,
    /// Latencies that are alike are recorded together.
    alike: (u64, u64),
    /// In the window.
    pub(crate) sent: u64,
    /// In the window: echoes, or deliveries.
    pub(crate) received: u64,
    /// Of messages in the window, those without a marker included.
    pub(crate) bytes: u64,
    /// Messages without a marker, where there should be one: what a server says of its own.
    pub(crate) other: u64,
    pub(crate) open: u64,
    pub(crate) failed: u64,
    /// By the server, before the end.
    pub(crate) closed: u64,
    pub(crate) errors: BTreeMap<String, Trouble>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latency: histogram(),
            lateness: histogram(),
            alike: (0, 0),
            sent: 0,
            received: 0,
            bytes: 0,
            other: 0,
            open: 0,
            failed: 0,
            closed: 0,
            errors: BTreeMap::new(),
        }
    }
}

impl Tally {
    #[inline]
    pub(crate) fn latency(&mut self, nanos: Nanos) {
        if nanos == self.alike.0 {
            self.alike.1 += 1;
            return;
        }
        self.flush();
        self.alike = (nanos, 1);
    }

    fn flush(&mut self) {
        let (nanos, count) = std::mem::take(&mut self.alike);
        if count > 0 {
            self.latency.saturating_record_n(nanos.max(1), count);
        }
    }

    /// Counts so many of them.
    pub(crate) fn errors(&mut self, reason: &str, count: u64, about: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        if let Some(trouble) = self.errors.get_mut(reason) {
            trouble.count += count;
        } else {
            self.errors.insert(reason.into(), Trouble { count, about: about() });
        }
    }

    pub(crate) fn error(&mut self, reason: &str, about: impl FnOnce() -> String) {
        self.errors(reason, 1, about);
    }

    /// Adds another thread's.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.flush();
        other.flush();
        // The bounds are the same, so nothing can fail.
        let _ = self.latency.add(&other.latency);
        let _ = self.lateness.add(&other.lateness);
        self.sent += other.sent;
        self.received += other.received;
        self.bytes += other.bytes;
        self.other += other.other;
        self.open += other.open;
        self.failed += other.failed;
        self.closed += other.closed;
        for (reason, trouble) in other.errors {
            self.errors(&reason, trouble.count, || trouble.about);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up() {
        let (mut first, mut second) = (Tally::default(), Tally::default());
        for nanos in [1_000, 1_000, 2_000] {
            first.latency(nanos);
        }
        second.latency(5_000_000);
        second.latency(0);
        first.error("lost", || "one".into());
        second.errors("lost", 2, || "other".into());
        second.errors("late", 0, || "none".into());
        let mut all = Tally::default();
        all.add(first);
        all.add(second);
        assert_eq!((all.latency.len(), all.latency.min()), (5, 1));
        assert!(all.latency.value_at_quantile(0.5).abs_diff(1_000) <= 1);
        assert_eq!(all.errors.len(), 1);
        assert_eq!(all.errors["lost"], Trouble { count: 3, about: "one".into() });
    }
}
