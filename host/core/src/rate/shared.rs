//! Rates that sessions on any worker have in common.

use super::{Cost, after, allows, nanoseconds};
use crate::id::ListenerId;
use crate::time::Time;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Below so many pools nobody looks whether some are not needed any more.
const FEW: usize = 64;

/// The buckets of one value of an attribute. Atomic, so that the rate is exact over workers: a message of such a session costs a
/// compare-and-swap a limit, and those without a shared rate nothing.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Sessions that wanted more than there was.
    waiting: AtomicU32,
}

impl Pool {
    /// Takes whatever it costs.
    pub(super) fn take(&self, now: u64, cost: Cost) {
        for (bucket, cost) in self.buckets(cost) {
            // The update always has a value to give.
            let _ = bucket
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| Some(after(full, now, cost)));
        }
    }

    /// Takes what it costs, if there is so much. False: nothing is taken.
    pub(super) fn try_take(&self, now: u64, cost: Cost) -> bool {
        let mut taken: [Option<(&AtomicU64, u64)>; 2] = [None; 2];
        for (at, (bucket, cost)) in self.buckets(cost).into_iter().enumerate() {
            let update = |full| allows(full, now, cost).then(|| after(full, now, cost));
            if bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).is_err() {
                for (bucket, cost) in taken.into_iter().flatten() {
                    bucket.fetch_sub(cost, Ordering::Relaxed);
                }
                return false;
            }
            taken[at] = Some((bucket, cost));
        }
        true
    }

    /// Gives back what was taken.
    pub(super) fn refund(&self, cost: Cost) {
        for (bucket, cost) in self.buckets(cost) {
            bucket.fetch_sub(cost, Ordering::Relaxed);
        }
    }

    /// When its buckets are full, messages and bytes.
    pub(super) fn full_at(&self) -> (u64, u64) {
        (self.messages.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn join(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    const fn buckets(&self, cost: Cost) -> [(&AtomicU64, u64); 2] {
        [(&self.messages, cost.messages), (&self.bytes, cost.bytes)]
    }

    /// Whether it says no more than a new one would.
    fn is_full(&self, now: u64) -> bool {
        let (messages, bytes) = self.full_at();
        messages.max(bytes) <= now
    }
}

/// The pools of all listeners: those of sessions that are open, and those that are not yet full again, so that a client which comes
/// anew does not find a full one.
#[derive(Debug, Default)]
pub(crate) struct Pools(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    pools: HashMap<(ListenerId, Arc<str>, Arc<str>), Arc<Pool>>,
    /// At so many, those that are not needed are looked for.
    sweep_at: usize,
}

impl Pools {
    /// The pool of an attribute's value. Asked for when a session's attributes have changed, not for each message.
    pub(super) fn of(
        &self,
        listener: ListenerId,
        attribute: &Arc<str>,
        value: &Arc<str>,
        now: Time,
    ) -> Arc<Pool> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.pools.len() >= table.sweep_at.max(FEW) {
            let now = nanoseconds(now);
            // Under the lock nobody takes up one that only the table holds.
            table.pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_full(now));
            // So that each look at all of them is paid for by as many that came since.
            table.sweep_at = 2 * table.pools.len();
        }
        table.pools.entry((listener, attribute.clone(), value.clone())).or_default().clone()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pools.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::{Rate, SECOND};

    fn of(pools: &Pools, value: &str, now: u64) -> Arc<Pool> {
        pools.of(ListenerId(0), &"tenant".into(), &value.into(), Time(now))
    }

    #[test]
    fn a_value_is_one_pool_and_comes_back_as_it_was_left() {
        let pools = Pools::default();
        let cost = Rate { messages: 2, bytes: 100 }.cost(10);
        assert!(of(&pools, "a", 0).try_take(SECOND, cost));
        assert!(of(&pools, "a", 0).try_take(SECOND, cost));
        assert!(!of(&pools, "a", 0).try_take(SECOND, cost), "it is empty, whoever asks");
        assert!(of(&pools, "b", 0).try_take(SECOND, cost));
        assert!(of(&pools, "a", 0).try_take(SECOND + SECOND / 2, cost));
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let pool = Pool::default();
        let cost = Rate { messages: 10, bytes: 100 }.cost(80);
        assert!(pool.try_take(SECOND, cost));
        let before = pool.full_at();
        assert!(!pool.try_take(SECOND, cost), "too many bytes, though not too many messages");
        assert_eq!(pool.full_at(), before);
        pool.refund(cost);
        assert_eq!(pool.full_at(), (SECOND, SECOND));
    }

    #[test]
    fn pools_that_nobody_needs_go() {
        let pools = Pools::default();
        let cost = Rate { messages: 1, bytes: 0 }.cost(1);
        let held = of(&pools, "held", 0);
        of(&pools, "owing", 0).take(3_600 * SECOND, cost);
        for client in 0..10_000 {
            of(&pools, &client.to_string(), client);
            assert!(pools.len() <= FEW + 1, "{}", pools.len());
        }
        assert!(Arc::ptr_eq(&held, &of(&pools, "held", 0)));
        assert!(!of(&pools, "owing", 0).try_take(3_600 * SECOND, cost));
    }
}
