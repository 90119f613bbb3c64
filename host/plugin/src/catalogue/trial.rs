//! A generation on trial: looked at again and again, beside the one before it.

use super::band::{Figures, Finding};
use crate::rollout::Band;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Looks that are kept, so that what happens late in a long trial is not diluted by what was before.
const RECENT: usize = 32;

/// A trial under way.
#[derive(Debug)]
pub(crate) struct Trial {
    begun: Instant,
    length: Duration,
    /// The figures of the generation before when the trial began.
    before: Figures,
    /// Its own figures at the last looks, the oldest first; at first those of the beginning.
    own: VecDeque<Figures>,
    /// Looks on end that found it outside.
    strikes: u32,
    finding: Finding,
}

/// What becomes of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    GoesOn,
    /// Its time is over, and it is not outside.
    Stood,
    /// It was outside for too long; why, as the end of a sentence.
    Failed(String),
}

impl Trial {
    pub(crate) fn begin(now: Instant, length: Duration, own: Figures, before: Figures) -> Self {
        Self { begun: now, length, before, own: VecDeque::from([own]), strikes: 0, finding: Finding::TooFew }
    }

    /// Looks at both. The generation before is taken at what it did in the same time, or if that was little, ever.
    pub(crate) fn look(&mut self, band: &Band, own: Figures, before: Figures, now: Instant) -> Course {
        let beside = before.since(&self.before);
        let before = if beside.answers() >= band.calls { beside } else { before };
        self.finding = band.judge(&self.latest(band, &own), &before);
        if self.own.len() >= RECENT {
            self.own.pop_front();
        }
        self.own.push_back(own);
        match &self.finding {
            Finding::Outside(why) => {
                self.strikes += 1;
                if self.strikes >= band.looks {
                    return Course::Failed(why.clone());
                }
                // Its time does not end while it is outside.
                Course::GoesOn
            }
            Finding::Within | Finding::TooFew => {
                self.strikes = 0;
                if self.left(now).is_zero() { Course::Stood } else { Course::GoesOn }
            }
        }
    }

    /// The last calls, as few looks back as give enough of them.
    fn latest(&self, band: &Band, own: &Figures) -> Figures {
        let mut recent = self.own.iter().rev().map(|then| own.since(then));
        let enough = recent.clone().find(|recent| recent.calls >= band.calls.max(band.failures));
        enough.or_else(|| recent.next_back()).unwrap_or_default()
    }

    /// How much of its time is left.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.length.saturating_sub(now.saturating_duration_since(self.begun))
    }

    /// What the last look found, for people.
    pub(crate) fn shown(&self) -> String {
        match &self.finding {
            Finding::TooFew => "too few calls to say".into(),
            Finding::Within => "within".into(),
            Finding::Outside(why) => format!("outside: {why}"),
        }
    }

    /// Looks on end that found it outside.
    pub(crate) fn strikes(&self) -> u32 {
        self.strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::Histogram;

    fn figures(answers: u64, failures: u64, drops: u64) -> Figures {
        let mut latency = [0; Histogram::BOUNDS.len() + 1];
        latency[3] = answers;
        Figures { calls: answers + failures, failures, drops, latency }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn it_takes_several_looks_on_end() {
        let (band, start) = (Band { looks: 3, ..Band::default() }, Instant::now());
        let mut trial = Trial::begin(start, MINUTE, Figures::default(), Figures::default());
        let good = figures(1000, 0, 0);
        assert_eq!(trial.look(&band, figures(0, 10, 0), good, start), Course::GoesOn);
        assert_eq!(trial.look(&band, figures(0, 20, 0), good, start), Course::GoesOn);
        // Then it works for a while.
        assert_eq!(trial.look(&band, figures(1000, 20, 0), good, start), Course::GoesOn);
        assert_eq!((trial.strikes(), trial.shown().as_str()), (0, "within"));
        for round in 1..3 {
            assert_eq!(trial.look(&band, figures(1000, 20 + 60 * round, 0), good, start), Course::GoesOn);
        }
        assert!(trial.shown().starts_with("outside: 60 of its last 60 calls"), "{}", trial.shown());
        let Course::Failed(why) = trial.look(&band, figures(1000, 200, 0), good, start) else { panic!() };
        assert!(why.contains("60 of its last 60 calls failed"), "{why}");
    }

    #[test]
    fn what_happens_late_is_seen_as_what_happens_early() {
        let (band, start) = (Band::default(), Instant::now());
        let mut trial = Trial::begin(start, MINUTE, Figures::default(), Figures::default());
        let before = |round: u64| figures(10_000 + 1000 * round, 0, 0);
        for round in 1..100 {
            assert_eq!(trial.look(&band, figures(1000 * round, 0, 0), before(round), start), Course::GoesOn);
        }
        assert_eq!(trial.look(&band, figures(99_060, 0, 60), before(100), start), Course::GoesOn);
        assert!(matches!(trial.look(&band, figures(99_120, 0, 120), before(101), start), Course::Failed(_)));
    }

    #[test]
    fn its_time_ends_when_it_is_not_outside() {
        let (band, start) = (Band::default(), Instant::now());
        let mut trial = Trial::begin(start, MINUTE, Figures::default(), Figures::default());
        let good = figures(1000, 0, 0);
        assert_eq!(trial.left(start + MINUTE / 4), MINUTE / 4 * 3);
        assert_eq!(trial.look(&band, figures(0, 9, 0), good, start + 2 * MINUTE), Course::GoesOn);
        assert_eq!(trial.look(&band, figures(800, 9, 0), good, start + 2 * MINUTE), Course::Stood);
        // One that nobody called has done nothing wrong.
        let mut trial = Trial::begin(start, MINUTE, Figures::default(), good);
        assert_eq!(trial.look(&band, Figures::default(), good, start), Course::GoesOn);
        assert_eq!(trial.look(&band, Figures::default(), good, start + MINUTE), Course::Stood);
    }

    #[test]
    fn the_generation_before_is_taken_at_the_same_time_where_it_had_calls() {
        let (band, start) = (Band::default(), Instant::now());
        // It never dropped anything, until just now: whatever it is, the new one is not to blame.
        let history = figures(100_000, 0, 0);
        let mut trial = Trial::begin(start, MINUTE, Figures::default(), history);
        assert_eq!(trial.look(&band, figures(100, 0, 90), figures(100_200, 0, 180), start), Course::GoesOn);
        assert_eq!(trial.shown(), "within");
        // Where it has none in that time, its history counts.
        let mut trial = Trial::begin(start, MINUTE, Figures::default(), history);
        trial.look(&band, figures(100, 0, 90), figures(100_010, 0, 9), start);
        assert!(trial.shown().starts_with("outside"), "{}", trial.shown());
    }
}
