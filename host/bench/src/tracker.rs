//! What of a stream of numbered messages has come: in order, late, twice, or not at all.

use std::ops::Range;

/// Holes that are remembered. A server that loses more stretches than this loses the oldest for good: what comes after all is then
/// counted as doubled.
const MOST_HOLES: usize = 1_024;

/// What a message is that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next, or one behind a hole.
    InOrder,
    /// It was overtaken by one that was sent later.
    OutOfOrder,
    /// It had been given up.
    Late,
    /// It has been here before.
    Doubled,
}

/// Of one sender and one receiver.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// One more than the highest that came, or was given up.
    next: u64,
    /// Numbers below `next` that did not come, ascending, without neighbours that touch.
    holes: Vec<Range<u64>>,
    /// Numbers below this were given up when they were missing.
    given_up: u64,
    /// Holes that are not remembered any more, in messages.
    forgotten: u64,
}

impl Tracker {
    /// The lowest number that nothing is known of.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Messages that did not come, of those below [`next`](Self::next).
    pub(crate) fn missing(&self) -> u64 {
        self.forgotten + self.holes.iter().map(|hole| hole.end - hole.start).sum::<u64>()
    }

    /// A message came.
    #[inline]
    pub(crate) fn arrived(&mut self, sequence: u64) -> Arrival {
        if sequence == self.next {
            self.next += 1;
            return Arrival::InOrder;
        }
        self.out_of_line(sequence)
    }

    #[cold]
    fn out_of_line(&mut self, sequence: u64) -> Arrival {
        if sequence > self.next {
            self.hole(self.next..sequence);
            self.next = sequence + 1;
            return Arrival::InOrder;
        }
        let at = self.holes.partition_point(|hole| hole.end <= sequence);
        let Some(hole) = self.holes.get_mut(at).filter(|hole| hole.contains(&sequence)) else {
            return Arrival::Doubled;
        };
        let before = hole.start..sequence;
        hole.start = sequence + 1;
        match (before.is_empty(), hole.is_empty()) {
            (true, true) => {
                self.holes.remove(at);
            }
            (true, false) => {}
            (false, true) => *hole = before,
            // One hole has become two.
            (false, false) => {
                self.holes.insert(at, before);
                self.forget_oldest();
            }
        }
        if sequence < self.given_up { Arrival::Late } else { Arrival::OutOfOrder }
    }

    /// Nothing more is waited for of what was sent so far.
    pub(crate) fn give_up(&mut self, sent: u64) {
        if sent > self.next {
            self.hole(self.next..sent);
            self.next = sent;
        }
        self.given_up = self.next;
    }

    fn hole(&mut self, hole: Range<u64>) {
        match self.holes.last_mut() {
            Some(last) if last.end == hole.start => last.end = hole.end,
            _ => {
                self.holes.push(hole);
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        if self.holes.len() > MOST_HOLES {
            let oldest = self.holes.remove(0);
            self.forgotten += oldest.end - oldest.start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrivals(tracker: &mut Tracker, sequences: impl IntoIterator<Item = u64>) -> Vec<Arrival> {
        sequences.into_iter().map(|sequence| tracker.arrived(sequence)).collect()
    }

    #[test]
    fn each_fate_has_its_name() {
        use Arrival::{Doubled, InOrder, Late, OutOfOrder};
        let mut tracker = Tracker::default();
        assert_eq!(
            arrivals(&mut tracker, [0, 1, 1, 5, 3, 3, 2, 6]),
            [InOrder, InOrder, Doubled, InOrder, OutOfOrder, Doubled, OutOfOrder, InOrder]
        );
        assert_eq!((tracker.next(), tracker.missing()), (7, 1));
        tracker.give_up(9);
        assert_eq!((tracker.next(), tracker.missing()), (9, 3));
        assert_eq!(arrivals(&mut tracker, [8, 4, 9, 8]), [Late, Late, InOrder, Doubled]);
        assert_eq!((tracker.next(), tracker.missing()), (10, 1));
    }

    #[test]
    fn holes_are_bounded_and_none_is_lost_from_the_count() {
        let mut tracker = Tracker::default();
        let every_second = (0..10_000).map(|sequence| sequence * 2 + 1);
        assert!(arrivals(&mut tracker, every_second).iter().all(|arrival| *arrival == Arrival::InOrder));
        assert_eq!((tracker.missing(), tracker.holes.len()), (10_000, MOST_HOLES));
        assert_eq!(tracker.arrived(0), Arrival::Doubled);
        assert_eq!(tracker.arrived(19_998), Arrival::OutOfOrder);
        assert_eq!(tracker.missing(), 9_999);
    }

    /// What comes in the middle of a hole makes two of one.
    #[test]
    fn holes_are_bounded_however_they_come_about() {
        let mut tracker = Tracker::default();
        tracker.arrived(10_000);
        let every_second = (0..5_000).map(|sequence| sequence * 2 + 1);
        let late = arrivals(&mut tracker, every_second);
        assert!(late.iter().all(|arrival| *arrival == Arrival::OutOfOrder));
        assert_eq!((tracker.missing(), tracker.holes.len()), (5_000, MOST_HOLES));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(sequences in prop::collection::vec(0_u64..60, 0..200)) {
            let mut tracker = Tracker::default();
            let mut seen = std::collections::BTreeSet::new();
            for sequence in sequences {
                let behind = seen.last().is_some_and(|last| sequence < *last);
                let expected = match (seen.insert(sequence), behind) {
                    (false, _) => Arrival::Doubled,
                    (true, true) => Arrival::OutOfOrder,
                    (true, false) => Arrival::InOrder,
                };
                prop_assert_eq!(tracker.arrived(sequence), expected);
                let highest = *seen.last().unwrap();
                prop_assert_eq!(tracker.missing(), highest + 1 - seen.len() as u64);
            }
        }
    }
}
