//! When messages should be sent, whatever the server does meanwhile.

/// The times of one sender at a steady rate that all senders share. They take turns: the times of one lie evenly between those of the
/// others, so that a rate is a rate and not a burst of everybody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// Nanoseconds since the run began.
    pub(crate) start: u64,
    /// Between two messages of all senders together, in nanoseconds.
    pub(crate) between: f64,
    /// All of them.
    pub(crate) senders: u64,
    /// Which of them this is.
    pub(crate) number: u64,
}

impl Schedule {
    /// When its message of this number is due.
    pub(crate) fn at(&self, sequence: u64) -> u64 {
        self.start + ((sequence * self.senders + self.number) as f64 * self.between) as u64
    }

    /// How many are due by then, that moment included.
    pub(crate) fn due(&self, now: u64) -> u64 {
        if now < self.at(0) {
            return 0;
        }
        let turns = (now - self.start) as f64 / self.between - self.number as f64;
        let mut due = (turns.max(0.0) / self.senders as f64) as u64;
        // What rounding took or gave.
        while self.at(due) <= now {
            due += 1;
        }
        while due > 0 && self.at(due - 1) > now {
            due -= 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_spread_over_all_senders() {
        let of = |number| Schedule { start: 1_000, between: 250_000.0, senders: 4, number };
        let mut all: Vec<u64> =
            (0..4).flat_map(|number| (0..3).map(move |turn| of(number).at(turn))).collect();
        all.sort_unstable();
        let expected: Vec<u64> = (0..12).map(|turn| 1_000 + turn * 250_000).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn what_is_due_and_when_agree() {
        for between in [1.0, 333.333, 1_000.0, 7.7e9] {
            for number in [0, 3] {
                let schedule = Schedule { start: 12_345, between, senders: 5, number };
                assert_eq!(schedule.due(0), 0);
                for sequence in [0, 1, 2, 1_000, 1_000_000] {
                    let at = schedule.at(sequence);
                    assert_eq!(schedule.due(at), sequence + 1, "{between} {number} {sequence}");
                    assert_eq!(schedule.due(at - 1), sequence, "{between} {number} {sequence}");
                }
            }
        }
    }

    #[test]
    fn a_day_of_it_does_not_drift() {
        let schedule = Schedule { start: 0, between: 1e9 / 30_000.0, senders: 1, number: 0 };
        assert!(schedule.at(30_000 * 86_400).abs_diff(86_400_000_000_000) <= 1);
    }
}
