//! The first minute of a new generation.

use crate::generation::Generation;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_core::{CallTotals, FailureCause};

/// When a new generation is taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Probation {
    /// For how long it is watched.
    pub length: Duration,
    /// Fewer failures than this never count.
    pub failures: u64,
    /// Failures per call that are too many, from 0 to 1; and twice as many as the generation before had.
    pub share: f64,
}

impl Default for Probation {
    fn default() -> Self {
        Self { length: Duration::from_mins(1), failures: 5, share: 0.05 }
    }
}

/// Calls, made or wanted, and failures of all workers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    calls: u64,
    failures: u64,
}

impl Tally {
    pub(crate) fn of(totals: &CallTotals) -> Self {
        // A message that met no instance because the last one failed was failed too: without it, a plugin that fails on everything
        // would have few failures, as far apart as its renewals.
        let unmade = [FailureCause::BackOff, FailureCause::Quarantined];
        let unmade: u64 = unmade.into_iter().map(|cause| totals.failure(cause)).sum();
        Self { calls: totals.calls + unmade, failures: totals.failed() }
    }

    fn share(self) -> f64 {
        if self.failures == 0 { 0.0 } else { self.failures as f64 / self.calls.max(self.failures) as f64 }
    }
}

/// A generation on probation.
#[derive(Debug)]
pub(crate) struct Trial {
    /// What served before and serves again if this one fails.
    before: Arc<Generation>,
    begun: Instant,
    /// Failures per call of the generation before.
    usual: f64,
}

impl Trial {
    /// `last` is the trial that was still under way: a generation that has not stood its own is not what to go back to.
    pub(crate) fn begin(before: Arc<Generation>, last: Option<Self>) -> Self {
        let (before, usual) = if let Some(last) = last {
            (last.before, last.usual)
        } else {
            let usual = Tally::of(&before.totals()).share();
            (before, usual)
        };
        Self { before, begun: Instant::now(), usual }
    }

    /// Itself while it goes on, nothing when it is over, or what serves again and why. `own` is what the generation counted.
    pub(crate) fn judge(
        self,
        probation: &Probation,
        own: Tally,
        now: Instant,
    ) -> Result<Option<Self>, (Arc<Generation>, String)> {
        if own.failures >= probation.failures
            && own.share() > probation.share
            && own.share() > 2.0 * self.usual
        {
            let reason = format!(
                "{} of its first {} calls failed, {:.1} % where {:.1} % were usual",
                own.failures,
                own.calls.max(own.failures),
                own.share() * 100.0,
                self.usual * 100.0
            );
            return Err((self.before, reason));
        }
        let over = now.saturating_duration_since(self.begun) >= probation.length;
        Ok((!over).then_some(self))
    }
}
