//! Whether the process takes new connections at all: what every accept loop asks before anything else.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// One for the process; whoever watches over it sets it, all workers read it.
#[derive(Debug)]
pub struct Overload {
    refusing: AtomicBool,
    /// From which descriptor on connections are refused, and from which on without an answer.
    descriptors: [AtomicI32; 2],
    retry: Duration,
}

impl Default for Overload {
    /// Takes everybody, and tells those whom a limit keeps out to come back within half a minute.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

impl Overload {
    /// Takes everybody. Clients that are refused are told to wait so long at most (at least a second where they are told at all);
    /// zero: they are told nothing.
    pub fn new(retry: Duration) -> Self {
        Self {
            refusing: AtomicBool::new(false),
            descriptors: [AtomicI32::new(RawFd::MAX), AtomicI32::new(RawFd::MAX)],
            retry,
        }
    }

    /// From now on new connections are refused, or not any more.
    pub fn set_refusing(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
    }

    /// While more than `most` of `limit` descriptors are in use, connections are refused too. The system gives the lowest that is
    /// free: so a connection's own number says how many are in use at least, and a burst is noticed at its first connection too many.
    pub fn set_descriptors(&self, most: usize, limit: usize) {
        let whole = |count: usize| RawFd::try_from(count).unwrap_or(RawFd::MAX);
        self.descriptors[0].store(whole(most), Ordering::Relaxed);
        self.descriptors[1].store(whole(most + limit.saturating_sub(most) / 2), Ordering::Relaxed);
    }

    /// Whether new connections are refused.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    /// Whether a connection with this descriptor is one too many.
    pub(crate) fn is_beyond(&self, descriptor: RawFd) -> bool {
        descriptor >= self.descriptors[0].load(Ordering::Relaxed)
    }

    /// Whether descriptors are so few that a connection with this one is not even told why it is refused.
    pub(crate) fn is_far_beyond(&self, descriptor: RawFd) -> bool {
        descriptor >= self.descriptors[1].load(Ordering::Relaxed)
    }

    /// How long a client that is refused is told to wait at most.
    pub(crate) fn retry(&self) -> Duration {
        self.retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_says_how_many_are_in_use() {
        let overload = Overload::default();
        assert!(!overload.is_beyond(1_000_000) && !overload.is_far_beyond(1_000_000));
        overload.set_descriptors(950, 1_000);
        let beyond = |at| (overload.is_beyond(at), overload.is_far_beyond(at));
        assert_eq!(
            [949, 950, 974, 975].map(beyond),
            [(false, false), (true, false), (true, false), (true, true)]
        );
    }
}
