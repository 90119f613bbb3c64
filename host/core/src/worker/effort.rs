//! What a turn cost: so that its callers can stop when it is the others' turn, and see who had to wait.

use super::Worker;
use crate::mail::Mail;
use crate::stats::WorkerStats;
use std::sync::Arc;

/// What a turn was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reading, writing and what that led to.
    Sockets,
    /// What is due.
    Timers,
}

impl Worker {
    /// Deliveries to clients so far, whatever became of them: what one message led to is the difference. A message to a large group
    /// costs what its receivers cost.
    pub fn effort(&self) -> u64 {
        self.state.effort
    }

    /// A turn of this length is about to end. Not every turn needs to be measured: a share of them shows the same.
    pub fn took(&mut self, work: Work, nanoseconds: u64) {
        let stats = &self.state.stats.turns;
        // What plugins took of it is told apart.
        let own = nanoseconds.saturating_sub(self.state.in_plugins);
        match work {
            Work::Sockets => stats.sockets.record(own),
            Work::Timers => stats.timers.record(own),
        }
    }

    /// What the worker counts.
    pub fn stats(&self) -> &Arc<WorkerStats> {
        &self.state.stats
    }

    /// As many letters as cost so much effort, and one at least, are [delivered](Worker::deliver). False: some are left.
    pub fn deliver_some(&mut self, letters: &mut std::vec::IntoIter<Mail>, effort: u64) -> bool {
        let end = self.state.effort + effort;
        let mut count = 0;
        while count < effort && (count == 0 || self.state.effort < end) {
            let Some(letter) = letters.next() else { return true };
            self.deliver([letter]);
            count += 1;
        }
        letters.len() == 0
    }

    /// Begins to count what plugins take of a turn, and records what they took of the last.
    pub(super) fn begin_effort(&mut self) {
        let in_plugins = std::mem::take(&mut self.state.in_plugins);
        if in_plugins > 0 {
            self.state.stats.turns.plugins.record(in_plugins);
        }
    }
}
