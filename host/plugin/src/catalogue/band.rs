//! Whether a generation behaves as the one before it.

use crate::rollout::Band;
use std::time::Duration;
use weir_core::{CallTotals, FailureCause, Histogram};

/// What is compared of two generations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Calls, made or wanted.
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    /// Messages that it dropped or closed the session for.
    pub(crate) drops: u64,
    /// Answers about messages by how long they took.
    pub(crate) latency: [u64; Histogram::BOUNDS.len() + 1],
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// There were too few calls to say.
    TooFew,
    Within,
    /// Why, as the end of a sentence.
    Outside(String),
}

impl Figures {
    pub(crate) fn of(totals: &CallTotals) -> Self {
        // A message that met no instance because the last one failed was failed too: without it, a plugin that fails on everything
        // would have few failures, as far apart as its renewals.
        let unmade = [FailureCause::BackOff, FailureCause::Quarantined];
        let unmade: u64 = unmade.into_iter().map(|cause| totals.failure(cause)).sum();
        Self {
            calls: totals.calls + unmade,
            failures: totals.failed(),
            drops: totals.dropped + totals.closed,
            latency: totals.latency,
        }
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            failures: self.failures.saturating_sub(before.failures),
            drops: self.drops.saturating_sub(before.drops),
            latency: std::array::from_fn(|at| self.latency[at].saturating_sub(before.latency[at])),
        }
    }

    /// Messages that it gave a verdict on.
    pub(crate) fn answers(&self) -> u64 {
        self.latency.iter().sum()
    }

    fn failed_share(&self) -> f64 {
        part(self.failures, self.calls.max(self.failures))
    }

    fn drop_share(&self) -> f64 {
        // A session that is refused when it opens is no answer about a message.
        part(self.drops, self.answers().max(self.drops))
    }

    /// What nine of ten answers took at most: the bound of their bucket.
    fn usual_latency(&self) -> Duration {
        let wanted = self.answers() - self.answers() / 10;
        let mut seen = 0;
        let bucket = self.latency.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let last = Histogram::BOUNDS.len() - 1;
        let bound =
            bucket.map_or(0, |at| Histogram::BOUNDS.get(at).copied().unwrap_or(2 * Histogram::BOUNDS[last]));
        Duration::from_nanos(bound)
    }
}

fn part(of: u64, all: u64) -> f64 {
    if of == 0 { 0.0 } else { of as f64 / all as f64 }
}

impl Band {
    /// Compares a generation with the one before it.
    pub(crate) fn judge(&self, own: &Figures, before: &Figures) -> Finding {
        let (failed, usual) = (own.failed_share(), before.failed_share());
        if self.failures > 0
            && own.failures >= self.failures
            && failed > self.failed_share
            && failed > 2.0 * usual
        {
            return Finding::Outside(format!(
                "{} of its last {} calls failed, {:.1} % where {:.1} % were usual",
                own.failures,
                own.calls.max(own.failures),
                failed * 100.0,
                usual * 100.0
            ));
        }
        if own.answers() < self.calls || before.answers() < self.calls {
            return Finding::TooFew;
        }
        let (slow, usual) = (own.usual_latency(), before.usual_latency());
        let factor = u32::try_from(self.latency_factor).unwrap_or(u32::MAX);
        if factor > 0
            && slow > usual.saturating_mul(factor)
            && slow.saturating_sub(usual) > self.latency_slack
        {
            return Finding::Outside(format!(
                "nine of ten calls took up to {slow:?}, where the generation before needs {usual:?}"
            ));
        }
        let (dropped, usual) = (own.drop_share(), before.drop_share());
        if dropped - usual > self.drop_difference {
            return Finding::Outside(format!(
                "it dropped {:.1} % of {} messages, where {:.1} % were usual",
                dropped * 100.0,
                own.answers(),
                usual * 100.0
            ));
        }
        Finding::Within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many answers of so many microseconds, and so many failures and drops.
    fn figures(answers: u64, micros: u64, failures: u64, drops: u64) -> Figures {
        let mut latency = [0; Histogram::BOUNDS.len() + 1];
        latency[Histogram::BOUNDS.partition_point(|bound| *bound < micros * 1000)] = answers;
        Figures { calls: answers + failures, failures, drops, latency }
    }

    fn outside(own: Figures, before: Figures) -> Option<String> {
        match Band::default().judge(&own, &before) {
            Finding::Outside(why) => Some(why),
            _ => None,
        }
    }

    #[test]
    fn failures_count_from_some_number_and_share_on_and_beside_what_was_usual() {
        let good = figures(1000, 5, 0, 0);
        assert_eq!(outside(figures(0, 0, 4, 0), good), None, "few");
        assert!(
            outside(figures(0, 0, 5, 0), good).unwrap().contains("5 of its last 5 calls failed, 100.0 %")
        );
        assert!(outside(figures(0, 0, 5, 0), Figures::default()).is_some(), "nothing was usual");
        assert_eq!(outside(figures(1000, 5, 50, 0), good), None, "less than the share");
        assert!(outside(figures(900, 5, 100, 0), good).is_some());
        assert_eq!(outside(figures(900, 5, 100, 0), figures(900, 5, 60, 0)), None, "usual");
        let off = Band { failures: 0, ..Band::default() };
        assert_eq!(off.judge(&figures(0, 0, 500, 0), &good), Finding::TooFew);
    }

    #[test]
    fn tenfold_is_too_slow_and_double_is_not() {
        for micros in [20, 50, 200, 1_000, 20_000] {
            let before = figures(500, micros, 0, 0);
            assert!(outside(figures(50, micros * 10, 0, 0), before).is_some(), "{micros}");
            assert_eq!(outside(figures(50, micros * 2, 0, 0), before), None, "{micros}");
            assert_eq!(outside(figures(49, micros * 10, 0, 0), before), None, "few");
        }
        assert_eq!(outside(figures(500, 10, 0, 0), figures(500, 1, 0, 0)), None, "the slack");
        // One call in ten that was held up says nothing.
        let mut held_up = figures(90, 5, 0, 0);
        held_up.latency[Histogram::BOUNDS.len()] = 10;
        assert_eq!(outside(held_up, figures(500, 5, 0, 0)), None);
        held_up.latency[Histogram::BOUNDS.len()] = 11;
        assert!(outside(held_up, figures(500, 5, 0, 0)).is_some());
        // Longer than any bound.
        assert!(outside(figures(50, 5_000_000, 0, 0), figures(500, 5, 0, 0)).is_some());
    }

    #[test]
    fn more_drops_are_outside_and_fewer_are_not() {
        let before = figures(200, 5, 0, 40);
        assert_eq!(outside(figures(200, 5, 0, 90), before), None);
        let why = outside(figures(200, 5, 0, 91), before).unwrap();
        assert_eq!(why, "it dropped 45.5 % of 200 messages, where 20.0 % were usual");
        assert_eq!(outside(figures(200, 5, 0, 0), before), None);
        assert!(outside(figures(50, 5, 0, 50), figures(50, 5, 0, 0)).is_some());
    }

    #[test]
    fn what_cannot_be_compared_yet_is_neither() {
        let band = Band::default();
        let (few, many) = (figures(49, 5, 0, 0), figures(50, 5, 0, 0));
        assert_eq!(band.judge(&few, &many), Finding::TooFew);
        assert_eq!(band.judge(&many, &few), Finding::TooFew);
        assert_eq!(band.judge(&many, &many), Finding::Within);
    }
}
