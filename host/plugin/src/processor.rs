//! How much of the processor the calls of an instance take.
//!
//! The time that passes during a call is not what the call took: on a machine with more to do than it can, the thread is held up in
//! the midst of one. The thread's own clock tells, but reading it is a system call, as long as a short call itself. So calls are
//! measured in proportion to what they take: each one where they take [`DEAR`] or more, one in up to [`RAREST`] where they are
//! shorter, and what was measured then counts for those before it too. Which one is measured is drawn, so that nothing regular in
//! the calls is mistaken for their average.
//!
//! The sum is right on average. How far it is off by chance shrinks with the root of the number of measured calls: of 10,000 calls
//! that differ from each other as much as they take on average, with one in 40 measured, by some 6 %; of a million, by 0.6 %.

use cpu_time::ThreadTime;
use std::time::Duration;

/// With calls that take so long, in nanoseconds, measuring each costs a hundredth of them.
const DEAR: u64 = 40_000;
/// Of calls that take next to nothing, one in so many on average.
const RAREST: u64 = 64;

/// What one instance used.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// Calls that were not measured since the last that was.
    skipped: u64,
    /// Calls until one is.
    left: u64,
    /// What a call takes, in nanoseconds: an average of those that were measured, the last ones most.
    usual: u64,
    random: u64,
}

impl Sampler {
    /// `seed`: anything.
    pub(crate) fn new(seed: u64) -> Self {
        // The first call is measured, and taken to be dear, so that the second is too.
        Self { skipped: 0, left: 0, usual: DEAR, random: seed }
    }

    /// Before a call: the thread's clock, where this one is measured.
    pub(crate) fn begin(&self) -> Option<Duration> {
        (self.left == 0).then(|| ThreadTime::now().as_duration())
    }

    /// After a call: the nanoseconds to count.
    pub(crate) fn end(&mut self, begun: Option<Duration>) -> u64 {
        match begun {
            None => self.skip(),
            Some(begun) => self.measured(ThreadTime::now().as_duration().saturating_sub(begun)),
        }
    }

    /// After a call that failed, which is the last of the instance: what is owed for those before it, and for itself what was measured,
    /// or else the time that passed.
    pub(crate) fn fail(&mut self, begun: Option<Duration>, elapsed: Duration) -> u64 {
        let own = begun.map_or(elapsed, |begun| ThreadTime::now().as_duration().saturating_sub(begun));
        let owed = std::mem::take(&mut self.skipped) * self.usual;
        owed + own.as_nanos() as u64
    }

    fn skip(&mut self) -> u64 {
        self.left -= 1;
        self.skipped += 1;
        0
    }

    fn measured(&mut self, took: Duration) -> u64 {
        let took = took.as_nanos() as u64;
        let counted = took * (self.skipped + 1);
        self.skipped = 0;
        self.usual = (self.usual * 7 + took) / 8;
        let rarity = (DEAR / self.usual.max(1)).clamp(1, RAREST);
        // From 0 to twice as many less one: as rare as that on average.
        self.left = self.next_random() % (2 * rarity - 1);
        counted
    }

    /// `SplitMix64`.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is counted of calls that take so long, and how many of them were measured.
    fn count(calls: impl Iterator<Item = u64>) -> (u64, u64, u64) {
        let mut sampler = Sampler::new(7);
        let (mut truth, mut counted, mut measured) = (0, 0, 0);
        for took in calls {
            truth += took;
            if sampler.left == 0 {
                measured += 1;
                counted += sampler.measured(Duration::from_nanos(took));
            } else {
                counted += sampler.skip();
            }
        }
        (truth, counted, measured)
    }

    #[test]
    fn dear_calls_are_all_measured() {
        let (truth, counted, measured) = count((0..1_000).map(|at| DEAR + at * 1_000));
        assert_eq!((truth, 1_000), (counted, measured));
    }

    #[test]
    fn the_sum_of_short_calls_is_close_and_few_are_measured() {
        let mut random = Sampler::new(1);
        for (name, most) in [("even", 1_000), ("odd ones take twenty times as much", 20_000)] {
            let calls: Vec<u64> = (0..1_000_000)
                .map(|at| if at % 2 == 0 { 1_000 } else { 1 + random.next_random() % (2 * most) })
                .collect();
            let (truth, counted, measured) = count(calls.into_iter());
            let off = counted.abs_diff(truth) as f64 / truth as f64;
            assert!(off < 0.03, "{name}: {counted} of {truth}");
            let rarest = 1_000_000 / measured;
            assert!((3..=80).contains(&rarest), "{name}: one in {rarest} measured");
        }
    }

    #[test]
    fn a_call_that_fails_leaves_nothing_uncounted() {
        let mut sampler = Sampler::new(3);
        for _ in 0..100 {
            sampler.measured(Duration::from_micros(1));
            sampler.left = 0;
        }
        sampler.left = 9;
        (0..5).for_each(|_| assert_eq!(sampler.end(None), 0));
        let counted = sampler.fail(None, Duration::from_millis(10));
        assert!((10_005_000..10_006_000).contains(&counted), "{counted}");
    }
}
