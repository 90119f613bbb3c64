//! What was counted about a plugin, added up.

use crate::program::{FailureCause, Worn};
use crate::stats::{CallStats, Histogram};

/// [`CallStats`] of any number of workers and generations, added up at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of CallStats")]
pub struct CallTotals {
    pub calls: u64,
    pub others: [u64; 3],
    pub unanswered: u64,
    pub released: u64,
    pub refused: u64,
    pub cpu_ns: u64,
    /// Of all instances together.
    pub memory: u64,
    /// Of one instance.
    pub memory_peak: u64,
    /// `on-message` calls that gave an answer by how long they took: buckets of [`Histogram::BOUNDS`], not cumulative.
    pub latency: [u64; Histogram::BOUNDS.len() + 1],
    /// How long those took together.
    pub latency_ns: u64,
    pub forwarded: u64,
    pub changed: u64,
    pub dropped: u64,
    pub closed: u64,
    pub held: u64,
    /// By cause; see [`CallTotals::failure`].
    pub failures: [u64; FailureCause::ALL.len()],
    pub refused_effects: u64,
    pub instances: u64,
    pub offloaded: u64,
    pub taken: u64,
    /// As `latency`.
    pub waits: [u64; Histogram::BOUNDS.len() + 1],
    /// How long all those waited together.
    pub waits_ns: u64,
    pub skipped: u64,
    pub batches: u64,
    pub batches_failed: u64,
    /// By cause; see [`CallTotals::renewal`].
    pub renewals: [u64; Worn::ALL.len()],
}

impl CallTotals {
    /// The sum of these counters.
    pub fn of(stats: &[CallStats]) -> Self {
        let mut totals = Self::default();
        for worker in stats {
            totals.count(worker);
        }
        totals
    }

    fn count(&mut self, stats: &CallStats) {
        // Named one by one, so that no counter is forgotten here when there is a new one.
        let CallStats {
            calls,
            others,
            unanswered,
            released,
            refused,
            cpu_ns,
            memory,
            memory_peak,
            latency,
            forwarded,
            changed,
            dropped,
            closed,
            held,
            failures,
            refused_effects,
            instances,
            offloaded,
            taken,
            waits,
            skipped,
            batches,
            batches_failed,
            renewals,
        } = stats;
        let (buckets, nanoseconds) = latency.read();
        let (waits, waits_ns) = waits.read();
        self.add(&Self {
            calls: calls.value(),
            others: std::array::from_fn(|entry| others[entry].value()),
            unanswered: unanswered.value(),
            released: released.value(),
            refused: refused.value(),
            cpu_ns: cpu_ns.value(),
            memory: memory.value(),
            memory_peak: memory_peak.value(),
            latency: buckets,
            latency_ns: nanoseconds,
            forwarded: forwarded.value(),
            changed: changed.value(),
            dropped: dropped.value(),
            closed: closed.value(),
            held: held.value(),
            failures: std::array::from_fn(|cause| failures[cause].value()),
            refused_effects: refused_effects.value(),
            instances: instances.value(),
            offloaded: offloaded.value(),
            taken: taken.value(),
            waits,
            waits_ns,
            skipped: skipped.value(),
            batches: batches.value(),
            batches_failed: batches_failed.value(),
            renewals: std::array::from_fn(|cause| renewals[cause].value()),
        });
    }

    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_add);
        self.memory = self.memory.wrapping_add(other.memory);
        self.memory_peak = self.memory_peak.max(other.memory_peak);
    }

    /// What came since an earlier moment; memory is what it is. Counters are read one after the other while they change: none of them runs backwards here.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.combine(before, u64::saturating_sub);
        self
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        let each = |own: &mut [u64], other: &[u64]| {
            own.iter_mut().zip(other).for_each(|(own, other)| *own = with(*own, *other));
        };
        each(&mut self.latency, &other.latency);
        each(&mut self.waits, &other.waits);
        each(&mut self.failures, &other.failures);
        each(&mut self.others, &other.others);
        each(&mut self.renewals, &other.renewals);
        self.unanswered = with(self.unanswered, other.unanswered);
        self.released = with(self.released, other.released);
        self.refused = with(self.refused, other.refused);
        self.cpu_ns = with(self.cpu_ns, other.cpu_ns);
        self.calls = with(self.calls, other.calls);
        self.latency_ns = with(self.latency_ns, other.latency_ns);
        self.forwarded = with(self.forwarded, other.forwarded);
        self.changed = with(self.changed, other.changed);
        self.dropped = with(self.dropped, other.dropped);
        self.closed = with(self.closed, other.closed);
        self.held = with(self.held, other.held);
        self.refused_effects = with(self.refused_effects, other.refused_effects);
        self.instances = with(self.instances, other.instances);
        self.offloaded = with(self.offloaded, other.offloaded);
        self.taken = with(self.taken, other.taken);
        self.waits_ns = with(self.waits_ns, other.waits_ns);
        self.skipped = with(self.skipped, other.skipped);
        self.batches = with(self.batches, other.batches);
        self.batches_failed = with(self.batches_failed, other.batches_failed);
    }

    /// Calls of `on-message`.
    pub fn messages(&self) -> u64 {
        self.calls.saturating_sub(self.others.iter().sum())
    }

    /// Calls that wait in the queues of threads that are not workers.
    pub fn waiting(&self) -> u64 {
        // Those who put and those who take count by themselves: one may be seen before the other.
        self.offloaded.saturating_sub(self.taken)
    }

    /// Calls that gave no answer for this cause.
    pub fn failure(&self, cause: FailureCause) -> u64 {
        self.failures[cause as usize]
    }

    /// Instances that were renewed for this cause.
    pub fn renewal(&self, cause: Worn) -> u64 {
        self.renewals[cause as usize]
    }

    /// Calls that gave no answer.
    pub fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_in_the_sum() {
        let stats: Vec<CallStats> = (0..2).map(|_| CallStats::default()).collect();
        for (by, worker) in [(1, &stats[0]), (2, &stats[1])] {
            worker.calls.add(by);
            worker.latency.record(1_500 * by);
            worker.forwarded.add(2 * by);
            worker.changed.add(3 * by);
            worker.dropped.add(4 * by);
            worker.closed.add(5 * by);
            worker.held.add(6 * by);
            worker.failure(FailureCause::Trap).add(7 * by);
            worker.failure(FailureCause::BackOff).add(8 * by);
            worker.refused_effects.add(9 * by);
            worker.instances.add(10 * by);
            worker.offloaded.add(17 * by);
            worker.taken.add(16 * by);
            worker.waits.record(1_500 * by);
            worker.renewal(Worn::Memory).add(15 * by);
            worker.others[2].add(by);
            worker.unanswered.add(11 * by);
            worker.released.add(12 * by);
            worker.refused.add(13 * by);
            worker.cpu_ns.add(14 * by);
            worker.skipped.add(16 * by);
            worker.batches.add(17 * by);
            worker.batches_failed.add(18 * by);
            worker.memory.set(100 * by);
            worker.memory_peak.set(200 * by);
        }
        let totals = CallTotals::of(&stats);
        let counts = [totals.calls, totals.forwarded, totals.changed, totals.dropped, totals.closed];
        assert_eq!(counts, [3, 6, 9, 12, 15]);
        assert_eq!((totals.held, totals.failed(), totals.failure(FailureCause::BackOff)), (18, 45, 24));
        assert_eq!((totals.refused_effects, totals.instances), (27, 30));
        assert_eq!((totals.offloaded, totals.taken, totals.waiting()), (51, 48, 3));
        assert_eq!((totals.waits_ns, totals.waits[1], totals.waits[2]), (4_500, 1, 1));
        assert_eq!((totals.others, totals.messages(), totals.unanswered), ([0, 0, 3], 0, 33));
        assert_eq!((totals.released, totals.refused, totals.cpu_ns), (36, 39, 42));
        assert_eq!((totals.skipped, totals.batches, totals.batches_failed), (48, 51, 54));
        assert_eq!((totals.memory, totals.memory_peak), (300, 400), "of all; of the largest");
        assert_eq!((totals.latency_ns, totals.latency[1], totals.latency[2]), (4_500, 1, 1));
        let first = CallTotals::of(&stats[..1]);
        let second = CallTotals::of(&stats[1..]);
        let later = CallTotals { memory: 300, memory_peak: 400, ..second };
        assert_eq!(totals.since(&first), later);
        let none = CallTotals { memory: 100, memory_peak: 200, ..CallTotals::default() };
        assert_eq!(first.since(&totals), none, "nothing runs backwards");
        let mut both = first;
        both.add(&second);
        assert_eq!(both, totals);
    }
}
