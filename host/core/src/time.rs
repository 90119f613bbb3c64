//! Time as an argument.

use std::ops::Add;
use std::time::Duration;

/// A point in time: microseconds since the gateway began. The core never asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// Later than anything.
    pub const NEVER: Self = Self(u64::MAX);

    /// The second in which it is, since the gateway began.
    pub(crate) const fn second(self) -> u32 {
        (self.0 / 1_000_000) as u32
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}
