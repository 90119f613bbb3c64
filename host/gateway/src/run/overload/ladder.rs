//! What is done at which pressure, and when it ends: decisions alone, with time as an argument.

use std::time::Duration;
use weir_config::Steps;

/// For how long sessions are let go before it is looked at what that has brought.
const ROUND: Duration = Duration::from_secs(10);
/// How long is waited for what it brings: memory that was freed goes back to the system some time later.
const WATCH: Duration = Duration::from_secs(10);
/// So much must pressure have fallen for it to have brought something, or risen for another try.
const EFFECT: f64 = 0.01;

/// The steps against overload, each with what those before it do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing is done.
    #[default]
    Calm,
    /// Idle sessions are let go.
    Idle,
    /// Any sessions are.
    Drain,
    /// Nobody new is let in.
    Refuse,
}

impl Level {
    /// Those that do something, in order.
    pub(crate) const STEPS: [Self; 3] = [Self::Idle, Self::Drain, Self::Refuse];

    /// The metric label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Idle => "idle",
            Self::Drain => "drain",
            Self::Refuse => "refuse",
        }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) level: Level,
    /// Whether sessions are let go at the moment.
    pub(crate) shedding: bool,
}

/// Where the process stands.
#[derive(Debug)]
pub(crate) struct Ladder {
    steps: Steps,
    leave: f64,
    dwell: Duration,
    level: Level,
    /// When it came to this level.
    since: Duration,
    round: Round,
}

/// Sessions are let go in rounds, so that they are not all gone before it shows that they were not what pressed.
#[derive(Clone, Copy, Debug)]
enum Round {
    Shedding {
        since: Duration,
        from: f64,
    },
    Watching {
        since: Duration,
        from: f64,
    },
    /// The last round has brought nothing.
    InVain {
        at: f64,
    },
}

impl Ladder {
    pub(crate) fn new(config: &weir_config::Overload) -> Self {
        Self {
            steps: config.steps,
            leave: config.leave,
            dwell: config.dwell,
            level: Level::Calm,
            since: Duration::ZERO,
            round: Round::InVain { at: 1.0 },
        }
    }

    /// What is to be done at this pressure. `now` is since any beginning, and never goes back.
    pub(crate) fn observe(&mut self, now: Duration, pressure: f64) -> Orders {
        let reached = self.highest(pressure);
        // What keeps a step that has begun.
        let kept = self.highest(pressure + self.leave).min(self.level);
        if reached > self.level {
            // At once: there may be no time to lose.
            (self.level, self.since) = (reached, now);
            self.round = Round::Shedding { since: now, from: pressure };
        } else if kept < self.level && now.saturating_sub(self.since) >= self.dwell {
            (self.level, self.since) = (kept, now);
        }
        self.next_round(now, pressure);
        let pressed = self.level > Level::Calm && self.highest(pressure + self.leave) >= self.level;
        let shedding = pressed && matches!(self.round, Round::Shedding { .. });
        Orders { level: self.level, shedding }
    }

    fn highest(&self, pressure: f64) -> Level {
        match pressure {
            _ if pressure >= self.steps.refuse => Level::Refuse,
            _ if pressure >= self.steps.drain => Level::Drain,
            _ if pressure >= self.steps.idle => Level::Idle,
            _ => Level::Calm,
        }
    }

    fn next_round(&mut self, now: Duration, pressure: f64) {
        self.round = match self.round {
            Round::Shedding { since, from } if now.saturating_sub(since) >= ROUND => {
                Round::Watching { since: now, from }
            }
            Round::Watching { since, from } if now.saturating_sub(since) >= WATCH => {
                if pressure <= from - EFFECT {
                    Round::Shedding { since: now, from: pressure }
                } else {
                    Round::InVain { at: pressure }
                }
            }
            Round::InVain { at } if pressure >= at + EFFECT => Round::Shedding { since: now, from: pressure },
            same => same,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Calm, Drain, Idle, Refuse};

    fn ladder() -> Ladder {
        Ladder::new(&weir_config::Overload::default())
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The level at each pressure, a second apart.
    fn levels(ladder: &mut Ladder, from: u64, pressures: &[f64]) -> Vec<Level> {
        (from..)
            .zip(pressures)
            .map(|(second, pressure)| ladder.observe(at(second), *pressure).level)
            .collect()
    }

    #[test]
    fn steps_are_taken_at_once_and_several_at_once() {
        let mut ladder = ladder();
        let pressures = [0.0, 0.84, 0.85, 0.89, 0.90, 0.95, 1.3];
        assert_eq!(levels(&mut ladder, 0, &pressures), [Calm, Calm, Idle, Idle, Drain, Refuse, Refuse]);
        assert_eq!(super::tests::ladder().observe(at(0), 0.99).level, Refuse);
    }

    #[test]
    fn a_step_ends_only_well_below_its_beginning_and_not_at_once() {
        let mut ladder = ladder();
        assert_eq!(ladder.observe(at(0), 0.95).level, Refuse);
        // A little less keeps it, however long.
        assert_eq!(ladder.observe(at(100), 0.91).level, Refuse);
        assert_eq!(ladder.observe(at(101), 0.89).level, Drain);
        // Much less does not end the next before its time.
        assert_eq!(levels(&mut ladder, 102, &[0.3; 9]), [Drain; 9]);
        assert_eq!(ladder.observe(at(111), 0.3).level, Calm);
    }

    #[test]
    fn pressure_that_goes_up_and_down_around_a_mark_changes_nothing() {
        let mut ladder = ladder();
        let mut changes = 0;
        let mut before = Calm;
        for second in 0..1_000 {
            let level = ladder.observe(at(second), if second % 2 == 0 { 0.91 } else { 0.88 }).level;
            changes += u32::from(level != before);
            before = level;
        }
        assert_eq!((changes, before), (1, Drain));
    }

    #[test]
    fn sessions_go_in_rounds_while_that_brings_something() {
        let mut ladder = ladder();
        let mut pressure = 0.94;
        let mut shed = Vec::new();
        for second in 0..60 {
            let orders = ladder.observe(at(second), pressure);
            if orders.shedding {
                shed.push(second);
                pressure -= 0.002;
            }
        }
        let rounds: Vec<u64> = (0..10).chain(20..30).chain(40..50).collect();
        assert_eq!(shed, rounds);
    }

    #[test]
    fn memory_that_does_not_come_back_does_not_cost_all_sessions() {
        let mut ladder = ladder();
        let shed = |ladder: &mut Ladder, from: u64, pressure: f64| {
            (from..from + 1_000).filter(|second| ladder.observe(at(*second), pressure).shedding).count()
        };
        assert_eq!(shed(&mut ladder, 0, 0.92), 10);
        assert_eq!(shed(&mut ladder, 1_000, 0.925), 0, "hardly more than before");
        assert_eq!(shed(&mut ladder, 2_000, 0.94), 10, "more: another try");
        assert_eq!(shed(&mut ladder, 3_000, 0.96), 10, "and another at the next step");
    }

    #[test]
    fn nobody_goes_for_a_step_that_only_waits_for_its_end() {
        let mut ladder = ladder();
        assert!(ladder.observe(at(0), 0.92).shedding);
        assert_eq!(ladder.observe(at(1), 0.5), Orders { level: Drain, shedding: false });
        assert_eq!(ladder.observe(at(10), 0.5), Orders { level: Calm, shedding: false });
    }
}
