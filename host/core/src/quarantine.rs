//! When a plugin is not tried again.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a generation of a binding has failed so often in a row that no worker makes an instance of it any more. One for all workers:
/// what fails on every message of one fails on those of the others, and what a session meets must not depend on whose it is.
#[derive(Debug)]
pub struct Quarantine {
    after: u32,
    on: AtomicBool,
}

impl Default for Quarantine {
    /// After eight failures in a row on one worker: when the longest time between two instances is over once.
    fn default() -> Self {
        Self::after(8)
    }
}

impl Quarantine {
    /// After so many failures in a row on one worker; 0: never.
    pub const fn after(failures: u32) -> Self {
        Self { after: failures, on: AtomicBool::new(false) }
    }

    /// Whether it has begun. It ends with the generation.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// A worker counts this many failures in a row. True: that was one too many, and nobody had noticed yet.
    pub(crate) fn begins(&self, failures: u32) -> bool {
        self.after != 0 && failures >= self.after && !self.on.swap(true, Ordering::Relaxed)
    }
}
