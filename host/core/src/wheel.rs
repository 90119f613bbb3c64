//! When to look at a connection next.

use crate::id::ConnId;
use crate::time::Time;
use std::collections::BTreeSet;

/// Deadlines of a worker's connections, in ticks of 10 ms: each connection stands in it at most once.
///
/// Whoever is woken looks at its own deadlines, so moving one later costs nothing (the entry fires early and is armed again), and
/// hearing from a peer never touches the wheel.
#[derive(Debug, Default)]
pub(crate) struct Wheel(BTreeSet<(u64, ConnId)>);

const TICK: u64 = 10_000;

/// A deadline rounded up to a tick.
pub(crate) fn tick_of(time: Time) -> u64 {
    time.0.div_ceil(TICK)
}

impl Wheel {
    /// Stands for "not in the wheel".
    pub(crate) const UNARMED: u64 = u64::MAX;

    /// Moves a connection from the tick that it stands at to another.
    pub(crate) fn arm(&mut self, conn: ConnId, from: u64, to: u64) {
        if from != Self::UNARMED {
            self.0.remove(&(from, conn));
        }
        if to != Self::UNARMED {
            self.0.insert((to, conn));
        }
    }

    /// A connection whose tick has come, taken out.
    pub(crate) fn due(&mut self, now: Time) -> Option<ConnId> {
        let (tick, _) = self.0.first()?;
        if tick * TICK > now.0 {
            return None;
        }
        self.0.pop_first().map(|(_, conn)| conn)
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.0.first().map(|(tick, _)| Time(tick * TICK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::WorkerId;

    fn conn(slot: usize) -> ConnId {
        ConnId::new(WorkerId(0), slot, 1)
    }

    #[test]
    fn deadlines_are_rounded_up_so_that_nobody_is_woken_early() {
        assert_eq!([0, 1, 9_999, 10_000, 10_001].map(|at| tick_of(Time(at))), [0, 1, 1, 1, 2]);
        let mut wheel = Wheel::default();
        wheel.arm(conn(1), Wheel::UNARMED, tick_of(Time(10_001)));
        assert_eq!(wheel.next(), Some(Time(20_000)));
        assert_eq!(wheel.due(Time(19_999)), None);
        assert_eq!(wheel.due(Time(20_000)), Some(conn(1)));
        assert_eq!((wheel.due(Time::NEVER), wheel.next()), (None, None));
    }

    #[test]
    fn a_connection_stands_in_it_once_and_the_earliest_comes_first() {
        let mut wheel = Wheel::default();
        wheel.arm(conn(1), Wheel::UNARMED, 5);
        wheel.arm(conn(2), Wheel::UNARMED, 3);
        wheel.arm(conn(3), Wheel::UNARMED, 3);
        wheel.arm(conn(1), 5, 1);
        wheel.arm(conn(3), 3, Wheel::UNARMED);
        let due: Vec<_> = std::iter::from_fn(|| wheel.due(Time(100 * TICK))).collect();
        assert_eq!(due, [conn(1), conn(2)]);
    }
}
