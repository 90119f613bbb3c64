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
    live: Vec<(u64, Counts)>,
}

/// Who counts for one generation: a set for each worker, and one for each thread of its own.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) workers: Arc<[CallStats]>,
    pub(crate) threads: Arc<[CallStats]>,
}

impl Counts {
    /// All of them, added up.
    pub(crate) fn totals(&self) -> CallTotals {
        let mut totals = CallTotals::of(&self.workers);
        totals.add(&CallTotals::of(&self.threads));
        totals
    }
}

impl Ledger {
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, entries: Mutex::default() }
    }

    /// The number and the counters of a new generation with so many threads of its own. Numbers begin with 1.
    pub(crate) fn open(&self, threads: usize) -> (u64, Counts) {
        let sets = |count| (0..count).map(|_| CallStats::default()).collect();
        let counts = Counts { workers: sets(self.workers), threads: sets(threads) };
        let mut entries = self.lock();
        entries.opened += 1;
        let number = entries.opened;
        entries.live.push((number, counts.clone()));
        (number, counts)
    }

    /// The sum over all generations that there ever were.
    pub(crate) fn totals(&self) -> CallTotals {
        let entries = self.lock();
        let mut totals = entries.past;
        for (_, counts) in &entries.live {
            totals.add(&counts.totals());
        }
        totals
    }

    /// Each generation that something still holds, in the order of their numbers; and the sum over those that nothing does. All read at
    /// one moment: together they are the binding's.
    pub(crate) fn read(&self) -> (Vec<(u64, CallTotals)>, CallTotals) {
        let entries = self.lock();
        let live = entries.live.iter().map(|(number, counts)| (*number, counts.totals())).collect();
        (live, entries.past)
    }

    /// Adds up those that have ended before anything is read or opened, so that no more are kept than something holds.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Entries { past, live, .. } = &mut *entries;
        live.retain_mut(|(_, counts)| {
            // Held by this list alone: nobody counts there any more, and what was counted is seen here.
            let counted_on =
                |stats: &mut Arc<[CallStats]>| !stats.is_empty() && Arc::get_mut(stats).is_none();
            if counted_on(&mut counts.workers) || counted_on(&mut counts.threads) {
                return true;
            }
            past.add(&counts.totals());
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
        let (first, one) = ledger.open(0);
        let (second, two) = ledger.open(2);
        assert_eq!((first, second), (1, 2));
        one.workers[0].calls.add(3);
        one.workers[1].calls.add(4);
        two.threads[1].calls.add(5);
        assert_eq!(ledger.totals().calls, 12);
        drop(one);
        let (live, past) = ledger.read();
        assert_eq!((live.len(), live[0].0, live[0].1.calls, past.calls), (1, 2, 5, 7));
        assert_eq!(ledger.totals().calls, 12);
        two.workers[1].calls.add(1);
        assert_eq!(ledger.totals().calls, 13);
        // Its threads may count for longer than workers do.
        let threads = two.threads.clone();
        drop(two);
        threads[0].calls.add(1);
        assert_eq!((ledger.totals().calls, ledger.read().0.len()), (14, 1));
        drop(threads);
        assert_eq!((ledger.totals().calls, ledger.read().0.len()), (14, 0));
    }

    #[test]
    fn a_thousand_generations_leave_nothing_behind() {
        let ledger = Ledger::new(1);
        for _ in 0..1000 {
            ledger.open(1).1.workers[0].calls.add(1);
        }
        assert!(ledger.entries.lock().unwrap().live.len() <= 2);
        assert_eq!((ledger.totals().calls, ledger.open(0).0), (1000, 1001));
    }
}
