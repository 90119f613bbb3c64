//! How much may wait for one thread.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What waits now. Workers add and the thread takes away, without a lock: the one never holds up the other. At the very bound two
/// workers that come at once may both be refused, though there was room for one.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    calls: AtomicUsize,
    bytes: AtomicUsize,
}

impl Bounds {
    /// Makes room for a call with so many bytes. False: as much waits as may.
    pub(super) fn enter(&self, bytes: usize, most_calls: usize, most_bytes: usize) -> bool {
        let calls = self.calls.fetch_add(1, Ordering::AcqRel);
        if calls >= most_calls {
            self.calls.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        let before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        // One that is longer than everything that may wait is taken when nothing else does.
        if bytes > 0 && before > 0 && before.saturating_add(bytes) > most_bytes {
            self.leave(bytes);
            return false;
        }
        true
    }

    /// A call waits no longer.
    pub(super) fn leave(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_bytes_are_bounded_and_a_long_one_waits_alone() {
        let bounds = Bounds::default();
        assert!(bounds.enter(500, 3, 100), "alone");
        assert!(!bounds.enter(1, 3, 100));
        assert!(bounds.enter(0, 3, 100), "what has no bytes is not refused for them");
        bounds.leave(500);
        assert!(bounds.enter(60, 3, 100) && !bounds.enter(41, 3, 100) && bounds.enter(40, 3, 100));
        assert!(!bounds.enter(0, 3, 100), "three wait");
        for bytes in [0, 60, 40] {
            bounds.leave(bytes);
        }
        assert_eq!((bounds.calls.into_inner(), bounds.bytes.into_inner()), (0, 0));
    }

    #[test]
    fn whoever_comes_at_once_never_exceeds_it() {
        let bounds = Bounds::default();
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if bounds.enter(1, 3, 100) {
                            most.fetch_max(bounds.bytes.load(Ordering::Acquire), Ordering::AcqRel);
                            bounds.leave(1);
                        }
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(bounds.calls.into_inner(), 0);
    }
}
