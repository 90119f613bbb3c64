//! How long an experiment takes: as long as figures need, or only long enough to see that it runs.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// For figures.
    Full,
    /// For a test: every setting once and for an instant. What comes out says nothing.
    Short,
}

impl Length {
    /// Rounds that are measured.
    pub(crate) fn rounds(self, rounds: usize) -> usize {
        if self == Self::Full { rounds } else { 1 }
    }

    /// Of a slice.
    pub(crate) fn time(self, time: Duration) -> Duration {
        if self == Self::Full { time } else { time.min(Duration::from_millis(5)) }
    }

    /// Connections; what a slice takes at least grows with them.
    pub(crate) fn connections(self, count: usize) -> usize {
        if self == Self::Full { count } else { count.min(60) }
    }
}
