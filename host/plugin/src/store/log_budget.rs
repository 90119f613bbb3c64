//! How many log lines a binding may write on one worker.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A window of one second and what was written in it. It outlives the instance: one that traps on every message gets no fresh budget
/// with each renewal. Written by its worker alone, so that loads and stores do.
#[derive(Debug, Default)]
pub(crate) struct LogBudget {
    window: AtomicU64,
    written: AtomicU32,
    unreported: AtomicU64,
    dropped: AtomicU64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Written, after a word on so many lines that were dropped before it.
    Written { dropped_before: u64 },
    /// Not written.
    Dropped,
}

impl LogBudget {
    /// Asks for one line at a time in milliseconds, `rate` a second.
    pub(crate) fn admit(&self, now: u64, rate: u32) -> Admission {
        let window = now / 1000 + 1;
        if self.window.load(Ordering::Relaxed) != window {
            self.window.store(window, Ordering::Relaxed);
            self.written.store(0, Ordering::Relaxed);
        }
        let written = self.written.load(Ordering::Relaxed);
        if written >= rate {
            self.unreported.fetch_add(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Admission::Dropped;
        }
        self.written.store(written + 1, Ordering::Relaxed);
        Admission::Written { dropped_before: self.unreported.swap(0, Ordering::Relaxed) }
    }

    /// Lines ever dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_told_of_in_the_next_second() {
        let budget = LogBudget::default();
        assert_eq!(budget.admit(500, 2), Admission::Written { dropped_before: 0 });
        assert_eq!(budget.admit(501, 2), Admission::Written { dropped_before: 0 });
        assert_eq!(budget.admit(502, 2), Admission::Dropped);
        assert_eq!(budget.admit(999, 2), Admission::Dropped);
        assert_eq!(budget.admit(1000, 2), Admission::Written { dropped_before: 2 });
        assert_eq!(budget.dropped(), 2);
    }
}
