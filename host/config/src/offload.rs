//! Validated: where a plugin is called.

use std::time::Duration;

/// Where a plugin is called, and on which threads if they are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Whether it has threads of its own; else it is called on the workers.
    pub offload: bool,
    /// How many, from 1 to 64.
    pub threads: usize,
    /// Calls that wait for each, from 1 to 1,000,000.
    pub queue: usize,
    /// Bytes of messages that wait for each, from 64 KiB to 4 GiB.
    pub queue_bytes: usize,
    /// How long a message waits for its call to begin, from 10 ms to 10 minutes.
    pub queue_wait: Duration,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            offload: false,
            threads: 1,
            queue: 1024,
            queue_bytes: 16 << 20,
            queue_wait: Duration::from_secs(10),
        }
    }
}
