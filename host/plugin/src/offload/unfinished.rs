//! Calls of the whole process that threads of plugins were asked for and have not come to the end of.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Counts them. Workers, who add, never take the lock: whoever ends the last one does, for those who wait for that.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    calls: AtomicUsize,
    lock: Mutex<()>,
    none: Condvar,
}

impl Unfinished {
    pub(super) fn begin(&self) {
        self.calls.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end(&self) {
        if self.calls.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Whoever waits has looked, or is told.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.none.notify_all();
        }
    }

    /// Waits until there is none, or for so long. Gives how many are left.
    pub(crate) fn wait(&self, most: Duration) -> usize {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let some = |(): &mut ()| self.calls.load(Ordering::Acquire) > 0;
        drop(self.none.wait_timeout_while(guard, most, some).unwrap_or_else(PoisonError::into_inner));
        self.calls.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_waited_for_the_last_and_no_longer_than_said() {
        let unfinished = Unfinished::default();
        assert_eq!(unfinished.wait(Duration::from_mins(1)), 0, "there is none");
        unfinished.begin();
        unfinished.begin();
        assert_eq!(unfinished.wait(Duration::from_millis(1)), 2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| unfinished.wait(Duration::from_mins(1)));
            unfinished.end();
            unfinished.end();
            assert_eq!(waiting.join().unwrap(), 0);
        });
    }
}
