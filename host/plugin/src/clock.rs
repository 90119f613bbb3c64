//! The time that plugins see.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks; the monotonic one begins with the runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Milliseconds since the runtime began.
    pub(crate) fn monotonic(self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Milliseconds since 1970; 0 on a machine whose clock is before that.
    pub(crate) fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }
}
