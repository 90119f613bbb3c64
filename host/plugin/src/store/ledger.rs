//! The counters of a binding's generations, and their sum, which never runs backwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weir_core::{CallStats, CallTotals};

/// Who counts for a binding: every generation that something still holds by itself, those before them together.
#[derive(Debug)]
pub(crate) struct Ledger {
    workers: usize,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// The sum over generations that nothing holds any more: they count no further.
    past: CallTotals,
    opened: u64,
    live: Vec<(u64, Arc<[CallStats]>)>,
}

impl Ledger {
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, entries: Mutex::default() }
    }

    /// The number and the counters, one set a worker, of a new generation. Numbers begin with 1.
    pub(crate) fn open(&self) -> (u64, Arc<[CallStats]>) {
        let stats: Arc<[CallStats]> = (0..self.workers).map(|_| CallStats::default()).collect();
        let mut entries = self.lock();
        entries.opened += 1;
        let number = entries.opened;
        entries.live.push((number, stats.clone()));
        (number, stats)
    }

    /// The sum over all generations that there ever were.
    pub(crate) fn totals(&self) -> CallTotals {
        let entries = self.lock();
        let mut totals = entries.past;
        for (_, stats) in &entries.live {
            totals.add(&CallTotals::of(stats));
        }
        totals
    }

    /// Each generation that something still holds, in the order of their numbers; and the sum over those that nothing does. All read at
    /// one moment: together they are the binding's.
    pub(crate) fn read(&self) -> (Vec<(u64, CallTotals)>, CallTotals) {
        let entries = self.lock();
        let live = entries.live.iter().map(|(number, stats)| (*number, CallTotals::of(stats))).collect();
        (live, entries.past)
    }

    /// Adds up those that have ended before anything is read or opened, so that no more are kept than something holds.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Entries { past, live, .. } = &mut *entries;
        live.retain_mut(|(_, stats)| {
            // Held by this list alone: nobody counts there any more, and what was counted is seen here.
            let Some(ended) = Arc::get_mut(stats) else { return true };
            past.add(&CallTotals::of(ended));
            false
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_keeps_what_generations_counted_that_are_gone() {
        let ledger = Ledger::new(2);
        let (first, one) = ledger.open();
        let (second, two) = ledger.open();
        assert_eq!((first, second), (1, 2));
        one[0].calls.add(3);
        one[1].calls.add(4);
        two[0].calls.add(5);
        assert_eq!(ledger.totals().calls, 12);
        drop(one);
        let (live, past) = ledger.read();
        assert_eq!((live.len(), live[0].0, live[0].1.calls, past.calls), (1, 2, 5, 7));
        assert_eq!(ledger.totals().calls, 12);
        two[1].calls.add(1);
        assert_eq!(ledger.totals().calls, 13);
    }

    #[test]
    fn a_thousand_generations_leave_nothing_behind() {
        let ledger = Ledger::new(1);
        for _ in 0..1000 {
            ledger.open().1[0].calls.add(1);
        }
        assert!(ledger.entries.lock().unwrap().live.len() <= 2);
        assert_eq!((ledger.totals().calls, ledger.open().0), (1000, 1001));
    }
}
